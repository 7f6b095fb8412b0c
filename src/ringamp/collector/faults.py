# SPDX-License-Identifier: MIT
"""
Faults on demand: a script of what goes wrong next, and chance.

    collector.faults.add(Fault(status=500), times=3)
    collector.faults.add(Fault(reset="after"))
    collector.faults.add(Fault(delay=0.5), times=None, probability=0.1)

Faults without a probability form a queue; each request plays the one in
front. Where none is queued the others are tried, in the order in which they
were added, and the first that chance picks is played.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Sequence

from ringamp.collector.fault import Fault
from ringamp.collector.fields import Event


class _Planned:
    """
    Strictly private: a fault, how often it is still to be played, and how
    likely.
    """

    def __init__(
        self, fault: Fault, times: int | None, probability: float | None
    ) -> None:
        self.fault = fault
        self.times = times
        self.probability = probability


class Faults:
    """
    The faults to come. Safe to use from any thread.

    Args:
        seed: Of the chance; the same seed plays the same faults.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - a game, no secret.
        self._queue: deque[_Planned] = deque()
        self._chances: list[_Planned] = []

    def __len__(self) -> int:
        """
        How many entries are left.
        """
        return len(self._queue) + len(self._chances)

    def add(
        self,
        fault: Fault,
        times: int | None = 1,
        probability: float | None = None,
    ) -> None:
        """
        Plan *fault*.

        Args:
            fault: What is to go wrong.

            times: For how many requests; None: until `clear`.

            probability: Of each request to meet it; None: it is queued.
        """
        if times is not None and times < 1:
            raise ValueError(f"times: {times} is not 1 or more")
        if probability is not None and not 0 <= probability <= 1:
            raise ValueError(f"probability: {probability} is not in 0..1")
        planned = _Planned(fault, times, probability)
        with self._lock:
            (self._queue if probability is None else self._chances).append(
                planned
            )

    def clear(self) -> None:
        """
        Forget all faults to come.
        """
        with self._lock:
            self._queue.clear()
            self._chances.clear()

    def take(self, events: Sequence[Event] | None = None) -> Fault | None:
        """
        Return the fault to play now, if any, and count it as played.

        A fault that names ids stands aside until a request holds one of
        them; meanwhile it does not hold up those behind it.

        Args:
            events:
                None when a request begins and its body is still to come.
                Then what it holds, to ask for the faults that name ids.
        """
        with self._lock:
            for planned in [*self._queue, *self._chances]:
                fault = planned.fault
                applies = (
                    not fault.names_ids
                    if events is None
                    else bool(fault.concerned(events))
                )
                if applies and self._happens(planned):
                    self._count(planned)
                    return fault
        return None

    @property
    def waits_for_ids(self) -> bool:
        """
        Whether a fault waits for a request with the ids it names.
        """
        with self._lock:
            return any(
                planned.fault.names_ids
                for planned in [*self._queue, *self._chances]
            )

    def _happens(self, planned: _Planned) -> bool:
        probability = planned.probability
        return probability is None or self._random.random() < probability

    def _count(self, planned: _Planned) -> None:
        if planned.times is None:
            return
        planned.times -= 1
        if not planned.times:
            if planned.probability is None:
                self._queue.remove(planned)
            else:
                self._chances.remove(planned)
