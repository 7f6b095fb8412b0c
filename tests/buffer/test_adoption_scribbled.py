# SPDX-License-Identifier: MIT
"""
A living ring whose memory somebody writes over while it is read: nothing is
read or written outside of it, whatever the records claim to be.

Under the address sanitizer (RINGAMP_SANITIZE=address) a single byte shows.
"""

from __future__ import annotations

import os
import random
import struct
import threading
import time

import pytest
from wreckage import (
    FREE_AT,
    HEAD_AT,
    TAIL_AT,
    event,
    fill,
    make_ring,
    open_spool,
    path_of,
)

from ringamp.bindings import CAPACITY_MIN, HEADER_SIZE
from ringamp.buffer.adoption import adopt
from ringamp.errors import NativeError, SpoolError

SECONDS = 0.4

READY, PAD, WRITING, VOID = 2, 3, 1, 4

GOLDEN = 0x9E3779B97F4A7C15


def stamp_of(position):
    """
    Compute the stamp of a position, as region.h says.
    """
    return (position >> 3) * GOLDEN % 2**64 >> 32 | 1


class Forger:
    """
    Writes headers that a reader believes, and numbers that it must not.

    Args:
        path: Of the ring's file.

        seed: Says which.
    """

    def __init__(self, path, seed):
        self.rng = random.Random(seed)
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.is_on = True

    def header(self):
        """
        Put a header somewhere, often where the next one is read.
        """
        rng = self.rng
        head = int.from_bytes(os.pread(self.fd, 8, HEAD_AT), "little")
        near = head + 8 * rng.randrange(64)
        position = rng.choice([near, 8 * rng.randrange(1 << 14)]) % 2**64
        state = rng.choice([READY, READY, READY, PAD, VOID, WRITING])
        span = rng.choice([1, 2, 8, 0xFFFF])
        word = stamp_of(position) << 32 | state
        word |= span << 16 if state == VOID else rng.randrange(256) << 8
        length = rng.choice(
            [
                1,
                8,
                100,
                5000,
                CAPACITY_MIN // 2,
                CAPACITY_MIN,
                2**31,
                2**32 - 1,
            ]
        )
        at = HEADER_SIZE + position % CAPACITY_MIN
        data = struct.pack("<QII", word, length, 0)
        os.pwrite(self.fd, data[: HEADER_SIZE + CAPACITY_MIN - at], at)

    def number(self):
        """
        Write over a position.
        """
        at = self.rng.choice([TAIL_AT, TAIL_AT + 8, FREE_AT, HEAD_AT])
        value = self.rng.choice(
            [0, 8, 4, 1 << 16, 1 << 40, 2**63, 2**64 - 8, 2**64 - 1]
        )
        os.pwrite(self.fd, value.to_bytes(8, "little"), at)

    def run(self):
        """
        Go on until it is told to stop.
        """
        while self.is_on:
            (self.number if self.rng.random() < 0.02 else self.header)()
        os.close(self.fd)


@pytest.mark.parametrize("seed", range(4))
def test_a_living_ring_is_never_read_outside_of_it(tmp_path, seed):
    """
    Each look gives records that lie inside of it, or nothing, or says that
    the ring is corrupt; so does each of a reader that comes next.
    """
    spool = open_spool(tmp_path)
    file, ring = make_ring(spool, is_consumed=False)
    forger = Forger(path_of(spool, file.ring_id), seed)
    thread = threading.Thread(target=forger.run)
    thread.start()
    given = broken = 0
    began = time.monotonic()

    def is_early():
        return time.monotonic() < began + SECONDS

    try:
        while given <= 100 or broken <= 10 or is_early():
            assert time.monotonic() < began + 60
            ring.push_event(event(given))
            try:
                given += take_all(spool, file.ring_id)
            except (SpoolError, NativeError):
                broken += 1
                reset(forger.fd)
    finally:
        forger.is_on = False
        thread.join()
    file.close(is_done=True)
    spool.close()


def take_all(spool, ring_id):
    """
    Read as a relay does, until nothing comes; count what came.
    """
    live = adopt(spool, ring_id, b"lib/1", live=True)
    given = 0
    try:
        while (batch := fill(live, max_bytes=1 << 17)) is not None:
            assert len(batch.body) < 1 << 18
            given += len(batch)
            batch.unsound()
            live.release(batch.end)
    finally:
        live.close(is_done=False)
    return given


def reset(fd):
    """
    Make the ring an empty one again, for there to be something to read.
    """
    os.pwrite(fd, bytes(CAPACITY_MIN), HEADER_SIZE)
    for at in (TAIL_AT, TAIL_AT + 8, FREE_AT, HEAD_AT):
        os.pwrite(fd, bytes(8), at)
