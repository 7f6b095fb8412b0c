# SPDX-License-Identifier: MIT
"""
Lanes: which ids are held until when, and the events that wait for them.

What it is
    A data structure. It sends nothing, knows no clock and no policy, and
    never looks into what it keeps; whoever sends asks it just before:

        hold(...)             the service throttled these ids
        is_held(ids)          must this event wait? by what key
        has_older(ids, order) must one that left its lane go back?
        add(ids, order, ...)  let it wait
        due(now)              what may go, each lane's part with its key
        done(key)             all of that part has an outcome, or is back

The picture
    A lane is the line of one held id, a user's or a device's. An event with
    a held user and a held device waits for both, in order with both, and
    can stand in one line only: so the two lanes become one, which is held
    until the later of the two times and is sorted by the events' own order.
    Every id of a joined lane leads to it, and any of its ids is its key.
    Joining can let one id wait for another's sake, never longer than until
    the line that links them is empty.

The order
    *order* is any number that grows with every event logged, such as its
    position in the ring. An event that comes back (its part was throttled
    again) is older than all that waits, and takes its place in front.

The invariants
    The events of a held id leave in order. While a part of a lane is out,
    nothing else of the lane leaves, and its ids stay held, so that later
    events line up behind. A part may travel in several requests: where one
    of them is throttled again, those after it come back as well. A lane ends
    when it is empty, nothing of it is out and its time has passed.

How much at a time
    A lane of thousands released at once would draw the next 429 at once,
    for ever. It releases as many events as its id may have in 30 s, over
    which the service averages; half of that after a part was throttled
    again (at least one event), twice as many after a part that was not.

When there is no room
    *add* answers False beyond *max_bytes*, and the caller drops the event.
    The bytes of a part that is out stay reserved until no part of its lane
    is: what comes back always has its room, so the oldest are not the ones
    that are lost.
"""

from __future__ import annotations

import heapq
from bisect import insort
from itertools import count
from typing import Generic, TypeVar

from ringamp.retry.decision import Ids

Item = TypeVar("Item")

Key = tuple[str, str]
"""Names a lane: "user", "device" or "event", and the id."""

WINDOW = 30
"""Seconds over which the service averages an id's rate (HTTP V2 API, 429)."""

DEFAULT_EPS = 10
"""Events a second of one id where the service names no threshold: below
all documented ones, since what was refused once is not worth a gamble."""


class _Waiting(Generic[Item]):
    """
    One event in line.
    """

    __slots__ = ("item", "order", "size")

    def __init__(self, order: int, size: int, item: Item) -> None:
        self.order = order
        self.size = size
        self.item = item


class _Lane(Generic[Item]):
    """
    The line of one or more ids.
    """

    __slots__ = (
        "allowance",
        "has_timer",
        "keys",
        "out",
        "out_bytes",
        "out_order",
        "until",
        "waiting",
        "was_throttled",
    )

    def __init__(self, key: Key, until: float, allowance: int) -> None:
        self.keys = [key]
        self.until = until
        self.allowance = allowance
        self.waiting: list[_Waiting[Item]] = []
        self.out = 0  # Parts that left and are not done.
        self.out_bytes = 0
        self.out_order = -1  # The newest event of those parts.
        self.was_throttled = False  # While one was out.
        self.has_timer = False

    def absorb(self, other: _Lane[Item]) -> None:
        """
        Take over the ids and the line of *other*.
        """
        self.keys += other.keys
        self.until = max(self.until, other.until)
        self.allowance = min(self.allowance, other.allowance)
        self.waiting = list(
            heapq.merge(self.waiting, other.waiting, key=_order)
        )
        self.out += other.out
        self.out_bytes += other.out_bytes
        self.out_order = max(self.out_order, other.out_order)
        self.was_throttled |= other.was_throttled
        other.keys = []


def _order(waiting: _Waiting[Item]) -> int:
    return waiting.order


