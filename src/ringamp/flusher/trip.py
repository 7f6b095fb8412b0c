# SPDX-License-Identifier: MIT
"""
The trip of one batch: send it, ask the policy, carry out its decisions.

Between ring and service an event can be in three places:

    line    batches that go before anything new: resends, halves of a split.
            In order; while its first batch waits for a retry, new events
            wait in the ring behind it.
    lanes   events of throttled ids, and what was logged later for the same
            ids. Everybody else goes past them.
    hands   the batches that are being sent (hands.py, uploads.py).

All of it belongs to the one thread that flushes. Whether the room that an
event had in the ring is given back while it is there is for the keeper to
say (keeping.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from ringamp.bindings import generation
from ringamp.buffer.batch import Batch
from ringamp.clock import Clock
from ringamp.counters import Counters
from ringamp.flusher.exchange import Exchange
from ringamp.flusher.hands import Hands
from ringamp.flusher.intake import Intake
from ringamp.flusher.keeping import InMemory, Keeper, Measure, Return, Shelve
from ringamp.flusher.line import Line
from ringamp.flusher.sizing import SizeLimit
from ringamp.flusher.source import RingSource, Source
from ringamp.flusher.throttling import LANES_FULL, Throttling
from ringamp.flusher.uploads import Uploads
from ringamp.flusher.verdicts import Ends, Fate, Settled, Verdicts
from ringamp.options import Options
from ringamp.retry.decision import (
    Deliver,
    Drop,
    Hold,
    Reject,
    Resend,
)
from ringamp.status import Response
from ringamp.transport.payload import Envelope

LANES_LEAST = 1 << 20
"""Bytes that lanes may hold beside a small ring; a quarter of a larger one."""


class Trip:
    """
    The trips of the batches of one source.

    Args:
        source: Where new events come from.

        ring: The same where it is a ring, None where it is not.

        exchange: Sends a batch and asks the policy.

        envelope: Head and tail of every body.

        options: Of the instance.

        outcomes: Where fates are told.

        counters: Where requests are counted.

        ends: Where fates are counted.

        clock: The time.

        keeper: Keeps events until their ends.

        uploads: Sends several batches at a time; None: one at a time, here.
    """

    def __init__(
        self,
        *,
        source: Source,
        ring: RingSource | None,
        exchange: Exchange,
        envelope: Envelope,
        options: Options,
        outcomes: Settled,
        counters: Counters,
        ends: Ends,
        clock: Clock,
        keeper: Keeper | None = None,
        uploads: Uploads | None = None,
    ) -> None:
        self._intake = Intake(source, ring, envelope)
        self._ring = ring
        self._outcomes = outcomes
        self._ends = ends
        self._keeper = keeper or InMemory()
        self._exchange = exchange
        self._envelope = envelope
        self._options = options
        self._verdicts = Verdicts(
            options, outcomes, ends, counters, exchange.retries
        )
        self._clock = clock
        self._line = Line()
        self._uploads = uploads
        self._throttling = Throttling(
            envelope,
            options.max_events,
            max(ring.capacity // 4 if ring else 0, LANES_LEAST),
        )
        # Empty mostly, and asked about for each batch.
        self._held = self._throttling.held
        self._limit = SizeLimit(options.max_bytes)
        self._generation = generation()
        self._hands = Hands()
        self._end: Response | None = None
        # Users may keep events they were shown: they are not written over.
        is_shown = exchange.lends_events or options.on_delivery is not None
        self._recycle = _leave_alone if is_shown else source.reuse

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
        return not (self._line or self._throttling.count or self._hands)

    @property
    def is_sending(self) -> bool:
        """
        Whether an upload is under way.
        """
        return bool(self._hands)

    @property
    def batch_bytes(self) -> int:
        """
        Bytes of a full request at present.
        """
        return self._limit.value

    def line_due(self) -> float | None:
        """
        When a batch of the line may go, infinite where an answer must come
        first; None where nothing is in line.
        """
        return self._line.due(self._hands)

    def next_due(self) -> float | None:
        """
        When the next of what waits here may go: the line, which goes before
        anything else, or a lane. May be past.
        """
        due = self.line_due()
        return self._throttling.next_due() if due is None else due

    def next_batch(self) -> Batch | None:
        """
        Take what is to be sent now: the line, then due lanes, then the ring.
        """
        now = self._clock.monotonic()
        line = self._line
        if self._held and not line:
            for batch in self._throttling.release(now, self._limit.value):
                line.append((now, batch))
        if line:
            return line.take(now, self._hands)
        if self._uploads is None or self.outage_due() is not None:
            return self._next_of_any(now)
        self._deal(self._uploads.count)
        return self._line.take(now, self._hands)

    def _next_of_any(self, now: float) -> Batch | None:
        """
        Take new events as one batch, whatever their ids, that travels alone.
        """
        outage = self._keeper.outage
        if self._hands or (outage is not None and not outage.may_try(now)):
            return None
        return self._fill(self._options.max_events, self._limit.value)

    def _deal(self, tracks: int) -> None:
        """
        Put new events in line, a batch for each track that has any.
        """
        dealt = self._intake.deal(
            tracks, self._options.max_events, self._limit.value
        )
        if dealt is not None:
            window, batches = dealt
            self._outcomes.open(window)
            self._line.extend((0.0, batch) for batch in batches)

    def outage_due(self) -> float | None:
        """
        When an outage's next try is, infinite where an answer must come
        first; None where there is no outage.
        """
        outage = self._keeper.outage
        if outage is None or not outage.is_on:
            return None
        return inf if self._hands else outage.next_try

    def _fill(self, max_count: int, max_bytes: int) -> Batch | None:
        return self._intake.fill(max_count, max_bytes)

    def send(self, batch: Batch, timeout: float) -> None:
        """
        Send *batch* within *timeout* seconds and do what the answer asks, or
        have it sent by its upload.
        """
        track = batch.track
        self._hands[track] = batch
        travellers = self._divert_held(batch) if self._held else batch
        if travellers is not batch:
            # What waits in the lanes is in nobody's hand, and all of it has
            # bytes of its own now.
            if travellers is None:
                self._hands.pop(track, None)
            else:
                self._hands[track] = travellers
            self._recycle(batch)
        if travellers is None:
            return
        uploads = self._uploads
        if (
            track is None
            or uploads is None
            or not uploads.start(track, travellers, timeout)
        ):
            answer = self._exchange.post(travellers, timeout)
            self._arrive(travellers, answer)

    def collect(self) -> None:
        """
        Do what the answers ask that have come meanwhile.
        """
        if self._uploads is not None:
            for batch, response in self._uploads.answers():
                self._arrive(batch, response)

    def _arrive(self, travellers: Batch, answer: Response) -> None:
        """
        Do what an answer asks.
        """
        response, decisions = self._exchange.judge(travellers, answer)
        if generation() != self._generation:
            # A child's copy of this call (user code forked, or a greenlet
            # was copied). The batch is the parent's.
            return
        if not self._hands.let_go(travellers):
            # It took so long that somebody closed and dropped it.
            return
        decisions = self._verdicts.ask(travellers, decisions, response)
        # From here on its events get their ends one by one. Whoever learns
        # of one may log the next, so there is room before.
        measures = self._keeper.keep(travellers, decisions)
        self._verdicts.note_answer(travellers, response)
        self._limit.learn(response.status, len(travellers.body))
        resent = []
        for measure in measures:
            again = self._carry_out(travellers, measure, response)
            if again is not None:
                resent.append(again)
        self._line.extendleft(reversed(resent))
        if self._end is not None:
            # A callback took so long that somebody closed meanwhile.
            self.drop_waiting(self._end)
        elif not resent or all(one is not travellers for _, one in resent):
            self._recycle(travellers)

    def drop_waiting(self, response: Response) -> None:
        """
        Give up the line and the lanes; two threads may do so at once.
        """
        while (batch := self._step_up()) is not None:
            if not self._lose_whole(batch, response):
                # It is in the ring, and found there.
                self._line.clear()
                self._settle(batch, range(len(batch)), response, "spooled")
        held = list(self._throttling.clear(self._options.max_bytes))
        left = self._keeper.leave() if held else None
        for batch in held:
            if left is None:
                self._lose_whole(batch, response)
            else:
                self._settle(batch, range(len(batch)), left, "spooled")

    def _step_up(self) -> Batch | None:
        """
        Take the line's first batch, None where there is none any more.
        """
        try:
            return self._line.popleft()[1]
        except IndexError:
            return None

    def _lose_whole(self, batch: Batch, response: Response) -> bool:
        is_lost = self._lose(batch, range(len(batch)), response)
        if is_lost:
            self._recycle(batch)
        return is_lost

    def _lose(
        self, batch: Batch, indexes: Sequence[int], response: Response
    ) -> bool:
        """
        Give up some events; False where the disk is full, and they wait.
        """
        measure = self._keeper.lose(batch, indexes, response)
        again = self._carry_out(batch, measure, response)
        if again is not None:
            self._line.appendleft(again)
        return again is None

    def _divert_held(self, batch: Batch) -> Batch | None:
        """
        Put the events of held ids into their lanes; what is left travels.
        """
        waiting = self._throttling.waiting_in(batch)
        if not waiting:
            return batch
        self._keeper.hold(batch, waiting)
        self._enter_lanes(batch, waiting, LANES_FULL)
        stay = set(waiting)
        going = [index for index in range(len(batch)) if index not in stay]
        return batch.select(going) if going else None

    def _enter_lanes(
        self, batch: Batch, indexes: Sequence[int], response: Response
    ) -> None:
        homeless = self._throttling.enter(batch, indexes)
        if homeless:
            self._lose(batch, homeless, response)

    def _settle(
        self,
        batch: Batch,
        indexes: Sequence[int],
        response: Response,
        fate: Fate,
    ) -> None:
        self._verdicts.settle(batch, indexes, response, fate)
        self._throttling.arrived(batch, len(indexes))

    def _carry_out(
        self, batch: Batch, measure: Measure, response: Response
    ) -> tuple[float, Batch] | None:
        """
        Do what *measure* says; give back what is to be sent again, and when.
        """
        if isinstance(measure, Deliver):
            self._settle(batch, measure.indexes, response, "delivered")
        elif isinstance(measure, Reject):
            self._settle(batch, measure.indexes, measure.response, "rejected")
        elif isinstance(measure, Drop):
            self._settle(batch, measure.indexes, measure.response, "dropped")
        elif isinstance(measure, Shelve):
            self._settle(batch, measure.indexes, measure.response, "spooled")
        elif isinstance(measure, Return):
            self._throttling.arrived(batch, len(measure.indexes))
        elif isinstance(measure, Hold):
            self._throttling.hold(measure, self._clock.monotonic())
            self._enter_lanes(batch, measure.indexes, measure.response)
        else:
            return self._resend(batch, measure)
        return None

    def _resend(self, batch: Batch, again: Resend) -> tuple[float, Batch]:
        part = batch
        if len(again.indexes) < len(batch):
            part = batch.select(again.indexes)
        part.attempt = again.attempt
        due = self._clock.monotonic() + again.delay
        return (due if again.delay > 0 else 0.0), part


def _leave_alone(batch: Batch) -> None:
    """
    Do nothing about a batch that users may look at.
    """
    del batch
