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

from ringamp.buffer.adoption import OrphanOutlet
from ringamp.flusher.backlog_delivery import BacklogDelivery
from ringamp.flusher.delivery import Delivery
from ringamp.flusher.makers import CLOSED, SCAN, Makers
from ringamp.logs import log


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
