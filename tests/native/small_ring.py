# SPDX-License-Identifier: MIT
"""
A ring of the smallest size with its builtins, for the tests of the hot path.
"""

from __future__ import annotations

import mmap

import orjson

from ringamp import bindings

CAPACITY = 65536
EVENT = {"event_type": "watch", "user_id": "datamonster@gmail.com"}


def changed(**fields):
    """
    Give the event with *fields* set; None as a value stays.
    """
    return {**EVENT, **fields}


class Ring:
    """
    A ring over private memory, and its builtins.
    """

    def __init__(self, capacity=CAPACITY, min_id_length=5):
        size = bindings.HEADER_SIZE + capacity
        memory = bindings.ffi.from_buffer(mmap.mmap(-1, size))
        region = bindings.ffi.cast("struct ra_region *", memory)
        identity = bytes(range(16))
        assert not bindings.lib.ra_ring_format(region, capacity, identity, 0)
        self.view = bindings.ffi.new("struct ra_ring *")
        assert not bindings.lib.ra_ring_attach(self.view, region)
        self.view.generation = bindings.renew_generation()
        self.view.min_id_length = min_id_length
        self.claim = bindings.ffi.new("struct ra_claim *")
        self.pushers = bindings.bind(self.view, (self.view, memory))

    def push(self, event):
        """
        Encode and push, in both ways; they must agree on the code.
        """
        answer = self.pushers.push_event(event)
        try:
            payload = orjson.dumps(event, None, bindings.ENCODE_OPTION)
        except TypeError:
            assert answer == bindings.UNCLEAN
            return answer
        again = self.pushers.push_dict(payload, event)
        assert again == answer or (answer >= 0 and again > answer)
        return answer

    def drain(self):
        """
        Claim and release everything; the payloads and their flags.
        """
        lib, out = bindings.lib, []
        while lib.ra_ring_claim(self.view, 1, 2**63, 0, self.claim) == 1:
            out.append(int(self.claim.bytes))
            lib.ra_ring_release(self.view, self.claim.end)
        return out
