# SPDX-License-Identifier: MIT
"""
The line: batches that go before anything new, and when each may go.

With one upload they go one after the other. With several, a batch belongs to
the *track* its ids are always on: those of a track go one after the other,
and different tracks do not wait for each other. A batch of any ids has no
track: it waits for all before it, and all behind it wait for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sized
from math import inf
from typing import Protocol

from ringamp.buffer.batch import Batch


class Busy(Container[int | None], Sized, Protocol):
    """
    The tracks that have a request under way; None where one of any ids is.
    """


class Line(deque[tuple[float, Batch]]):
    """
    Batches in order, each with the monotonic time when it may go.
    """

    def take(self, now: float, busy: Busy) -> Batch | None:
        """
        Take the first batch that may go at *now*, where the tracks *busy*
        must be waited for.
        """
        passed: set[int] = set()
        for at, (due, batch) in enumerate(self):
            track = batch.track
            if track is None:
                if at > 0 or len(busy) > 0 or due > now:
                    return None
            elif due > now or track in passed or self._waits(track, busy):
                passed.add(track)
                continue
            del self[at]
            return batch
        return None

    def due(self, busy: Busy) -> float | None:
        """
        When a batch may go next: never before some answer has come, where
        that is infinite. None where nothing is in line.
        """
        if not self:
            return None
        soonest = inf
        passed: set[int] = set()
        for at, (due, batch) in enumerate(self):
            track = batch.track
            if track is None:
                if at == 0 and len(busy) == 0:
                    soonest = due
                break
            if track not in passed and not self._waits(track, busy):
                soonest = min(soonest, due)
            passed.add(track)
        return soonest

    @staticmethod
    def _waits(track: int, busy: Busy) -> bool:
        return track in busy or None in busy
