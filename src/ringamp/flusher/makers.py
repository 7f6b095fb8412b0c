# SPDX-License-Identifier: MIT
"""
What all sources of the spool share, and how a delivery is made for each.
"""

from __future__ import annotations

import logging

from ringamp.buffer.adoption import (
    AdoptedOutlet,
    LiveOutlet,
    OrphanOutlet,
    adopt,
    readopt,
)
from ringamp.buffer.spool import Spool
from ringamp.buffer.window import Share, Window
from ringamp.clock import Clock
from ringamp.counters import Counters
from ringamp.errors import NativeError, SpoolError
from ringamp.flusher.delivery import Delivery
from ringamp.flusher.exchange import Exchange
from ringamp.flusher.foreign import ForeignDelivery
from ringamp.flusher.keeping import InSpool, Keeper
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
"""What is told of events of others when this process stops."""


class NoReceipts:
    """
    Where ends are told of events that nobody in this process waits for.
    """

    def settle(self, start: int, end: int, response: Response) -> None:
        """
        Nobody asks.
        """

    def open(self, window: Window) -> None:
        """
        Nobody asks.
        """

    def settle_share(self, share: Share, response: Response) -> None:
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

        refused: Rings of living processes that are none of ringamp's as this
            release knows them; they are not looked at again.

        failures: How often a ring could not be taken over.
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
        self.refused: set[str] = set()
        self.failures = 0

    def delivery(
        self,
        source: Source,
        ring: RingSource | None,
        keeper: Keeper,
        min_id_length: int,
        ends: Ends | None = None,
    ) -> Delivery:
        """
        Make a delivery of events that others have logged. Those of a ring
        are looked at here, those of a backlog file were when it was read.
        """
        kind = Delivery if ring is None else ForeignDelivery
        return kind(
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

    def adopt(
        self, ring_id: str, *, live: bool, dead: bool = True
    ) -> AdoptedOutlet | None:
        """
        Take over a ring; None where it is somebody's, or cannot be had now.
        """
        if ring_id in self.refused:
            return None
        try:
            outlet = adopt(
                self.spool, ring_id, LIBRARY.encode(), live=live, dead=dead
            )
        except SpoolError as error:
            self.refuse(ring_id, error)
            return None
        except (OSError, NativeError) as error:
            self.note_unread(error)
            return None
        if isinstance(outlet, OrphanOutlet):
            self.note_orphan(outlet)
        return outlet

    def readopt(self, outlet: LiveOutlet) -> OrphanOutlet | None:
        """
        Go on with a ring whose producer has died; None where that cannot be
        now, and then the ring is let go of.
        """
        try:
            orphan = readopt(self.spool, outlet, LIBRARY.encode())
        except SpoolError as error:
            self.refuse(outlet.ring_id, error)
            return None
        except (OSError, NativeError) as error:
            self.note_unread(error)
            return None
        if orphan is not None:
            self.note_orphan(orphan)
        return orphan

    def refuse(self, ring_id: str, error: Exception) -> None:
        """
        Note that a ring is not as ringamp made it.
        """
        self.refused.add(ring_id)
        self.failures += 1
        self.salvaged.quarantined += 1
        log(
            logging.ERROR,
            f"quarantine {ring_id}",
            "a ring of the spool is not read any more: %s",
            error,
        )

    def note_unread(self, error: Exception) -> None:
        """
        Note that a ring could not be read for lack of something.
        """
        self.failures += 1
        log(
            logging.ERROR,
            "adoption",
            "a ring of the spool cannot be read now: %s",
            error,
        )

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
