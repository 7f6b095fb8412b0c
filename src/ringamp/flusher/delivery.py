# SPDX-License-Identifier: MIT
"""
The trip of one batch: send it, ask the policy, carry out its decisions.

Between ring and service an event can be in three places:

    line    batches that go before anything new: resends, halves of a split.
            In order; while its first batch waits for a retry, new events
            wait in the ring behind it.
    lanes   events of throttled ids, and what was logged later for the same
            ids. Everybody else goes past them.
    hand    the batch that is being sent.

All of it belongs to the one thread that flushes.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

from ringamp.buffer import Batch, Ring
from ringamp.clock import Clock
from ringamp.counters import Counters
from ringamp.flusher.exchange import Exchange
from ringamp.flusher.outcomes import Outcomes
from ringamp.flusher.sizing import SizeLimit
from ringamp.flusher.throttling import LANES_FULL, Throttling
from ringamp.flusher.verdicts import Fate, Verdicts
from ringamp.logs import log
from ringamp.options import Options
from ringamp.retry.decision import (
    Decision,
    Deliver,
    Drop,
    Hold,
    Reject,
    Resend,
)
from ringamp.status import Response, Status
from ringamp.transport.payload import Envelope

CROWDED = 0.75
"""Part of the ring that may be used while only the newest events are kept."""

LANES_LEAST = 1 << 20
"""Bytes that lanes may hold beside a small ring; a quarter of a larger one."""


class Delivery:
    """
    What is between the ring and the service.

    Args:
        ring: Where new events come from.

        exchange: Sends a batch and asks the policy.

        envelope: Head and tail of every body.

        options: Of the instance.

        outcomes: Where fates are told.

        counters: Where they are counted.

        clock: The time.
    """

    def __init__(
        self,
        *,
        ring: Ring,
        exchange: Exchange,
        envelope: Envelope,
        options: Options,
        outcomes: Outcomes,
        counters: Counters,
        clock: Clock,
    ) -> None:
        self._ring = ring
        self._exchange = exchange
        self._envelope = envelope
        self._options = options
        self._verdicts = Verdicts(
            options, outcomes, counters, exchange.retries
        )
        self._counters = counters
        self._clock = clock
        self._line: deque[tuple[float, Batch]] = deque()
        self._throttling = Throttling(
            envelope,
            options.max_events,
            max(ring.capacity // 4, LANES_LEAST),
        )
        self._limit = SizeLimit(options.max_bytes)
        self._hand: Batch | None = None
        self._end: Response | None = None
        # User code may keep the events it was shown, so their bytes are not
        # written over.
        self._lends_events = (
            exchange.lends_events or options.on_delivery is not None
        )

    @property
    def held(self) -> int:
        """
        How many events wait for a throttled id.
        """
        return self._throttling.count

    @property
    def is_empty(self) -> bool:
        """
        Whether nothing is between the ring and the service.
        """
        return not self._line and not self._throttling.count

    @property
    def batch_bytes(self) -> int:
        """
        Bytes of a full request at present.
        """
        return self._limit.value

    def line_due(self) -> float | None:
        """
        When the line's first batch may go; None where there is none.
        """
        return self._line[0][0] if self._line else None

    def next_due(self) -> float | None:
        """
        When the next of what waits here may go: the line, which goes before
        anything else, or a lane. May be past.
        """
        if self._line:
            return self._line[0][0]
        return self._throttling.next_due()

    def next_batch(self) -> Batch | None:
        """
        Take what is to be sent now: the line, then due lanes, then the ring.
        """
        now = self._clock.monotonic()
        if self._line:
            due, batch = self._line[0]
            if due > now:
                return None
            self._line.popleft()
            return batch
        for batch in self._throttling.release(now, self._limit.value):
            self._line.append((now, batch))
        if self._line:
            return self._line.popleft()[1]
        return self._ring.fill(
            self._envelope.head,
            self._envelope.tail,
            max_count=self._options.max_events,
            max_bytes=self._limit.value,
        )

    def send(self, batch: Batch, timeout: float) -> None:
        """
        Send *batch*, within *timeout* seconds, and do what the answer asks.
        """
        self._hand = batch
        travellers = self._divert_held(batch)
        if travellers is not batch:
            # What waits in the lanes is in nobody's hand, and all of it has
            # bytes of its own now.
            self._hand = travellers
            self._leave_ring(batch)
            self._recycle(batch)
        if travellers is None:
            return
        response, decisions = self._exchange.send(travellers, timeout)
        if self._hand is not travellers:
            # It took so long that somebody closed and dropped it.
            return
        # From here on its events get their ends one by one. Whoever learns
        # of one may log the next, so there is room before.
        self._hand = None
        self._leave_ring(travellers)
        self._note(travellers, response)
        resent = [
            again
            for decision in decisions
            if (again := self._carry_out(travellers, decision, response))
        ]
        self._line.extendleft(reversed(resent))
        if self._end is not None:
            # A callback took so long that somebody closed meanwhile.
            self._drop_waiting(self._end)
        elif not (self._line and self._line[0][1] is travellers):
            self._recycle(travellers)

    def evict(self, keep: int) -> None:
        """
        Drop the oldest events until at most *keep* are left, and the ring
        has room for new ones.
        """
        waiting = self._ring.pushed - self._ring.claimed
        excess = waiting + sum(len(b) for _, b in self._line) - keep
        response = Response(
            Status.DROPPED,
            error=f"older than the {keep} newest events, which are kept "
            "while the service cannot be reached",
        )
        while self._line and excess > 0:
            due, batch = self._line.popleft()
            oldest = range(min(excess, len(batch)))
            self._settle(batch, oldest, response, "dropped")
            excess -= len(oldest)
            if len(oldest) < len(batch):
                rest = batch.select(range(len(oldest), len(batch)))
                self._line.appendleft((due, rest))
            self._recycle(batch)
        most = int(self._ring.capacity * CROWDED)
        while excess > 0 or self._ring.used > most:
            batch_or_none = self._ring.fill(
                self._envelope.head,
                self._envelope.tail,
                max_count=min(max(excess, 1), self._options.max_events),
                max_bytes=self._options.max_bytes,
            )
            if batch_or_none is None:
                return
            excess -= len(batch_or_none)
            self._drop_whole(batch_or_none, response)

    def give_up(self, response: Response) -> None:
        """
        Drop all that is in the line, the lanes and the ring, for good: what
        a request under way would bring back is dropped as well.
        """
        self._end = response
        self._drop_waiting(response)
        while True:
            filled = self._ring.fill(
                self._envelope.head,
                self._envelope.tail,
                max_count=self._options.max_events,
                max_bytes=self._options.max_bytes,
            )
            if filled is None:
                return
            self._drop_whole(filled, response)

    def _drop_waiting(self, response: Response) -> None:
        """
        Drop the line and the lanes; two threads may do so at once.
        """
        while (batch := self._step_up()) is not None:
            self._drop_whole(batch, response)
        for batch in self._throttling.clear(self._options.max_bytes):
            self._drop_whole(batch, response)

    def _step_up(self) -> Batch | None:
        """
        Take the line's first batch, None where there is none any more.
        """
        try:
            return self._line.popleft()[1]
        except IndexError:
            return None

    def drop_hand(self, response: Response) -> None:
        """
        Drop the batch that is being sent by a thread that will not return.
        """
        batch, self._hand = self._hand, None
        if batch is not None:
            self._leave_ring(batch)
            self._settle(batch, range(len(batch)), response, "dropped")

    def _drop_whole(self, batch: Batch, response: Response) -> None:
        self._leave_ring(batch)
        self._settle(batch, range(len(batch)), response, "dropped")
        self._recycle(batch)

    def _leave_ring(self, batch: Batch) -> None:
        """
        Give its ring space back: the bytes of its events are in the body,
        and what becomes of them is known.
        """
        if batch.end is not None:
            self._ring.release(batch.end)
            batch.end = None

    def _recycle(self, batch: Batch) -> None:
        if not self._lends_events:
            self._ring.reuse(batch)

    def _divert_held(self, batch: Batch) -> Batch | None:
        """
        Put the events of held ids into their lanes; what is left travels.
        """
        waiting = self._throttling.waiting_in(batch)
        if not waiting:
            return batch
        self._enter_lanes(batch, waiting, LANES_FULL)
        stay = set(waiting)
        going = [index for index in range(len(batch)) if index not in stay]
        return batch.select(going) if going else None

    def _enter_lanes(
        self, batch: Batch, indexes: Sequence[int], response: Response
    ) -> None:
        homeless = self._throttling.enter(batch, indexes)
        if homeless:
            self._settle(batch, homeless, response, "dropped")

    def _settle(
        self,
        batch: Batch,
        indexes: Sequence[int],
        response: Response,
        fate: Fate,
    ) -> None:
        self._verdicts.settle(batch, indexes, response, fate)
        self._throttling.arrived(batch, len(indexes))

    def _note(self, batch: Batch, response: Response) -> None:
        """
        Count a request and learn from its answer.
        """
        self._counters.requests += 1
        self._counters.bytes_sent += len(batch.body)
        if batch.tries > 0:
            self._counters.retries += 1
        batch.tries += 1
        if response.status is Status.SUCCESS:
            self._limit.grow()
            return
        if response.status is Status.PAYLOAD_TOO_LARGE:
            self._limit.shrink(len(batch.body))
        log(
            logging.WARNING,
            f"response {response.status} {response.status_code}",
            "a request with %d events was answered %s (HTTP %d): %s",
            len(batch),
            response.status,
            response.status_code,
            response.error,
        )

    def _carry_out(
        self, batch: Batch, decision: Decision, response: Response
    ) -> tuple[float, Batch] | None:
        """
        Do what *decision* says; give back what is to be sent again, and when.
        """
        if isinstance(decision, Deliver):
            self._settle(batch, decision.indexes, response, "delivered")
        elif isinstance(decision, Reject):
            self._settle(
                batch, decision.indexes, decision.response, "rejected"
            )
        elif isinstance(decision, Drop):
            self._settle(batch, decision.indexes, decision.response, "dropped")
        elif isinstance(decision, Hold):
            self._hold(batch, decision)
        else:
            return self._resend(batch, decision, response)
        return None

    def _hold(self, batch: Batch, decision: Hold) -> None:
        self._throttling.hold(decision, self._clock.monotonic())
        self._enter_lanes(batch, decision.indexes, decision.response)

    def _resend(
        self, batch: Batch, decision: Resend, response: Response
    ) -> tuple[float, Batch] | None:
        charged = decision.attempt > batch.attempt
        if charged and not self._verdicts.may_retry(
            response, decision.attempt - 1
        ):
            self._settle(batch, decision.indexes, response, "dropped")
            return None
        again = batch
        if len(decision.indexes) < len(batch):
            again = batch.select(decision.indexes)
        again.attempt = decision.attempt
        due = self._clock.monotonic() + decision.delay
        return (due if decision.delay > 0 else 0.0), again
