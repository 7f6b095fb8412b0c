# SPDX-License-Identifier: MIT
"""
How long to wait before a retry. The only place of randomness here.

    delay = max(entry, floor) + random() * entry / 2

*entry* is the table's entry for the retry (the last one once the table is
used up) and *floor* is what the service asked for (*Retry-After*). So a
delay is never shorter than its entry: an outage that is shorter than the sum
of the table ends before the last retry. And processes that failed together
come back spread, also where the service named one moment to all of them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence


class Backoff:
    """
    A table of delays, jittered.

    Args:
        delays: Seconds, one entry a retry.

        rng:
            Source of jitter. The default asks the system each time, so that
            forked children, which share a generator's state, differ.
    """

    def __init__(
        self, delays: Sequence[float], rng: random.Random | None = None
    ) -> None:
        self._delays = tuple(delays)
        self._rng = random.SystemRandom() if rng is None else rng

    def __len__(self) -> int:
        return len(self._delays)

    def delay(self, retry: int, floor: float | None = None) -> float:
        """
        Draw the seconds to wait before *retry*, the first of which is 1.
        """
        entry = self._delays[min(retry, len(self._delays)) - 1]
        return max(entry, floor or 0.0) + self._rng.random() * entry / 2
