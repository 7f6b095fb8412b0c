# SPDX-License-Identifier: MIT
"""
A ring file of each version of the format, which must open for ever.

`ring-v1.ring` was written by the first core with that format, on a file of
64 KiB, and lies there as three deaths and one accident left it: a release was
half done; behind the first live event one is being written; the next has a
changed bit; then comes a pad, and behind it an event, a hole, another event,
the void of an earlier repair, the last event, and a hole of 8 bytes.
"""

from __future__ import annotations

import gzip
import mmap
from pathlib import Path

import pytest

from ringamp import bindings

ffi, lib = bindings.ffi, bindings.lib

DATA = Path(__file__).resolve().parents[1] / "data"
PROJECT = b"project of tests"
RING = b"000g40q4alj7f24platspnfevs"
SENT = (
    b'{"time":1700000000002,"insert_id":"%(ring)s-0000000009vo8",'
    b'"library":"golden/1","event_type":"a","user_id":"golden"},'
    b'{"event_type":"c","user_id":"golden","time":1700000000004,'
    b'"insert_id":"own","library":"mine/1","event_properties":'
    b'{"text":"\xc3\xa4\xe2\x82\xac"}},'
    b'{"time":1700000000005,"library":"golden/1","event_type":"d",'
    b'"device_id":"golden-device"},'
    b'{"time":1700000000006,"library":"golden/1","event_type":"e",'
    b'"user_id":"golden","insert_id":"own-2"}'
) % {b"ring": RING}


@pytest.fixture
def region():
    """
    The bytes of the file, in memory of our own.
    """
    content = gzip.decompress((DATA / "ring-v1.ring.gz").read_bytes())
    memory = mmap.mmap(-1, len(content))
    memory[:] = content
    buffer = ffi.from_buffer(memory)
    yield ffi.cast("struct ra_region *", buffer), len(content)
    ffi.release(buffer)
    memory.close()


def test_header_says_what_it_was_written_with(region):
    """
    Version 1 is sound, and its fields are where they were.
    """
    bytes_, size = region

    assert lib.ra_region_check(bytes_, size, PROJECT) == lib.RA_SOUND
    assert lib.ra_region_capacity(bytes_) == 65536
    assert lib.ra_region_created_ms(bytes_) == 1700000000123
    assert lib.ra_region_min_id(bytes_) == 5
    assert lib.ra_region_head(bytes_) == 327432
    assert lib.ra_region_check(bytes_, size, bytes(16)) == lib.RA_BAD_PROJECT


def test_events_come_out_as_they_went_in(region):
    """
    A repair finds what was lost, and the rest makes the body it always made.
    """
    bytes_, size = region
    ring, claim = ffi.new("struct ra_ring *"), ffi.new("struct ra_claim *")
    found = ffi.new("struct ra_repair *")
    assert lib.ra_region_check(bytes_, size, PROJECT) == lib.RA_SOUND
    assert lib.ra_ring_attach(ring, bytes_) == 0

    lib.ra_ring_repair(ring, found)
    assert (found.ready, found.torn, found.holes) == (4, 1, 2)
    assert found.bad_crc == 1
    assert found.oldest_ms == 1700000000002
    assert lib.ra_ring_delivered(ring) == 1
    assert lib.ra_ring_rejected(ring) == 2
    assert lib.ra_ring_dropped(ring) == 3

    library = ffi.from_buffer("char[]", b"golden/1")
    nothing = ffi.from_buffer("char[]", b"")
    wrap = ffi.new("struct ra_wrap *", (nothing, 0, nothing, 0, library, 8))
    body = ffi.new("unsigned char[]", 4096)
    offsets = ffi.new("uint32_t[]", 101)
    positions = ffi.new("uint64_t[]", 100)
    room = ffi.new("struct ra_room *", (body, 4096, offsets, positions))
    length = lib.ra_fill(ring, 100, 4096, wrap, True, room, claim)

    assert claim.count == 4
    assert ffi.buffer(body, length)[:] == SENT
    assert list(positions)[:4] == [327432, 327680, 327904, 327992]
    lib.ra_ring_release(ring, claim.end)
    assert lib.ra_ring_free(ring) == lib.ra_ring_tail(ring) == 328088
