# SPDX-License-Identifier: MIT
"""
Bounded memory of what arrived, to be asked from any thread.

An event is *taken* when the service ingests it; sent again, it is a
*duplicate* if its insert_id tells so, and not taken a second time.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec

from ringamp.collector.fields import Event
from ringamp.collector.losses import Loss

KEEP_LOSSES = 1000
"""How many different losses are kept: one for each id could be many."""


class Note(msgspec.Struct, frozen=True):
    """
    One request, as remembered.

    Attributes:
        path: Where to.

        status: What was answered; None if the answer never left.

        size: Bytes of the body as sent.

        taken: How many of its events were new and taken.

        duplicates: How many were dropped for their insert_id.

        rejected: How many were not taken.

        fault: The fault that was played, None if none was.

        time: Seconds since the epoch.

        unapplied: How many were taken, and their user properties left.
    """

    path: str
    status: int | None
    size: int
    taken: int = 0
    duplicates: int = 0
    rejected: int = 0
    fault: str | None = None
    time: float = 0.0
    unapplied: int = 0


class Summary(msgspec.Struct, frozen=True):
    """
    The counts since the start or the last reset.

    Attributes:
        requests: How many arrived, answered or not.

        bytes: Of their bodies, as sent.

        accepted: Events taken.

        duplicates: Events dropped for their insert_id.

        rejected: Events sent and refused, again and again if sent so.

        statuses: Answers by HTTP status.

        faults: Faults played, by name.

        cpu_seconds: Processor time of the whole process.

        unapplied: Events taken whose user properties are not applied.
    """

    requests: int
    bytes: int
    accepted: int
    duplicates: int
    rejected: int
    statuses: dict[str, int]
    faults: dict[str, int]
    cpu_seconds: float
    unapplied: int = 0


class Check(msgspec.Struct, frozen=True):
    """
    Which of the insert_ids asked about were not taken exactly once.

    Attributes:
        missing: Never taken.

        doubled: Taken more than once.
    """

    missing: list[str]
    doubled: list[str]

    def __bool__(self) -> bool:
        """
        Say whether each was taken exactly once.
        """
        return not self.missing and not self.doubled


class Ledger:
    """
    What the collector took and refused.

    Args:
        keep_events: How many of the newest events to keep whole.

        keep_insert_ids:
            How many insert_ids to keep, in order, for `check`, `insert_ids`
            and `order`; 0 for none. Later ones are not kept.

        keep_requests: How many of the newest requests to keep.
    """

    def __init__(
        self,
        keep_events: int = 10_000,
        keep_insert_ids: int = 5_000_000,
        keep_requests: int = 10_000,
    ) -> None:
        self._keep = (keep_events, keep_insert_ids, keep_requests)
        self._changed = threading.Condition()
        self._clear()

    def _clear(self) -> None:
        keep_events, self._insert_id_room, keep_requests = self._keep
        self._events: deque[Event] = deque(maxlen=keep_events)
        self._notes: deque[Note] = deque(maxlen=keep_requests)
        self._insert_ids: dict[str, int] = {}
        self._orders: dict[tuple[str, str], list[str]] = {}
        self._statuses: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._requests = self._bytes = 0
        self._accepted = self._duplicates = self._rejected = 0
        self._unapplied = 0
        self._losses: dict[tuple[str, str], int] = {}

    def __repr__(self) -> str:
        return f"Ledger(requests={self._requests}, accepted={self._accepted})"

    def reset(self) -> None:
        """
        Forget everything.
        """
        with self._changed:
            self._clear()
            self._changed.notify_all()

    def record(
        self,
        note: Note,
        taken: Sequence[Event] = (),
        losses: Sequence[Loss] = (),
    ) -> None:
        """
        Remember a request, the events taken from it, and what got lost.
        """
        with self._changed:
            self._requests += 1
            self._bytes += note.size
            self._accepted += note.taken
            self._duplicates += note.duplicates
            self._rejected += note.rejected
            self._unapplied += note.unapplied
            if note.status is not None:
                self._statuses[str(note.status)] += 1
            if note.fault is not None:
                self._faults[note.fault] += 1
            self._notes.append(note)
            self._events.extend(taken)
            if self._insert_id_room:
                self._keep_insert_ids(taken)
            for loss in losses:
                self._lose(loss)
            self._changed.notify_all()

    def count(self, size: int, events: int) -> None:
        """
        Count a request that was answered 200 unread.
        """
        with self._changed:
            self._requests += 1
            self._bytes += size
            self._accepted += events
            self._statuses["200"] += 1
            self._changed.notify_all()

    def lose(self, loss: Loss) -> None:
        """
        Remember something that got lost.
        """
        with self._changed:
            self._lose(loss)

    def _lose(self, loss: Loss) -> None:
        key = (loss.kind, loss.subject)
        # Those that are known go on being counted.
        if key in self._losses or len(self._losses) < KEEP_LOSSES:
            self._losses[key] = self._losses.get(key, 0) + loss.count

    def losses(self) -> list[Loss]:
        """
        Return what the service drops silently, in the order of arrival.
        """
        with self._changed:
            return [
                Loss(kind, subject, count)
                for (kind, subject), count in self._losses.items()
            ]

    def _keep_insert_ids(self, taken: Sequence[Event]) -> None:
        taken = list(islice(taken, self._insert_id_room))
        self._insert_id_room -= len(taken)
        counts = self._insert_ids
        orders = self._orders
        for event in taken:
            insert_id = event.get("insert_id")
            if insert_id is None:
                continue
            counts[insert_id] = counts.get(insert_id, 0) + 1
            for field in ("user_id", "device_id"):
                name = event.get(field)
                if name is not None:
                    orders.setdefault((field, name), []).append(insert_id)

    def summary(self) -> Summary:
        """
        Return the counts.
        """
        with self._changed:
            return Summary(
                requests=self._requests,
                bytes=self._bytes,
                accepted=self._accepted,
                duplicates=self._duplicates,
                rejected=self._rejected,
                statuses=dict(self._statuses),
                faults=dict(self._faults),
                cpu_seconds=time.process_time(),
                unapplied=self._unapplied,
            )

    def requests(self) -> list[Note]:
        """
        Return the newest requests, oldest first.
        """
        with self._changed:
            return list(self._notes)

    def events(
        self, user_id: str | None = None, device_id: str | None = None
    ) -> list[dict[str, Any]]:
        """
        Return the newest events, in the order of their arrival.

        Args:
            user_id: Only those of this user.

            device_id: Only those of this device.
        """
        with self._changed:
            events = list(self._events)
        return [
            event
            for event in events
            if (user_id is None or event.get("user_id") == user_id)
            and (device_id is None or event.get("device_id") == device_id)
        ]

    def insert_ids(self) -> list[str]:
        """
        Return the insert_ids taken, in the order of their first arrival.
        """
        with self._changed:
            return list(self._insert_ids)

    def order(
        self, user_id: str | None = None, device_id: str | None = None
    ) -> list[str]:
        """
        Return the insert_ids of one user or one device, as they arrived.
        """
        key = (
            ("user_id", user_id)
            if user_id is not None
            else ("device_id", device_id or "")
        )
        with self._changed:
            return list(self._orders.get(key, ()))

    def check(self, insert_ids: Iterable[str]) -> Check:
        """
        Ask whether each of *insert_ids* was taken exactly once.

        Returns:
            What is missing and what is doubled; true if nothing is.
        """
        with self._changed:
            counts = self._insert_ids
            asked = list(insert_ids)
            return Check(
                [name for name in asked if name not in counts],
                [name for name in asked if counts.get(name, 0) > 1],
            )

    def wait_for(
        self,
        events: int = 0,
        requests: int = 0,
        timeout: float = 10.0,
    ) -> bool:
        """
        Wait until so many were taken; say whether that came true.

        Args:
            events: At least so many events taken.

            requests: At least so many requests seen.

            timeout: Seconds to wait at most.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: (
                    self._accepted >= events and self._requests >= requests
                ),
                timeout,
            )
