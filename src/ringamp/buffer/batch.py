# SPDX-License-Identifier: MIT
"""
A batch: events chosen to travel together, in the order they are sent.

A batch is a request body that is ready to go, the places of the events in
it, and the *tile* of each event: the run of ring positions that is its own.
Tiles have no gaps between them, so what became of every position can be told
run by run. Index lists from the service refer to the batch as sent, so a
batch never changes; `select` makes another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final, NamedTuple, overload

import msgspec
import orjson

from ringamp.buffer.array import read_array
from ringamp.buffer.room import Room
from ringamp.buffer.window import Share
from ringamp.events.ids import Ids

NOBODY: Final = Ids(None, None)


class Tile(NamedTuple):
    """
    The ring positions [start, end) that belong to one event.
    """

    start: int
    end: int


class Places(Sequence[Tile]):
    """
    The tiles of events that lie scattered in a window. The window knows what
    is between them, so each is no more than its event's position.

    Args:
        positions: Of the events.
    """

    __slots__ = ("_positions",)

    def __init__(self, positions: Sequence[int]) -> None:
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, index: int) -> Tile: ...

    @overload
    def __getitem__(self, index: slice) -> list[Tile]: ...

    def __getitem__(self, index: int | slice) -> Tile | list[Tile]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        position = self._positions[index]
        return Tile(position, position + 1)


class Pin:
    """
    Keeps the room of some events, in a ring or in a file, until each of them
    has its end or is kept elsewhere.

    Args:
        left: How many events.

        free: Called when none is left.

        in_ring: Whether it is room in a ring, which somebody waits for.
    """

    __slots__ = ("_free", "in_ring", "left")

    def __init__(
        self, left: int, free: Callable[[], None], *, in_ring: bool = False
    ) -> None:
        self.left = left
        self.in_ring = in_ring
        self._free = free

    def loosen(self, count: int) -> None:
        """
        Let go of *count* events.
        """
        self.left -= count
        if self.left == 0:
            self._free()


class LazyEvents(Sequence[dict[str, Any]]):
    """
    The events of a request body, each decoded when it is looked at.

    Every look decodes anew, so what a caller does to an event changes
    neither the body nor what the next caller sees.

    Args:
        body: The whole request body.

        offsets: Event i is `body[offsets[i] : offsets[i + 1] - 1]`.
    """

    __slots__ = ("_body", "_offsets")

    def __init__(
        self, body: bytes | memoryview, offsets: Sequence[int]
    ) -> None:
        self._body = memoryview(body)
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(
        self, index: int | slice
    ) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"event {index} of {count}")
        at = index % count
        start, end = self._offsets[at], self._offsets[at + 1] - 1
        # Without a GIL orjson reads nothing but bytes.
        event: dict[str, Any] = orjson.loads(self._body[start:end].tobytes())
        return event

    def __repr__(self) -> str:
        return f"<{len(self)} events>"


def _whom(events: LazyEvents, index: int) -> Ids:
    """
    Whom an event is about: nobody, where it is none. Who may write to a spool
    can put anything there.
    """
    try:
        event = events[index]
    except ValueError:
        return NOBODY
    if not isinstance(event, dict):
        return NOBODY
    return Ids(_text(event.get("user_id")), _text(event.get("device_id")))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _events(joined: bytes) -> Sequence[bytes]:
    """
    Read events with commas between them; none where they are not that.
    """
    try:
        return read_array(b"[%b]" % joined)
    except (ValueError, RecursionError):
        return []


def _join(tiles: Sequence[Tile]) -> list[tuple[int, int]]:
    """
    Join neighbours.
    """
    runs: list[tuple[int, int]] = []
    for start, end in tiles:
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


class Batch(msgspec.Struct, eq=False):
    """
    Events that travel together.

    Attributes:
        body: The whole request body.

        count: How many events.

        offsets:
            Event i is `body[offsets[i] : offsets[i + 1] - 1]`; the byte
            after it is the comma, or the first of the body's tail.

        attempt: The number of the next try, from 1; as the policy counts.

        tries: How often it was sent.

        part: Which part of a lane it is, for whoever keeps lanes.

        end: Where the ring may be released up to once all of the batch has
            left it; None for a batch that is not in the ring.

        pins: What keeps its events in a ring or file until their ends: one
            pin for all, or one an event; None where nothing does.

        track: Which of several uploads its ids are always on; None for a
            batch of any ids, which travels alone.

        share: What it is of a window, where it is all of a share.

        room: What its bytes lie in, where that can be used again.
    """

    body: bytes | memoryview
    offsets: Sequence[int]
    _tiles: Sequence[Tile] | tuple[int, Sequence[int], int]
    end: int | None = None
    room: Room | None = None
    attempt: int = 1
    tries: int = 0
    part: Any = None
    pins: Pin | Sequence[Pin | None] | None = None
    track: int | None = None
    share: Share | None = None
    count: int = 0

    def __post_init__(self) -> None:
        self.count = len(self.offsets) - 1

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        return (
            f"<Batch of {len(self)} events, about {self.offsets[-1]} bytes, "
            f"attempt {self.attempt}>"
        )

    @property
    def tiles(self) -> Sequence[Tile]:
        """
        The tile of each event, in sent order.
        """
        if isinstance(self._tiles, tuple):
            start, positions, end = self._tiles
            edges = [start, *positions[1:], end]
            self._tiles = [Tile(*pair) for pair in pairwise(edges)]
        return self._tiles

    def runs(self, indexes: Sequence[int]) -> Sequence[tuple[int, int]]:
        """
        The tiles of *indexes*, neighbours joined.
        """
        tiles = self._tiles
        if isinstance(tiles, tuple) and len(indexes) == self.count:
            return ((tiles[0], tiles[2]),)
        return _join([self.tiles[index] for index in indexes])

    def event_bytes(self, index: int) -> bytes:
        """
        The JSON of one event.
        """
        return bytes(
            self.body[self.offsets[index] : self.offsets[index + 1] - 1],
        )

    def events(self) -> LazyEvents:
        """
        The events, each decoded when it is looked at.
        """
        return LazyEvents(self.body, self.offsets)

    def own_offsets(self) -> Sequence[int]:
        """
        The offsets, for somebody who may look at them when the batch's room
        is another's.
        """
        offsets = self.offsets
        if isinstance(offsets, memoryview):
            return memoryview(offsets.tobytes()).cast("I")
        return offsets

    def joined(self) -> memoryview:
        """
        All its events, with commas between them.
        """
        start, end = self.offsets[0], self.offsets[-1] - 1
        return memoryview(self.body)[start:end]

    def pin_of(self, index: int) -> Pin | None:
        """
        What keeps the room of one event.
        """
        pins = self.pins
        if pins is None or isinstance(pins, Pin):
            return pins
        return pins[index]

    def loosen(self, indexes: Sequence[int]) -> None:
        """
        Let go of what keeps the room of these events.
        """
        pins = self.pins
        if isinstance(pins, Pin):
            pins.loosen(len(indexes))
            return
        for index in indexes:
            pin = self.pin_of(index)
            if pin is not None:
                pin.loosen(1)

    def ids(self) -> list[Ids]:
        """
        Whom each event is about; decodes all of them.
        """
        events = self.events()
        return [_whom(events, index) for index in range(len(events))]

    def unsound(self) -> list[int]:
        """
        Which of them are no events in JSON, or more than one.
        """
        lengths = [end - start - 1 for start, end in pairwise(self.offsets)]
        if [len(one) for one in _events(bytes(self.joined()))] == lengths:
            return []
        return [
            index
            for index in range(len(self))
            if len(_events(self.event_bytes(index))) != 1
        ]

    def select(self, indexes: Iterable[int]) -> Batch:
        """
        Make a batch of some of the events, with bytes of its own.
        """
        chosen = list(indexes)
        batch = Batch.of(
            bytes(self.body[: self.offsets[0]]),
            [self.event_bytes(index) for index in chosen],
            bytes(self.body[self.offsets[-1] - 1 :]),
            [self.tiles[index] for index in chosen],
        )
        batch.attempt = self.attempt
        batch.tries = self.tries
        batch.part = self.part
        batch.track = self.track
        pins = self.pins
        batch.pins = (
            pins
            if pins is None or isinstance(pins, Pin)
            else [self.pin_of(index) for index in chosen]
        )
        return batch

    @classmethod
    def of(
        cls,
        head: bytes,
        events: Sequence[bytes],
        tail: bytes,
        tiles: Sequence[Tile] | tuple[int, Sequence[int], int],
    ) -> Batch:
        """
        Make a batch of encoded *events* between a body's *head* and *tail*.
        """
        # An event and its comma: no Python code runs for each.
        steps = map((1).__add__, map(len, events))
        offsets = [*accumulate(steps, initial=len(head))]
        return cls(head + b",".join(events) + tail, offsets, tiles)
