# SPDX-License-Identifier: MIT
"""
Events of throttled ids: into their lanes, and out again as batches.

A part of a lane that leaves travels in one or more batches, perhaps together
with parts of other lanes. The lanes it came from go on only when each of its
events has an outcome or is back in its lane, so that order per id is kept.
`Part` counts that down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized

import msgspec

from ringamp.buffer.batch import Batch, Pin, Tile
from ringamp.retry.decision import Hold, Ids
from ringamp.retry.lanes import Key, Lanes
from ringamp.status import Response, Status
from ringamp.transport.payload import Envelope

LANES_FULL = Response(
    Status.DROPPED,
    error="too many events wait for ids that the service throttles",
)


class Held(msgspec.Struct, frozen=True):
    """
    One event in a lane.
    """

    json: bytes
    tile: Tile
    pin: Pin | None
    track: int | None


class Part:
    """
    Events that left some lanes together.
    """

    __slots__ = ("keys", "left")

    def __init__(self, keys: list[Key], left: int) -> None:
        self.keys = keys
        self.left = left


def _by_track(events: Sequence[Held]) -> Iterable[Sequence[Held]]:
    """
    Part the events of several uploads. Where one has no track, its batch
    travels alone, and so the others, which may be of the same id, go with it.
    """
    groups: dict[int | None, list[Held]] = {}
    for event in events:
        groups.setdefault(event.track, []).append(event)
    if None in groups and len(groups) > 1:
        return [
            [msgspec.structs.replace(event, track=None) for event in events]
        ]
    return groups.values()


class Throttling:
    """
    The lanes of one session.

    Args:
        envelope: Head and tail of every body.

        max_events: Of a request.

        max_held_bytes: How much may wait.

    Attributes:
        held: Has an entry for each id that is held.
    """

    def __init__(
        self, envelope: Envelope, max_events: int, max_held_bytes: int
    ) -> None:
        self._envelope = envelope
        self._max_events = max_events
        self._lanes: Lanes[Held] = Lanes(max_held_bytes)
        self.held: Sized = self._lanes.held

    @property
    def count(self) -> int:
        """
        How many events wait.
        """
        return self._lanes.count

    def next_due(self) -> float | None:
        """
        When something may leave next.
        """
        return self._lanes.next_due()

    def hold(self, decision: Hold, now: float) -> None:
        """
        Hold the ids that *decision* names.
        """
        self._lanes.hold(
            decision.users,
            decision.devices,
            now + decision.seconds,
            decision.eps_threshold,
        )

    def waiting_in(self, batch: Batch) -> list[int]:
        """
        Which events of *batch* must wait. What has just left a lane must
        not, or it would never get anywhere, unless older events of that lane
        have come back meanwhile.
        """
        if batch.part is not None:
            return [
                index
                for index, ids in enumerate(batch.ids())
                if self._lanes.has_older(ids, batch.tiles[index].start)
            ]
        return [
            index
            for index, ids in enumerate(batch.ids())
            if self._lanes.is_held(ids) is not None
        ]

    def enter(self, batch: Batch, indexes: Sequence[int]) -> list[int]:
        """
        Let these events wait.

        Returns:
            Those for which there is no room.
        """
        ids: Sequence[Ids] = batch.ids()
        homeless = []
        for index in indexes:
            held = Held(
                batch.event_bytes(index),
                batch.tiles[index],
                batch.pin_of(index),
                batch.track,
            )
            size = len(held.json)
            if not self._lanes.add(ids[index], held.tile.start, held, size):
                homeless.append(index)
        self.arrived(batch, len(indexes) - len(homeless))
        return homeless

    def arrived(self, batch: Batch, count: int) -> None:
        """
        Note that *count* events of *batch* have an outcome or are back.
        """
        part: Part | None = batch.part
        if part is None:
            return
        part.left -= count
        if part.left == 0:
            for key in part.keys:
                self._lanes.done(key)

    def release(self, now: float, max_bytes: int) -> Iterator[Batch]:
        """
        Take what may go at *now*, as batches of at most *max_bytes*.
        """
        released = self._lanes.due(now)
        if not released:
            return iter(())
        events = [event for _, part in released for event in part]
        part = Part([key for key, _ in released], len(events))
        return self._pack(events, part, max_bytes)

    def clear(self, max_bytes: int) -> Iterator[Batch]:
        """
        Take everything, and forget all holds.
        """
        return self._pack(self._lanes.clear(), None, max_bytes)

    def _pack(
        self, events: Sequence[Held], part: Part | None, max_bytes: int
    ) -> Iterator[Batch]:
        for group in _by_track(events):
            yield from self._pack_group(group, part, max_bytes)

    def _pack_group(
        self, events: Sequence[Held], part: Part | None, max_bytes: int
    ) -> Iterator[Batch]:
        chosen: list[Held] = []
        size = self._envelope.overhead
        for event in events:
            cost = len(event.json) + 1
            full = len(chosen) == self._max_events
            if chosen and (full or size + cost > max_bytes):
                yield self._batch_of(chosen, part)
                chosen, size = [], self._envelope.overhead
            chosen.append(event)
            size += cost
        if chosen:
            yield self._batch_of(chosen, part)

    def _batch_of(self, events: Sequence[Held], part: Part | None) -> Batch:
        batch = Batch.of(
            self._envelope.head,
            [event.json for event in events],
            self._envelope.tail,
            [event.tile for event in events],
        )
        batch.part = part
        batch.track = events[0].track
        if any(event.pin is not None for event in events):
            batch.pins = [event.pin for event in events]
        return batch
