# SPDX-License-Identifier: MIT
"""
What others have left in the spool: rings of dead processes, and the backlog.

Each source has a delivery of its own, so that one whose service answers are
slow, throttled or bad keeps nothing else; but all know of one outage, and
while it lasts nothing is sent from here.

Looking is cheap and rare: the directory is read every SCAN seconds, and a
ring whose process lives costs one try of a lock. One dead ring is sent at a
time, since it needs memory of its size.
"""

from __future__ import annotations

import logging

from ringamp.buffer.adoption import AdoptedOutlet, OrphanOutlet, adopt
from ringamp.buffer.backlog_outlet import BacklogOutlet
from ringamp.buffer.spool import Spool
from ringamp.clock import Clock
from ringamp.counters import Counters
from ringamp.errors import NativeError, SpoolError
from ringamp.flusher.delivery import Delivery
from ringamp.flusher.exchange import Exchange
from ringamp.flusher.keeping import InBacklog, InSpool, Keeper
from ringamp.flusher.outage import Outage
from ringamp.flusher.source import RingSource, Source
from ringamp.flusher.verdicts import Ends
from ringamp.logs import log
from ringamp.options import Options
from ringamp.status import Response, Status
from ringamp.transport.payload import LIBRARY, Envelope

SCAN = 3.0
"""Seconds between two looks for what others left."""

DEDUPE_MS = 7 * 24 * 3600 * 1000
"""For how long the service remembers insert_ids (HTTP V2 API, "insert_id")."""

CLOSED = Response(Status.QUEUED, error="put back at shutdown")

SHORTEST_REST = 1.0
LONGEST_REST = 30.0
"""Seconds for which the backlog rests after a failure, growing."""


class NoReceipts:
    """
    Where ends are told of events that nobody in this process waits for.
    """

    def settle(self, start: int, end: int, response: Response) -> None:
        """
        Nobody asks.
        """


class Makers:
    """
    What all sources share, and how a delivery for another one is made.

    Args:
        exchange: Sends a batch and asks the policy.

        envelope: Head and tail of every body.

        options: Of the instance.

        counters: Where requests and what is found are counted.

        spool: Where things are.

        clock: The time.

    Attributes:
        outage: What is known about the service.

        salvaged: Counts what is found.
    """

    def __init__(
        self,
        *,
        exchange: Exchange,
        envelope: Envelope,
        options: Options,
        counters: Counters,
        spool: Spool,
        clock: Clock,
    ) -> None:
        self._exchange = exchange
        self._envelope = envelope
        self._options = options
        self._counters = counters
        self.spool = spool
        self.clock = clock
        self.outage = Outage()
        self.salvaged = counters.salvaged

    def delivery(
        self,
        source: Source,
        ring: RingSource | None,
        keeper: Keeper,
        min_id_length: int,
        ends: Ends | None = None,
    ) -> Delivery:
        """
        Make a delivery of events that others have logged.
        """
        return Delivery(
            source=source,
            ring=ring,
            exchange=self._exchange,
            envelope=self._envelope.for_ids(min_id_length),
            options=self._options,
            outcomes=NoReceipts(),
            counters=self._counters,
            ends=ends or self.salvaged,
            clock=self.clock,
            keeper=keeper,
        )

    def adopt(self, ring_id: str, *, live: bool) -> AdoptedOutlet | None:
        """
        Take over a ring; None where it is somebody's, or cannot be had now.
        """
        try:
            outlet = adopt(self.spool, ring_id, LIBRARY.encode(), live=live)
        except SpoolError as error:
            self.salvaged.quarantined += 1
            log(
                logging.ERROR,
                "quarantine",
                "a file of the spool was put aside: %s",
                error,
            )
            return None
        except (OSError, NativeError) as error:
            log(
                logging.ERROR,
                "adoption",
                "a ring of the spool cannot be read now: %s",
                error,
            )
            return None
        if isinstance(outlet, OrphanOutlet):
            self.note_orphan(outlet)
        return outlet

    def note_orphan(self, outlet: OrphanOutlet) -> None:
        """
        Count what a dead ring held.
        """
        found = outlet.findings
        counts = self.salvaged
        counts.adopted += 1
        counts.recovered += found.ready
        counts.torn += found.torn
        counts.holes += found.holes
        counts.bad_crc += found.bad_crc
        if found.ready:
            self.note_age(found.oldest_ms)
            log(
                logging.WARNING,
                "adopted",
                "a process died and left %d events, which are sent now",
                found.ready,
            )

    def note_age(self, logged_ms: int) -> None:
        """
        Warn where the service may have forgotten what it took already.
        """
        if 0 < logged_ms < self.clock.wall() * 1000 - DEDUPE_MS:
            log(
                logging.WARNING,
                "old events",
                "events that were logged more than 7 days ago are sent; the "
                "service no longer knows whether it has taken them before",
            )

    def keeper(self, ring_id: str, min_id_length: int) -> InSpool:
        """
        Make the keeper of a ring file.
        """
        return InSpool(
            self.spool,
            ring_id,
            min_id_length,
            clock=self.clock,
            outage=self.outage,
            note_lost=self.note_lost,
        )

    def note_lost(self, count: int) -> None:
        """
        Count what the backlog had no room for.
        """
        self.salvaged.dropped += count


