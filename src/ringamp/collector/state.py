# SPDX-License-Identifier: MIT
"""
What the service remembers between requests: rates, quotas, insert_ids.

All of it is kept per project, which an API key stands for. Bounded: an id
without recent events is forgotten, and so are the oldest insert_ids.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

DAY = 86_400.0
HOUR = 3_600.0
MINUTE = 60.0
SWEEP_EVERY = 50_000

Key = tuple[str, str]
"""An id, behind the API key of its project."""


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
        marks = self._marks
        if marks and marks[-1][0] == now:
            marks[-1] = (now, marks[-1][1] + count)
        else:
            marks.append((now, count))
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
        self._rates: dict[Key, Rate] = {}
        self._sweep_at = SWEEP_EVERY

    def __len__(self) -> int:
        return len(self._rates)

    def over(
        self, ids: Iterable[Key], limit: float, now: float
    ) -> dict[Key, int]:
        """
        Return those of *ids* whose past events reach *limit*.

        The past alone is judged. Were the new events counted in, an id that
        sends more than *limit* at once could never be served, however long
        its sender waits.
        """
        found = {}
        for name in ids:
            rate = self._rates.get(name)
            if rate is not None:
                total = rate.within(now, self._window)
                if total >= limit:
                    found[name] = total
        return found

    def add(self, counts: Mapping[Key, int], now: float) -> None:
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
    The insert_ids of the recent past, and when each was first taken.

    Kept as hashes: of 5 million ids two meet with a chance of one in a
    million, and a string for each would be three times the memory. All that
    came in one request share one time.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._hashes: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._hashes)

    def add(
        self, name: tuple[str | None, ...], now: float, oldest: float
    ) -> bool:
        """
        Remember *name*; say whether it was new.

        Args:
            name: The insert_id and all that it is unique within.

            now: When it came.

            oldest: What was taken then or before is forgotten.
        """
        key = hash(name)
        taken = self._hashes.get(key)
        if taken is not None and taken > oldest:
            return False
        # Behind all others, since the front is the first to go.
        self._hashes.pop(key, None)
        if len(self._hashes) >= self._memory:
            del self._hashes[next(iter(self._hashes))]
        self._hashes[key] = now
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

    Attributes:
        seen: The insert_ids.

        quota: The events of a day, of ids that sent too fast.

        floods: The ids that reached the events a second of an API.

        updates: The events of an hour that update a user's properties.
    """

    def __init__(self, dedupe_memory: int = 5_000_000) -> None:
        self.seen = Seen(dedupe_memory)
        self.quota = Pace(Rates(DAY, HOUR), Rates(DAY, HOUR))
        self.floods = Pace(Rates(DAY, HOUR), Rates(DAY, HOUR))
        self.updates = Rates(HOUR, MINUTE)
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
