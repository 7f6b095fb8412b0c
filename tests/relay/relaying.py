# SPDX-License-Identifier: MIT
"""
Workers, as far as others can see them, and time that tests move.
"""

from __future__ import annotations

import time

from ringamp.bindings import HEADER_SIZE, ffi
from ringamp.client import Client

KEY = "0123456789abcdef0123456789abcdef"
USER = "datamonster@gmail.com"


class ManualClock:
    """
    Time that passes when it is told to, or when somebody sleeps.
    """

    def __init__(self):
        self.now = 1000.0
        self.pauses = []

    def monotonic(self):
        """
        Seconds from an arbitrary start.
        """
        return self.now

    def wall(self):
        """
        The real time: ages of files are compared with it.
        """
        return time.time()

    def sleep(self, seconds):
        """
        Let time pass at once.
        """
        self.pauses.append(seconds)
        self.now += seconds


class Worker:
    """
    A process that logs, as far as others can see.

    Args:
        name: Of its instance.

        options: Of its instance.
    """

    def __init__(self, name, key=KEY, **options):
        self.name = name
        self.client = Client(name).init(key, **options)
        self._storage = self.client._session._storage
        self.ring_id = self._storage.file.ring_id
        self._start = ffi.cast(
            "unsigned char *", self._storage.file.region.pointer
        )

    def log(self, count, first=0, **more):
        """
        Log events *name*-0, *name*-1 and so on.
        """
        for number in range(first, first + count):
            tag = f"{self.name}-{number}"
            self.client.log_event(
                {
                    "event_type": "relay test",
                    "user_id": USER,
                    "event_properties": {"tag": tag},
                    **more,
                }
            )

    def die(self):
        """
        Leave all as it is, as a kill does; the kernel gives up its locks.
        """
        self._storage.file.lease.close()

    def tear(self, position):
        """
        Make the record at *position* one that is being written; return what
        `mend` needs.
        """
        word = self.bytes(position, 2)
        whole = word[:]
        # State and flags; these come with the commit.
        word[:] = b"\x01\x00"
        return whole

    def mend(self, position, whole):
        """
        Commit it.
        """
        self.bytes(position, 2)[:] = whole

    def spoil_header(self):
        """
        Make the checksum of its header wrong.
        """
        checksum = self.header(4092, 1)
        checksum[0] = bytes([checksum[0][0] ^ 1])

    def bytes(self, position, length):
        """
        What lies in the ring there, for reading and writing.
        """
        return self.header(HEADER_SIZE + position, length)

    def header(self, position, length):
        """
        The same, of the header.
        """
        return ffi.buffer(self._start + position, length)


def names(worker, count, first=0):
    """
    The tags of a worker's events.
    """
    return [f"{worker}-{number}" for number in range(first, first + count)]