class BacklogDelivery:
    """
    Sends the backlog.

    Args:
        makers: Make what is needed.
    """

    def __init__(self, makers: Makers) -> None:
        self._makers = makers
        self._outlet = BacklogOutlet(makers.spool.backlog)
        self._keeper = InBacklog(
            self._outlet, makers.spool, makers.clock, makers.outage
        )
        self._deliveries: dict[int, Delivery] = {}
        self._due = 0.0
        self._rest = SHORTEST_REST

    def next_due(self) -> float:
        """
        When to look for something to send.
        """
        waiting = [
            due
            for delivery in self._deliveries.values()
            if (due := delivery.next_due()) is not None
        ]
        return min(waiting, default=self._due)

    def hurry(self) -> None:
        """
        Look at once.
        """
        self._due = 0.0

    def turn(self, now: float, timeout: float) -> bool:
        """
        Send one batch, if there is one to send.
        """
        if now < self.next_due():
            return False
        for delivery in self._deliveries.values():
            # The rest of a file that was sent in parts, or halved.
            if delivery.next_due() is not None:
                return self._send(delivery, now, timeout)
        try:
            is_there = self._outlet.look()
        except OSError as error:
            log(logging.ERROR, "backlog", "cannot read the backlog: %s", error)
            is_there = False
        if not is_there:
            self._due = now + SCAN
            return False
        return self._send(self._next_delivery(), now, timeout)

    def _next_delivery(self) -> Delivery:
        """
        A delivery whose bodies say under which limit on ids the next file
        was logged.
        """
        least = self._outlet.peek()
        if least not in self._deliveries:
            self._deliveries[least] = self._makers.delivery(
                self._outlet, None, self._keeper, least
            )
        return self._deliveries[least]

    def _send(self, delivery: Delivery, now: float, timeout: float) -> bool:
        taken = self._outlet.taken
        batch = delivery.next_batch()
        if batch is None:
            self._due = now + SCAN
            return False
        self._makers.salvaged.recovered += self._outlet.taken - taken
        self._makers.note_age(self._outlet.created_ms)
        failures = self._keeper.failures
        delivery.send(batch, timeout)
        if self._keeper.failures > failures:
            self._due = self._makers.clock.monotonic() + self._rest
            self._rest = min(2 * self._rest, LONGEST_REST)
        elif not self._keeper.failures:
            self._rest = SHORTEST_REST
        return True

    def close(self) -> None:
        """
        Put back what is open.
        """
        for delivery in self._deliveries.values():
            delivery.give_up(CLOSED)
        self._outlet.close()


class Salvage:
    """
    Sends what others left, a batch at a time.

    Args:
        makers: Make what is needed.

        own: Names this process's own ring.
    """

    def __init__(self, makers: Makers, own: str) -> None:
        self._makers = makers
        self._own = own
        self._backlog = BacklogDelivery(makers)
        self._scan_due = 0.0
        self._candidates: list[str] = []
        self._orphan: OrphanOutlet | None = None
        self._delivery: Delivery | None = None

    def next_due(self) -> float:
        """
        When there may be something to do here.
        """
        outage = self._makers.outage
        due = min(self._scan_due, self._backlog.next_due())
        if self._delivery is not None:
            waiting = self._delivery.next_due()
            due = min(due, 0.0 if waiting is None else waiting)
        return max(due, outage.next_try) if outage.is_on else due

    def turn(self, timeout: float) -> bool:
        """
        Look for something and send a batch of it; False where there was
        nothing to send.
        """
        now = self._makers.clock.monotonic()
        if not self._makers.outage.may_try(now):
            return False
        if self._delivery is None:
            self._scan(now)
        delivery = self._delivery
        if delivery is not None:
            batch = delivery.next_batch()
            if batch is not None:
                delivery.send(batch, timeout)
                self._backlog.hurry()
            elif delivery.is_empty:
                self._finish()
            if batch is not None:
                return True
        return self._backlog.turn(now, timeout)

    def _scan(self, now: float) -> None:
        """
        Adopt the next dead ring, if there is one.
        """
        if now >= self._scan_due:
            self._scan_due = now + SCAN
            try:
                wall = int(self._makers.clock.wall() * 1000)
                self._makers.spool.sweep(wall)
                self._candidates = self._makers.spool.ring_ids()
            except OSError as error:
                log(logging.ERROR, "scan", "cannot read the spool: %s", error)
                return
        while self._candidates:
            ring_id = self._candidates.pop()
            if ring_id == self._own:
                continue
            outlet = self._makers.adopt(ring_id, live=False)
            if isinstance(outlet, OrphanOutlet):
                self._orphan = outlet
                least = outlet.min_id_length
                self._delivery = self._makers.delivery(
                    outlet,
                    outlet,
                    self._makers.keeper(ring_id, least),
                    least,
                )
                return

    def _finish(self) -> None:
        """
        Remove a ring of which all has its end.
        """
        if self._orphan is not None:
            self._orphan.close(is_done=self._orphan.used == 0)
        self._orphan = self._delivery = None

    def close(self) -> None:
        """
        Let go of everything; it stays on disk for others.
        """
        self._backlog.close()
        if self._delivery is not None:
            self._delivery.give_up(CLOSED)
        if self._orphan is not None:
            self._orphan.close(is_done=self._orphan.used == 0)
        self._orphan = self._delivery = None
