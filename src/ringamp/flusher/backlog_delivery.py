# SPDX-License-Identifier: MIT
"""
The sending of the backlog, and the keeper of what comes out of it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ringamp.buffer.backlog_outlet import BacklogOutlet
from ringamp.buffer.batch import Batch
from ringamp.buffer.spool import Spool
from ringamp.clock import Clock
from ringamp.flusher.delivery import Delivery
from ringamp.flusher.keeping import LEFT, Measure, Return, bury
from ringamp.flusher.makers import CLOSED, SCAN, Makers
from ringamp.flusher.outage import Outage
from ringamp.logs import log
from ringamp.retry.decision import Decision, Deliver, Hold, Reject, Resend
from ringamp.status import Response

SHORTEST_REST = 1.0
LONGEST_REST = 30.0
"""Seconds for which the backlog rests after a failure, growing."""


class InBacklog:
    """
    Keeps what is in the backlog where it is.

    Args:
        outlet: Where it comes from.

        spool: Has the dead letters.

        clock: The time.

        outage: What is known about the service.
    """

    def __init__(
        self,
        outlet: BacklogOutlet,
        spool: Spool,
        clock: Clock,
        outage: Outage,
    ) -> None:
        self._outlet = outlet
        self._spool = spool
        self._clock = clock
        self.outage = outage
        self.failures = 0

    def keep(
        self, batch: Batch, decisions: Sequence[Decision]
    ) -> Sequence[Measure]:
        """
        Let go of what has its end; all that failed is put back.
        """
        return [self._keep(batch, decision) for decision in decisions]

    def _keep(self, batch: Batch, decision: Decision) -> Measure:
        if isinstance(decision, Deliver):
            self.outage.note_success()
            self.failures = 0
            batch.loosen(decision.indexes)
            return decision
        if isinstance(decision, Reject):
            bury(self._spool, self._clock, batch, decision)
            batch.loosen(decision.indexes)
            return decision
        if isinstance(decision, Hold):
            # Not into a lane: the file would stay open for half a minute.
            if self._outlet.put_anew(batch, decision.indexes):
                batch.loosen(decision.indexes)
                return Return(decision.indexes)
            return self._return(batch, decision.indexes)
        if isinstance(decision, Resend) and decision.attempt == batch.attempt:
            return decision
        if self.outage.is_on:
            self.outage.note_failure(self._clock.monotonic())
        self.failures += 1
        return self._return(batch, decision.indexes)

    def hold(self, batch: Batch, indexes: Sequence[int]) -> None:
        """
        Nothing: they are on disk.
        """

    def lose(
        self, batch: Batch, indexes: Sequence[int], response: Response
    ) -> Measure:
        """
        Put them back.
        """
        del response
        return self._return(batch, indexes)

    def leave(self) -> Response | None:
        """
        They are on disk. The file that is open is put back when all
        deliveries have given up: one may have nothing of it.
        """
        return LEFT

    def _return(self, batch: Batch, indexes: Sequence[int]) -> Return:
        self._outlet.put_back(len(indexes))
        batch.loosen(indexes)
        return Return(indexes)


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
        self._taken = 0

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
        before = self._outlet.quarantined
        least = self._outlet.peek()
        found = self._outlet.quarantined - before
        self._makers.salvaged.quarantined += found
        if least not in self._deliveries:
            self._deliveries[least] = self._makers.delivery(
                self._outlet, None, self._keeper, least
            )
        return self._deliveries[least]

    def _send(self, delivery: Delivery, now: float, timeout: float) -> bool:
        batch = delivery.next_batch()
        if batch is None:
            self._due = now + SCAN
            return False
        self._note_taken()
        self._makers.note_age(self._outlet.created_ms)
        failures = self._keeper.failures
        delivery.send(batch, timeout)
        self._note_taken()
        if self._keeper.failures > failures:
            self._due = self._makers.clock.monotonic() + self._rest
            self._rest = min(2 * self._rest, LONGEST_REST)
        elif not self._keeper.failures:
            self._rest = SHORTEST_REST
        return True

    def _note_taken(self) -> None:
        """
        Count what came out. What was put back comes out again, perhaps in
        another process, so it does not count.
        """
        self._makers.salvaged.recovered += self._outlet.taken - self._taken
        self._taken = self._outlet.taken

    def fail(self) -> None:
        """
        Put back what is open, for others, and begin anew after a while: a
        defect of ours, or no memory, ended a turn half-way.
        """
        self._deliveries.clear()
        self._outlet.close()
        self._note_taken()
        self._due = self._makers.clock.monotonic() + SCAN

    def close(self) -> None:
        """
        Put back what is open.
        """
        for delivery in self._deliveries.values():
            delivery.give_up(CLOSED)
        self._outlet.close()
        self._note_taken()
