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
from typing import Any, Literal

import msgspec

from ringamp.collector import bodies
from ringamp.collector.bodies import Body
from ringamp.collector.fields import Event

IdField = Literal["user_id", "device_id"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """
    What goes wrong with one request. Parts may be combined.

    Without *status*, and unless the connection goes first, the request is
    dealt with as usual and only its answer suffers; with a status of 300 or
    more, nothing of it is taken. *taken* overrules both.

    Attributes:
        status: Answer this.

        body: Answer this, text or an object, instead of the right body.

        headers: Further headers of the answer, such as `Retry-After`.

        html: Answer a page, as a proxy would.

        delay: Seconds to wait before the answer.

        drip: Seconds to wait before each byte of the answer's body.

        reset:
            Reset the connection: `before` the body is read, or `after` the
            request was dealt with, so that only the answer is lost.

        half: Send half of the answer's body, then close.

        refuse:
            Reset all connections, close the listening socket, and listen
            again after so many seconds.

        indexes: A 400 that names these, in *family* and under *field*.

        family: One of the four places where a 400 names indexes.

        field: The field that a family of indexes is told by.

        users: A 429 that throttles these users.

        devices: The same for devices.

        quota_users: A 429 that says these users used up their daily quota.

        quota_devices: The same for devices.

        taken: Whether the events are taken.
    """

    status: int | None = None
    body: str | dict[str, Any] | None = None
    headers: dict[str, str] = {}
    html: bool = False
    delay: float = 0.0
    drip: float = 0.0
    reset: Literal["before", "after"] | None = None
    half: bool = False
    refuse: float | None = None
    indexes: tuple[int, ...] = ()
    family: str = bodies.FAMILIES[0]
    field: str = "event_type"
    users: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    quota_users: tuple[str, ...] = ()
    quota_devices: tuple[str, ...] = ()
    taken: bool | None = None

    def __post_init__(self) -> None:
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"status: {self.status} is not in 200..599")
        if self.family not in bodies.FAMILIES:
            raise ValueError(f"family: {self.family!r}, not {bodies.FAMILIES}")
        for name in ("delay", "drip", "refuse"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name}: {getattr(self, name)} is negative")

    @property
    def name(self) -> str:
        """
        One word for the ledger.
        """
        if self.refuse is not None:
            return "refuse"
        if self.reset is not None:
            return f"reset {self.reset}"
        for word in ("half", "drip", "html"):
            if getattr(self, word):
                return word
        if self.answers is not None:
            return str(self.answers)
        return "delay" if self.delay else "body"

    @property
    def named(self) -> dict[IdField, frozenset[str]]:
        """
        The ids a 429 names, by field.
        """
        return {
            "user_id": frozenset(self.users + self.quota_users),
            "device_id": frozenset(self.devices + self.quota_devices),
        }

    @property
    def names_ids(self) -> bool:
        """
        Whether this is for requests with certain ids only.
        """
        return any(self.named.values())

    @property
    def answers(self) -> int | None:
        """
        The status it answers with, None for that of the usual answer.
        """
        if self.status is None and self.indexes:
            return 400
        if self.status is None and self.names_ids:
            return 429
        return self.status

    @property
    def cuts(self) -> bool:
        """
        Whether the connection goes before the body is read.
        """
        return self.reset == "before" or self.refuse is not None

    @property
    def takes(self) -> bool:
        """
        Whether the request is dealt with as usual.
        """
        if self.cuts:
            return False
        if self.taken is not None:
            return self.taken
        return self.answers is None or self.answers < 300

    def concerned(self, events: Sequence[Event]) -> list[int]:
        """
        Return the indexes of the events whose ids this fault names.
        """
        named = self.named
        return [
            index
            for index, event in enumerate(events)
            if any(
                isinstance(value := event.get(field), str) and value in ids
                for field, ids in named.items()
            )
        ]

    def text(
        self, status: int, usual: Body | str, events: Sequence[Event]
    ) -> Body | str:
        """
        Return the body to answer.

        Args:
            status: What is answered.

            usual: The body of the usual answer, if there was one.

            events: What was sent.
        """
        if self.html:
            return bodies.HTML.format(status)
        if self.body is not None:
            return self.body
        if self.indexes:
            return self._naming()
        if status == 429:
            return self._throttling(events)
        if self.answers is None or status == 200:
            return usual
        if status in bodies.ERRORS:
            return bodies.refused(status)
        return f"{status}\n"

    def _naming(self) -> Body:
        if self.family == "silenced_events":
            return bodies.silenced(self.devices, self.indexes, 30)
        told = {self.field: self.indexes}
        place = bodies.FAMILIES.index(self.family)
        families = [told if place == other else {} for other in range(3)]
        return bodies.bad_events(*families)

    def _throttling(self, events: Sequence[Event]) -> Body:
        return bodies.too_many(
            30,
            self.concerned(events),
            users=dict.fromkeys(self.users, 31),
            devices=dict.fromkeys(self.devices, 31),
            quota_users=dict.fromkeys(self.quota_users, 500_001),
            quota_devices=dict.fromkeys(self.quota_devices, 500_001),
        )


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
