# SPDX-License-Identifier: MIT
"""
What keeps an event until its end: memory alone, or the spool.

The rule

    Room in a ring or a file is given back only when each of its events has
    its end or is kept elsewhere. With a spool that is what makes a kill at
    any instant harmless: whatever has no end is in a ring file, in a backlog
    file, or in both for a moment. In both it has the same insert_id, so the
    service takes it once.

Who keeps how

    InMemory    a private ring, which keeps nothing of what was taken: the
                bytes of a batch are in this process as well.
    InSpool     a ring file: what the service refused goes to the dead
                letters, what is given up to the backlog, what waits for a
                throttled id to a held file; then the room is given back.
    InBacklog   a file of the backlog: what cannot be sent stays in it.

A keeper is asked before anything is told: it answers the decision that can be
carried out, which is another one where the disk is full.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from ringamp.buffer.batch import Batch, Pin
from ringamp.buffer.spool import Spool
from ringamp.clock import Clock
from ringamp.errors import SpoolError
from ringamp.flusher.outage import Outage
from ringamp.logs import log
from ringamp.retry.decision import (
    Decision,
    Deliver,
    Drop,
    Hold,
    Reject,
    Resend,
)
from ringamp.status import Response, Status

DISK_PAUSE = 5.0
"""Seconds until a batch is tried again that found no room on the disk."""

TRIM_PARTS = 64
"""The backlog's size is looked at whenever it may have grown by this part."""


class Shelve(msgspec.Struct, frozen=True):
    """
    These events are on disk now; whoever comes first sends them.
    """

    indexes: Sequence[int]
    response: Response


class Return(msgspec.Struct, frozen=True):
    """
    These events stay in the file they came from.
    """

    indexes: Sequence[int]


Measure = Decision | Shelve | Return
"""What is carried out in the end."""


class Keeper(Protocol):
    """
    Keeps the events of one source.
    """

    @property
    def outage(self) -> Outage | None:
        """
        What is known about the service; None where nothing asks.
        """

    def keep(
        self, batch: Batch, decisions: Sequence[Decision]
    ) -> Sequence[Measure]:
        """
        See to it that what leaves its place is safe; say what is to be done.
        """

    def hold(self, batch: Batch, indexes: Sequence[int]) -> None:
        """
        Keep events that wait for a throttled id.
        """

    def lose(
        self, batch: Batch, indexes: Sequence[int], response: Response
    ) -> Measure:
        """
        Keep events that would be given up otherwise.
        """

    def leave(self) -> Response | None:
        """
        Leave what is left to others, if they can find it: the response of
        its events. None where it must be dropped.
        """


class InMemory:
    """
    Keeps what is in a private ring.
    """

    outage = None

    def keep(
        self, batch: Batch, decisions: Sequence[Decision]
    ) -> Sequence[Measure]:
        """
        There is nothing to see to: the bytes are in the batch.
        """
        del batch
        return decisions

    def hold(self, batch: Batch, indexes: Sequence[int]) -> None:
        """
        The lanes do, in memory.
        """

    def lose(
        self, batch: Batch, indexes: Sequence[int], response: Response
    ) -> Measure:
        """
        Drop them.
        """
        del batch
        return Drop(indexes, response)

    def leave(self) -> Response | None:
        """
        Nobody else sees this memory.
        """
        return None


LEFT = Response(
    Status.QUEUED,
    error="left in the spool at shutdown; another process sends it",
)


