# SPDX-License-Identifier: MIT
"""
The consuming half of a ring: records out as batches, and their room back.
"""

from __future__ import annotations

from typing import Any

from ringamp.bindings import ADDED_MAX, ffi, generation, lib
from ringamp.buffer.batch import Batch, Places
from ringamp.buffer.region import Region
from ringamp.buffer.room import Room
from ringamp.buffer.window import Share, Window
from ringamp.errors import NativeError

SPARE_MAX = 2
"""Rooms kept for the next batch of each upload: one in flight, one filling."""

FIRST_SIZE = 4096
"""Bytes of the first room; it grows with what there is to send."""


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

        keeps: Whether what was taken keeps its room until `release`; if not,
            it has none any more.

    Raises:
        NativeError: It is no ring of this version.
    """

    def __init__(
        self, region: Region, *, library: bytes, keeps: bool = True
    ) -> None:
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
        self._keeps = keeps
        self.spares = SPARE_MAX
        self._spare: list[Room] = []
        self._wrap: Any = ffi.new("struct ra_wrap *")
        self._wrap_in(b"", b"")
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
            A batch, None where nothing is ready.

        Raises:
            NativeError: The ring's memory was overwritten by somebody.
        """
        if generation() != self.generation:
            return None
        if head is not self._head or tail is not self._tail:
            self._wrap_in(head, tail)
        claim = self._claim
        room = self._take_room(FIRST_SIZE, max_count)
        while True:
            length = lib.ra_fill(
                self._ring,
                max_count,
                max_bytes,
                self._wrap,
                self._keeps,
                room.address,
                claim,
            )
            if length <= room.size:
                break
            room = self._take_room(length, max_count)
        count, start, end = claim.count, claim.start, claim.end
        self.claimed += count
        if length <= 0:
            self._spare.append(room)
            if length < 0:
                raise _changed() if count else self._corrupt()
            return None
        # Views: most batches are delivered whole, and nobody reads these.
        return Batch(
            room.body[:length],
            room.offsets[: count + 1],
            (start, room.positions[:count], end),
            end if self._keeps else None,
            room,
        )

    def _wrap_in(self, head: bytes, tail: bytes) -> None:
        """
        Have bodies begin with *head* and end with *tail*.
        """
        self._head, self._tail = head, tail
        # What the struct points to lives as long as these do.
        self._texts = [
            ffi.from_buffer("char[]", text)
            for text in (head, tail, self._library)
        ]
        wrap = self._wrap
        wrap.head, wrap.tail, wrap.library = self._texts
        wrap.head_length, wrap.tail_length = len(head), len(tail)
        wrap.library_length = len(self._library)

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
        if head is not self._head or tail is not self._tail:
            self._wrap_in(head, tail)
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
        batches = [
            self._share(window, track, shares[track], place, max_count)
            for track, place in enumerate(places)
            if place
        ]
        if not self._keeps:
            self.release(window.end)
        return window, batches

    def _share(
        self,
        window: Window,
        track: int,
        share: Any,
        places: memoryview[int],
        max_count: int,
    ) -> Batch:
        """
        Make a request body of one upload's share.
        """
        around = len(self._head) + len(self._tail)
        bound = around + share.bytes + share.count * self._added
        room = self._take_room(bound, max_count)
        length = lib.ra_splice_share(
            self._ring,
            ffi.addressof(share),
            ffi.from_buffer("uint64_t[]", places),
            self._wrap,
            room.address,
        )
        if length == 0:
            raise _changed()
        batch = Batch(
            room.body[:length],
            room.offsets[: share.count + 1],
            Places(places),
            window.end if self._keeps else None,
            room,
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
            raise self._corrupt()
        return int(count)

    def _corrupt(self) -> NativeError:
        return NativeError(
            "the ring is corrupt: a header at position "
            f"{self._ring.claim} is none of ringamp's",
        )

    def release(self, end: int) -> None:
        """
        Give back the ring's bytes before *end*, which was claimed.
        """
        if generation() == self.generation:
            lib.ra_ring_release(self._ring, end)

    def reuse(self, batch: Batch) -> None:
        """
        Take back the room of a batch that nobody looks at any more.
        """
        room, body = batch.room, batch.body
        if room is None or len(self._spare) >= self.spares:
            return
        batch.room = None
        if isinstance(body, memoryview):
            # Whoever looks all the same gets an error, not other events.
            body.release()
        self._spare.append(room)

    def _take_room(self, size: int, count: int) -> Room:
        """
        Room for a batch: used before, if there is any that is large enough.
        """
        while self._spare:
            room = self._spare.pop()
            if room.size >= size and room.count >= count:
                return room
        # A little more, so that the next batch, which is about as large, fits
        # as well.
        return Room(size + size // 16, count)
