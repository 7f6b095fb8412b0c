# SPDX-License-Identifier: MIT
"""
What the service remembers between requests: rates, quotas, insert_ids.

Bounded: an id without recent events is forgotten, and so are the oldest
insert_ids.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

DAY = 86_400.0
HOUR = 3_600.0
SWEEP_EVERY = 50_000


class Rate:
    """
    How many events of one id were taken in the recent past.
    """

    __slots__ = ("_marks", "_total")

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, now: float, count: int) -> None:
        """
        Note that *count* events were taken.
        """
        self._marks.append((now, count))
        self._total += count

    def within(self, now: float, seconds: float) -> int:
        """
        Return how many were taken in the last *seconds*; forget the rest.
        """
        marks = self._marks
        while marks and marks[0][0] <= now - seconds:
            self._total -= marks.popleft()[1]
        return self._total


class Rates:
    """
    The rates of many ids, over one window.
    """

    def __init__(self, window: float, step: float = 0.0) -> None:
        self._window = window
        self._step = step
        self._rates: dict[str, Rate] = {}
        self._sweep_at = SWEEP_EVERY

    def __len__(self) -> int:
        return len(self._rates)

    def over(
        self, counts: Mapping[str, int], limit: float, now: float
    ) -> dict[str, int]:
        """
        Return those of the ids in *counts* whose past events reach *limit*.

        The past alone is judged. Were the new events counted in, an id that
        sends more than *limit* at once could never be served, however long
        its sender waits.
        """
        found = {}
        for name in counts:
            rate = self._rates.get(name)
            if rate is not None:
                total = rate.within(now, self._window)
                if total >= limit:
                    found[name] = total
        return found

    def add(self, counts: Mapping[str, int], now: float) -> None:
        """
        Note the events that were taken.
        """
        at = now - now % self._step if self._step else now
        for name, count in counts.items():
            rate = self._rates.get(name)
            if rate is None:
                rate = self._rates[name] = Rate()
            rate.add(at, count)
        if len(self._rates) > self._sweep_at:
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        self._rates = {
            name: rate
            for name, rate in self._rates.items()
            if rate.within(now, self._window)
        }
        self._sweep_at = len(self._rates) + SWEEP_EVERY


class Seen:
    """
    The insert_ids of the recent past.

    Kept as hashes: of 5 million ids two meet with a chance of one in a
    million, and a string for each would be three times the memory.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._hashes: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, insert_id: str, owner: str | None) -> bool:
        """
        Remember *insert_id* of *owner*; say whether it was new.
        """
        key = hash((insert_id, owner))
        if key in self._hashes:
            return False
        if len(self._hashes) >= self._memory:
            del self._hashes[next(iter(self._hashes))]
        self._hashes[key] = None
        return True


class Pace(NamedTuple):
    """
    The rates of users and of devices.
    """

    users: Rates
    devices: Rates


class State:
    """
    The memory of one service.
    """

    def __init__(self, dedupe_memory: int = 5_000_000) -> None:
        self.seen = Seen(dedupe_memory)
        self.quota = Pace(Rates(DAY, HOUR), Rates(DAY, HOUR))
        self._paces: dict[tuple[str, float], Pace] = {}

    def pace(self, path: str, window: float) -> Pace:
        """
        Return the rates at the API *path*, averaged over *window* seconds.
        """
        pace = self._paces.get((path, window))
        if pace is None:
            pace = self._paces[path, window] = Pace(
                Rates(window), Rates(window)
            )
        return pace