class InSpool:
    """
    Keeps what is in a ring file.

    Args:
        spool: Where it is.

        ring_id: The ring's name.

        min_id_length: The option its events were logged under.

        clock: The time.

        outage: What is known about the service.

        note_lost: Told how many events the backlog had to give up because it
            has become too large.
    """

    def __init__(
        self,
        spool: Spool,
        ring_id: str,
        min_id_length: int,
        *,
        clock: Clock,
        outage: Outage,
        note_lost: Callable[[int], None],
    ) -> None:
        self._spool = spool
        self._ring_id = ring_id
        self._min_id_length = min_id_length
        self._clock = clock
        self.outage = outage
        self._note_lost = note_lost
        # Looking how large the backlog is costs a look at each file.
        self._grown = spool.backlog_bytes

    def keep(
        self, batch: Batch, decisions: Sequence[Decision]
    ) -> Sequence[Measure]:
        """
        Put on disk what leaves the ring without having been delivered.
        """
        return [self._keep(batch, decision) for decision in decisions]

    def _keep(self, batch: Batch, decision: Decision) -> Measure:
        if isinstance(decision, Deliver):
            self.outage.note_success()
            batch.loosen(decision.indexes)
            return decision
        if isinstance(decision, Reject):
            bury(self._spool, self._clock, batch, decision)
            batch.loosen(decision.indexes)
            return decision
        if isinstance(decision, Hold):
            self.hold(batch, decision.indexes)
            return decision
        if isinstance(decision, Resend):
            charged = decision.attempt > batch.attempt
            if not (charged and self.outage.is_on):
                return decision
            # While the service is out, one try is enough.
            response = Response(
                Status.QUEUED, error="the service is still out"
            )
        else:
            response = decision.response
        self.outage.note_failure(self._clock.monotonic())
        return self.lose(batch, decision.indexes, response)

    def lose(
        self, batch: Batch, indexes: Sequence[int], response: Response
    ) -> Measure:
        """
        Put them into the backlog; where there is no room, they stay in the
        ring and are sent again.
        """
        try:
            self._put(batch, indexes, held=False)
        except OSError as error:
            log(
                logging.ERROR,
                "backlog",
                "events cannot be put into the backlog, they stay in the "
                "ring: %s",
                error,
            )
            return Resend(indexes, batch.attempt, DISK_PAUSE)
        self._trim()
        batch.loosen(indexes)
        return Shelve(
            indexes,
            Response(
                Status.QUEUED,
                response.status_code,
                error=f"kept in the spool's backlog: {response.error}",
            ),
        )

    def hold(self, batch: Batch, indexes: Sequence[int]) -> None:
        """
        Put them into a held file; where that is not possible the ring's room
        stays taken until they have their ends.
        """
        moving = [
            index
            for index in indexes
            if (pin := batch.pin_of(index)) is not None and pin.in_ring
        ]
        if not moving:
            # They came out of a lane, and are in such a file already.
            return
        try:
            name = self._put(batch, moving, held=True)
        except OSError as error:
            log(
                logging.ERROR,
                "held",
                "events that wait for a throttled id cannot be put on disk, "
                "they keep their room in the ring: %s",
                error,
            )
            return
        held = Pin(len(moving), lambda: self._drop(name))
        pins = [batch.pin_of(index) for index in range(len(batch))]
        for index in moving:
            pins[index] = held
        batch.loosen(moving)
        batch.pins = pins

    def leave(self) -> Response | None:
        """
        What is held in memory may be sent by anybody from now on.
        """
        try:
            self._spool.backlog.free(self._ring_id)
        except OSError as error:
            log(logging.ERROR, "held", "cannot free held files: %s", error)
        return LEFT

    def _put(self, batch: Batch, indexes: Sequence[int], *, held: bool) -> str:
        whole = len(indexes) == len(batch)
        chosen = batch if whole else batch.select(indexes)
        self._grown += len(chosen.body)
        return self._spool.backlog.put(
            [bytes(chosen.joined())],
            now_ms=int(self._clock.wall() * 1000),
            owner=self._ring_id,
            min_id_length=self._min_id_length,
            held=held,
        )

    def _drop(self, name: str) -> None:
        try:
            self._spool.backlog.drop(name)
        except OSError as error:
            log(logging.ERROR, "held", "cannot remove a held file: %s", error)

    def _trim(self) -> None:
        allowed = self._spool.backlog_bytes
        if self._grown < allowed // TRIM_PARTS:
            return
        self._grown = 0
        try:
            trimmed = self._spool.backlog.trim(allowed)
        except OSError as error:
            log(logging.ERROR, "trim", "cannot trim the backlog: %s", error)
            return
        lost = sum(count for _, count in trimmed)
        if lost:
            self._note_lost(lost)
            log(
                logging.ERROR,
                "backlog full",
                "the backlog needs more than %d bytes (see max_spool_bytes);"
                " its oldest %d events were dropped",
                allowed,
                lost,
            )


def bury(spool: Spool, clock: Clock, batch: Batch, decision: Reject) -> None:
    """
    Keep what the service refused, for people to look at. Where the disk does
    not take it, it is refused all the same.
    """
    response = decision.response
    try:
        spool.dead_letters.put(
            [batch.event_bytes(index) for index in decision.indexes],
            now_ms=int(clock.wall() * 1000),
            reason=response.error or "",
            status=str(response.status),
            status_code=response.status_code,
        )
    except (OSError, SpoolError) as error:
        log(
            logging.ERROR,
            "dead letters",
            "refused events cannot be kept as dead letters: %s",
            error,
        )