class Lanes(Generic[Item]):
    """
    All lanes of one instance.

    Args:
        max_bytes: How much may wait, in the sizes that *add* is given.

    Attributes:
        count: Events that wait.

        bytes: Their sizes, and those of parts that are out.

        held: The lane of each id that is held; empty where nothing waits.
    """

    def __init__(self, max_bytes: int) -> None:
        self.count = 0
        self.bytes = 0
        self._max_bytes = max_bytes
        self.held: dict[Key, _Lane[Item]] = {}
        self._timers: list[tuple[float, int, _Lane[Item]]] = []
        self._tie = count()

    def __repr__(self) -> str:
        return (
            f"<Lanes: {len(self.held)} ids held,"
            f" {self.count} events, {self.bytes} bytes>"
        )

    def hold(
        self,
        users: frozenset[str],
        devices: frozenset[str],
        until: float,
        eps_threshold: int | None = None,
    ) -> None:
        """
        Let the events of these ids wait until *until*.

        An id whose part is out was throttled again: its lane releases half
        as many from now on.
        """
        allowance = (eps_threshold or DEFAULT_EPS) * WINDOW
        keys = [("user", name) for name in users]
        keys += [("device", name) for name in devices]
        for key in keys:
            lane = self.held.get(key)
            if lane is None:
                self._open(key, until, allowance)
                continue
            lane.until = max(lane.until, until)
            if lane.out and not lane.was_throttled:
                lane.allowance = max(1, lane.allowance // 2)
                lane.was_throttled = True

    def is_held(self, ids: Ids) -> Key | None:
        """
        Must an event of *ids* wait? The key of its lane, or None.
        """
        if not self.held:
            return None
        for key in _keys(ids):
            if key in self.held:
                return key
        return None

    def has_older(self, ids: Ids, order: int) -> bool:
        """
        Does an event older than *order* wait in a lane of *ids*? Then an
        event that left that lane must go back, not ahead.
        """
        lanes = (self.held.get(key) for key in _keys(ids))
        return any(
            lane is not None
            and bool(lane.waiting)
            and lane.waiting[0].order < order
            for lane in lanes
        )

    def add(self, ids: Ids, order: int, item: Item, size: int) -> bool:
        """
        Let *item* wait in the lane of *ids*.

        Where none of *ids* is held, it waits in a lane of its own that is
        due at once.

        Args:
            ids: Whom the event is about.

            order: Grows with every event logged.

            item: What *due* gives back.

            size: What it counts against *max_bytes*.

        Returns:
            False if there is no room; the item was not taken.
        """
        lane = self._lane_of(ids, order)
        comes_back = bool(lane.out) and order <= lane.out_order
        if comes_back:
            reserved = min(size, lane.out_bytes)
            lane.out_bytes -= reserved
            self.bytes -= reserved
        elif self.bytes + size > self._max_bytes:
            return False
        insort(lane.waiting, _Waiting(order, size, item), key=_order)
        self.bytes += size
        self.count += 1
        return True

    def due(self, now: float) -> list[tuple[Key, list[Item]]]:
        """
        Release what may go now, from each lane at most its allowance.

        Every key given must be given back to `done` once.
        """
        released = []
        for lane in self._ring(now):
            part = lane.waiting[: lane.allowance]
            if not part:
                self._close(lane)
                continue
            del lane.waiting[: len(part)]
            lane.out += 1
            lane.out_bytes += sum(waiting.size for waiting in part)
            lane.out_order = max(lane.out_order, part[-1].order)
            self.count -= len(part)
            released.append((lane.keys[0], [one.item for one in part]))
        return released

    def done(self, key: Key) -> None:
        """
        Say that the part released under *key* has its outcome, or is back.
        """
        lane = self.held.get(key)
        if lane is None or not lane.out:  # Forgotten by *clear*.
            return
        lane.out -= 1
        if lane.out:
            return
        if not lane.was_throttled:
            lane.allowance *= 2
        lane.was_throttled = False
        self.bytes -= lane.out_bytes
        lane.out_bytes = 0
        lane.out_order = -1
        self._set_timer(lane)

    def next_due(self) -> float | None:
        """
        Tell when to ask `due` again, or None: not before *done* or *hold*.
        """
        while self._timers:
            time, _, lane = self._timers[0]
            if not self._is_timely(time, lane):
                continue
            return time
        return None

    def clear(self) -> list[Item]:
        """
        Take everything that waits, in order, and forget all holds.
        """
        lanes = {id(lane): lane for lane in self.held.values()}.values()
        waiting = sorted(
            (one for lane in lanes for one in lane.waiting), key=_order
        )
        self.held.clear()
        self._timers.clear()
        self.count = 0
        self.bytes = 0
        return [one.item for one in waiting]

    def _open(self, key: Key, until: float, allowance: int) -> _Lane[Item]:
        lane: _Lane[Item] = _Lane(key, until, allowance)
        self.held[key] = lane
        self._set_timer(lane)
        return lane

    def _close(self, lane: _Lane[Item]) -> None:
        for key in lane.keys:
            del self.held[key]

    def _lane_of(self, ids: Ids, order: int) -> _Lane[Item]:
        """
        Find the lane of *ids*, joining those of its user and its device.
        """
        found = [self.held[key] for key in _keys(ids) if key in self.held]
        if not found:
            key = next(iter(_keys(ids)), ("event", str(order)))
            return self._open(key, float("-inf"), DEFAULT_EPS * WINDOW)
        first = found[0]
        for other in found[1:]:
            if other is not first:
                for key in other.keys:
                    self.held[key] = first
                first.absorb(other)
                self._set_timer(first)
        return first

    def _set_timer(self, lane: _Lane[Item]) -> None:
        """
        Give *lane* its one timer, unless a part of it is out.
        """
        if not lane.has_timer and not lane.out:
            lane.has_timer = True
            entry = (lane.until, next(self._tie), lane)
            heapq.heappush(self._timers, entry)

    def _is_timely(self, time: float, lane: _Lane[Item]) -> bool:
        """
        Is the first timer right? If not, it is taken away or set anew.
        """
        if lane.keys and not lane.out and lane.until <= time:
            return True
        heapq.heappop(self._timers)
        lane.has_timer = False
        if lane.keys:
            self._set_timer(lane)
        return False

    def _ring(self, now: float) -> list[_Lane[Item]]:
        """
        Take the lanes whose time has come.
        """
        lanes = []
        while (time := self.next_due()) is not None and time <= now:
            _, _, lane = heapq.heappop(self._timers)
            lane.has_timer = False
            lanes.append(lane)
        return lanes


def _keys(ids: Ids) -> list[Key]:
    """
    List the keys an event of *ids* may be held by.
    """
    kinds = (("user", ids.user_id), ("device", ids.device_id))
    return [(kind, name) for kind, name in kinds if name is not None]
