# SPDX-License-Identifier: MIT
"""
A ring over private memory: many threads push, one flusher fills and releases.
"""

from __future__ import annotations

import os
from typing import Any

from ringamp.bindings import (
    ADDED_MAX,
    RING_ID_SIZE,
    bind,
    ffi,
    lib,
    renew_generation,
)
from ringamp.buffer.batch import Batch
from ringamp.buffer.region import Region, round_capacity
from ringamp.errors import NativeError

NO_GENERATION = 2**64 - 1
"""Matches no process: not even a forked child's, which is 0 at first."""

SPARE_MAX = 2
"""Request-sized buffers kept for the next batch: one in flight, one filling.
A new megabyte a batch costs its page faults every time."""


class Ring:
    """
    The ring of one process.

    *push_event* and *push_dict* may be called by any thread at any time.
    They answer a position, with `WAKE` added where the caller must wake the
    flusher, or a code of `bindings`. All other methods that change anything
    belong to the one thread that flushes.

    Args:
        buffer_bytes: Capacity wanted; rounded up to a power of two.

        min_id_length: In characters, for user and device ids.

        max_event: Bytes that one event may have in a request.

        library: What the field *library* says where an event has none.

    Raises:
        NativeError: The memory could not be had.
    """

    def __init__(
        self,
        buffer_bytes: int,
        *,
        min_id_length: int,
        max_event: int,
        library: bytes,
    ) -> None:
        self.generation = renew_generation()
        self._library = library
        self._region = Region(round_capacity(buffer_bytes))
        self.capacity = self._region.capacity
        lib.ra_ring_format(
            self._region.pointer,
            self.capacity,
            os.urandom(RING_ID_SIZE),
            0,
        )
        self._ring: Any = ffi.new("struct ra_ring *")
        if lib.ra_ring_attach(self._ring, self._region.pointer) != 0:
            raise NativeError("the ring's memory cannot be attached")
        self._ring.generation = self.generation
        self._ring.min_id_length = min_id_length
        self._added = ADDED_MAX + len(library)
        self._ring.max_payload = min(
            self._ring.max_payload,
            max_event - self._added,
        )
        self._claim: Any = ffi.new("struct ra_claim *")
        self._spare: list[bytearray] = []
        self.claimed = 0
        self.push_event, self.push_dict, self.begin = bind(
            self._ring,
            (self._ring, self._region),
        )

    @property
    def max_event(self) -> int:
        """
        Bytes of JSON above which an event is TOO_BIG.
        """
        return int(self._ring.max_payload)

    @property
    def pushed(self) -> int:
        """
        How many records were ever pushed.
        """
        return int(lib.ra_ring_pushed(self._ring))

    @property
    def refused(self) -> int:
        """
        How many pushes found no room.
        """
        return int(lib.ra_ring_refused(self._ring))

    @property
    def tail(self) -> int:
        """
        The position behind the last reserved byte.
        """
        return int(lib.ra_ring_tail(self._ring))

    @property
    def used(self) -> int:
        """
        Bytes in use.
        """
        return self.tail - int(lib.ra_ring_free(self._ring))

    def close(self) -> None:
        """
        Refuse all later pushes: they answer FORKED.

        A push keeps the GIL from its first look at the generation to its
        commit, and so does this store. So when close returns, every push
        that was not refused has been committed.
        """
        self._ring.generation = NO_GENERATION

    def arm(self, more: int, more_bytes: int) -> bool:
        """
        Ask to be woken when *more* records wait than now claimed, or when
        about *more_bytes* are in use. True if that is so already.
        """
        return bool(
            lib.ra_ring_arm(
                self._ring,
                self.claimed + more,
                int(lib.ra_ring_free(self._ring)) + more_bytes,
            ),
        )

    def disarm(self) -> None:
        """
        Ask not to be woken.
        """
        lib.ra_ring_disarm(self._ring)

    def fill(
        self,
        head: bytes,
        tail: bytes,
        *,
        max_count: int,
        max_bytes: int,
    ) -> Batch | None:
        """
        Claim the next records and make a request body of them.

        Args:
            head: What the body begins with.

            tail: What it ends with.

            max_count: Events at most.

            max_bytes: Bytes at most, of the whole body.

        Returns:
            A batch whose ring space is kept until `release`; None where
            nothing is ready.

        Raises:
            NativeError: The ring's memory was overwritten by somebody.
        """
        count = lib.ra_ring_claim(
            self._ring,
            max_count,
            max_bytes - len(head) - len(tail),
            self._added,
            self._claim,
        )
        if count == 0:
            return None
        if count < 0:
            raise NativeError(
                "the ring is corrupt: a header at position "
                f"{self._ring.claim} is none of ringamp's",
            )
        self.claimed += count
        bound = lib.ra_splice_bound(
            self._claim,
            len(head),
            len(tail),
            len(self._library),
        )
        buffer = self._buffer(bound)
        offsets = ffi.new("uint32_t[]", count + 1)
        positions = ffi.new("uint64_t[]", count)
        length = lib.ra_splice(
            self._ring,
            self._claim,
            head,
            len(head),
            tail,
            len(tail),
            self._library,
            len(self._library),
            ffi.from_buffer("unsigned char[]", buffer),
            offsets,
            positions,
        )
        # Views: most batches are delivered whole, and nobody reads these.
        return Batch(
            memoryview(buffer)[:length],
            memoryview(ffi.buffer(offsets)).cast("I"),
            (
                self._claim.start,
                memoryview(ffi.buffer(positions)).cast("Q"),
                self._claim.end,
            ),
            end=self._claim.end,
        )

    def release(self, end: int) -> None:
        """
        Give back the ring's bytes before *end*, which was claimed.
        """
        lib.ra_ring_release(self._ring, end)

    def reuse(self, batch: Batch) -> None:
        """
        Take back the buffer of a batch that nobody looks at any more.
        """
        body = batch.body
        if isinstance(body, memoryview) and len(self._spare) < SPARE_MAX:
            buffer = body.obj
            body.release()
            if isinstance(buffer, bytearray):
                self._spare.append(buffer)

    def _buffer(self, length: int) -> bytearray:
        """
        A buffer of at least *length* bytes.
        """
        if self._spare:
            buffer = self._spare.pop()
            if len(buffer) >= length:
                return buffer
        return bytearray(length)
