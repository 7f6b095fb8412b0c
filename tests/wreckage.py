# SPDX-License-Identifier: MIT
"""
Rings that dead processes left, and what becomes of files that somebody
tampers with.

A ring whose file this process has closed has no owner any more, as far as the
kernel knows: it is what a killed process leaves.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

from ringamp.bindings import CAPACITY_MIN, HEADER_SIZE, ffi, lib
from ringamp.buffer.adoption import adopt
from ringamp.buffer.ring import Ring
from ringamp.buffer.spool import Spool
from ringamp.options import Options
from ringamp.transport.payload import LIBRARY, Envelope

PROJECT = bytes(range(16))
OTHER_PROJECT = bytes(16)
HEAD, TAIL = b'{"events":[', b"]}"
LONGEST = 2000
"""Bytes of a forged payload."""

TAIL_AT, HEAD_AT, FREE_AT = 4096, 4232, 4224
"""Where a ring's positions stand in its file (region.h)."""

MAGIC_AT, VERSION_AT, CAPACITY_AT, CRC_AT = 0, 8, 16, 4092
"""Where fields of its header stand."""


def project_of(key, url):
    """
    Return the hash under which a client keeps its files.
    """
    return Envelope(key, Options.build(server_url=url)).project


def open_spool(path, project=PROJECT, max_bytes=1 << 24):
    """
    Open the spool of a project.
    """
    return Spool(str(path), project, max_bytes)


def event(number=0, **more):
    """
    Make an event that carries its number.
    """
    return {
        "event_type": "t",
        "user_id": "somebody",
        "event_id": number,
        **more,
    }


def make_ring(spool, capacity=CAPACITY_MIN, **options):
    """
    Make a ring in a file, as a session does; return both.
    """
    usual = {"min_id_length": 5, "now_ms": 1000, "is_consumed": True}
    file = spool.create(capacity, **{**usual, **options})
    ring = Ring(
        file.region,
        min_id_length=0,
        max_event=capacity,
        library=LIBRARY.encode(),
    )
    return file, ring


def leave(spool, events, change=None, **options):
    """
    Leave a ring with *events* behind; those given as bytes are forged.

    Args:
        spool: Where.

        events: Dicts, or the bytes of payloads that are none.

        change: Called with the region before the ring is left.

        **options: Of `make_ring`.

    Returns:
        The ring's name.
    """
    file, ring = make_ring(spool, **options)
    for one in events:
        if isinstance(one, bytes):
            forge(ring, file.region, one)
        else:
            assert ring.push_event(one) >= 0
    if change is not None:
        change(file.region)
    file.close(is_done=False)
    return file.ring_id


def bytes_of(region):
    """
    Look at the memory of a region, which must live meanwhile.
    """
    size = HEADER_SIZE + region.capacity
    return memoryview(
        ffi.buffer(ffi.cast("unsigned char *", region.pointer), size)
    )


def forge(ring, region, payload):
    """
    Push a record that has the right checksum and any payload, with spaces
    behind it.
    """
    base = event(time=1, insert_id="forged", library="forged/1")
    text = json.dumps(base, separators=(",", ":"))
    text = f'{text[:-1]},"k":"{"x" * LONGEST}"}}'
    position = ring.push_dict(text.encode(), base) & ~7
    assert position >= 0
    memory = bytes_of(region)
    at = HEADER_SIZE + (position & (region.capacity - 1))
    word, length, _, time_ms = struct.unpack_from("<QIIQ", memory, at)
    start = at + 24
    memory[start : start + length] = payload.ljust(length)
    crc = lib.ra_crc32c(
        0, struct.pack("<IIQ", word >> 8 & 0xFF, length, time_ms), 16
    )
    crc = lib.ra_crc32c(crc, bytes(memory[start : start + length]), length)
    memory[at + 12 : at + 16] = struct.pack("<I", crc)


def seal(spool, region, *, project=None, min_id_length=5, flags=1):
    """
    Give a region the header that somebody wants it to have, and the right
    checksum of it.
    """
    lib.ra_region_describe(
        region.pointer,
        project or spool.project,
        1000,
        1,
        min_id_length,
        flags,
    )
    lib.ra_region_seal(region.pointer)


def path_of(spool, ring_id, suffix=".ring"):
    """
    Return where a ring's file is.
    """
    return Path(spool.rings.path, ring_id + suffix)


def write_at(path, at, data):
    """
    Write over some bytes of a file.
    """
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def read_number(path, at):
    """
    Read a number of eight bytes.
    """
    return int.from_bytes(path.read_bytes()[at : at + 8], "little")


def names(spool):
    """
    List what is in the folder of rings, by suffix.
    """
    return sorted(Path(name).suffix for name in spool.rings.names())


def fill(outlet, **limits):
    """
    Take a batch.
    """
    usual = {"max_count": 2000, "max_bytes": 1 << 20}
    return outlet.fill(HEAD, TAIL, **{**usual, **limits})


def drain(outlet, **limits):
    """
    Take everything and give its room back; return the events.
    """
    events = []
    while (batch := fill(outlet, **limits)) is not None:
        events += batch.events()
        outlet.release(batch.end)
    return events


def numbers(events):
    """
    List the numbers of events.
    """
    return [one["event_id"] for one in events]


def take(spool, ring_id, **how):
    """
    Adopt a ring.
    """
    return adopt(spool, ring_id, b"lib/1", **{"live": False, **how})


def some(count):
    """
    Make numbered events.
    """
    return [event(number) for number in range(count)]


def number(value, size=8):
    """
    Write a number as the file has it.
    """
    return value.to_bytes(size, "little")
