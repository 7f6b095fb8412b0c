# SPDX-License-Identifier: MIT
"""
The consuming half of a ring: records out as batches, and their room back.
"""

from __future__ import annotations

from typing import Any

from ringamp.bindings import ADDED_MAX, ffi, generation, lib
from ringamp.buffer.batch import Batch, Places
from ringamp.buffer.region import Region
from ringamp.buffer.window import Share, Window
from ringamp.errors import NativeError

SPARE_MAX = 2
"""Request-sized buffers kept for the next batch of each upload: one in flight,
one filling. A new megabyte a batch costs its page faults every time."""


def _changed() -> NativeError:
    return NativeError("the ring is corrupt: claimed records changed")


class Outlet:
    """
    What one flushing thread needs of a ring.

    A child of a fork gets nothing out and gives nothing back: what is in the
    ring is its parent's, who may share the memory with it.

    Args:
        region: A formatted ring.

        library: What the field *library* says where an event has none.

    Raises:
        NativeError: It is no ring of this version.
    """

    def __init__(self, region: Region, *, library: bytes) -> None:
        self.generation = generation()
        self._library = library
        self._region = region
        self.capacity = region.capacity
        self._ring: Any = ffi.new("struct ra_ring *")
        # The capacity is read from the region, and others may write to that.
        if (
            lib.ra_ring_attach(self._ring, region.pointer) != 0
            or self._ring.capacity != region.capacity
        ):
            raise NativeError("the ring's memory cannot be attached")
        self._added = ADDED_MAX + len(library)
        self._claim: Any = ffi.new("struct ra_claim *")
        self.spares = SPARE_MAX
        self._spare: list[bytearray] = []
        self.claimed = 0

    @property
    def pushed(self) -> int:
        """
        How many records were ever pushed.
        """
        return int(lib.ra_ring_pushed(self._ring))

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

    @property
    def unclaimed(self) -> tuple[int, int]:
        """
        The positions that were reserved and not claimed yet.
        """
        return int(self._ring.claim), self.tail

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
        count = self._take(max_count, max_bytes - len(head) - len(tail))
        if count == 0:
            return None
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
        if length == 0:
            raise _changed()
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

    def deal(
        self,
        head: bytes,
        tail: bytes,
        *,
        tracks: int,
        max_count: int,
        max_bytes: int,
    ) -> tuple[Window, list[Batch]] | None:
        """
        Claim the next records and deal them out to several uploads: each
        gets all those of its ids, in order.

        Args:
            head: What each body begins with.

            tail: What it ends with.

            tracks: How many uploads.

            max_count: Events of each at most.

            max_bytes: Bytes of each body at most.

        Returns:
            What was claimed, and a batch for each upload that got anything
            of it; None where nothing is ready.
        """
        room = max_bytes - len(head) - len(tail)
        if self._take(tracks * max_count, tracks * room) == 0:
            return None
        positions = ffi.new("uint64_t[]", tracks * max_count)
        shares = ffi.new("struct ra_share[]", tracks)
        count = lib.ra_deal(
            self._ring,
            self._claim,
            tracks,
            max_count,
            room,
            self._added,
            positions,
            shares,
        )
        if count == 0:
            raise _changed()
        self.claimed += count
        dealt = memoryview(ffi.buffer(positions)).cast("Q")
        places = [
            dealt[track * max_count : track * max_count + share.count]
            for track, share in enumerate(shares)
        ]
        window = Window(self._claim.start, self._claim.end, places)
        return window, [
            self._share(
                window, track, shares[track], place, head=head, tail=tail
            )
            for track, place in enumerate(places)
            if place
        ]

    def _share(
        self,
        window: Window,
        track: int,
        share: Any,
        places: memoryview[int],
        *,
        head: bytes,
        tail: bytes,
    ) -> Batch:
        """
        Make a request body of one upload's share.
        """
        bound = share.bytes + share.count * self._added
        buffer = self._buffer(len(head) + len(tail) + bound)
        offsets = ffi.new("uint32_t[]", share.count + 1)
        length = lib.ra_splice_share(
            self._ring,
            ffi.addressof(share),
            ffi.from_buffer("uint64_t[]", places),
            head,
            len(head),
            tail,
            len(tail),
            self._library,
            len(self._library),
            ffi.from_buffer("unsigned char[]", buffer),
            offsets,
        )
        if length == 0:
            raise _changed()
        batch = Batch(
            memoryview(buffer)[:length],
            memoryview(ffi.buffer(offsets)).cast("I"),
            Places(places),
        )
        batch.track = track
        batch.share = Share(window, track)
        return batch

    def _take(self, max_count: int, max_bytes: int) -> int:
        """
        Claim the next records; how many, 0 where nothing is ready.

        Raises:
            NativeError: The ring's memory was overwritten by somebody.
        """
        if generation() != self.generation:
            return 0
        count = lib.ra_ring_claim(
            self._ring, max_count, max_bytes, self._added, self._claim
        )
        if count < 0:
            raise NativeError(
                "the ring is corrupt: a header at position "
                f"{self._ring.claim} is none of ringamp's",
            )
        return int(count)

    def release(self, end: int) -> None:
        """
        Give back the ring's bytes before *end*, which was claimed.
        """
        if generation() == self.generation:
            lib.ra_ring_release(self._ring, end)

    def reuse(self, batch: Batch) -> None:
        """
        Take back the buffer of a batch that nobody looks at any more.
        """
        body = batch.body
        if isinstance(body, memoryview) and len(self._spare) < self.spares:
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
        # A little more, so that the next batch, which is about as large, fits
        # as well.
        return bytearray(length + length // 16)
