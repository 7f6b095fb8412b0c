# SPDX-License-Identifier: MIT
"""
What others have left in the spool: rings of dead processes, rings of living
ones that wait for a relay while there is none, and the backlog.

Each source has a delivery of its own, so that one whose service answers are
slow, throttled or bad keeps nothing else; but all know of one outage, and
while it lasts nothing is sent from here.

Looking is cheap and rare: the directory is read every SCAN seconds, and a
ring that somebody sends from costs one try of a lock. One ring is sent at a
time, since a dead one needs memory of its size. A living one is let go of
when all that was found in it is sent, so that a relay can have it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ringamp.flusher.adopted import AdoptedRing
from ringamp.flusher.backlog_delivery import BacklogDelivery
from ringamp.flusher.makers import SCAN, Makers
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
        self._ring: AdoptedRing | None = None

    def next_due(self) -> float:
        """
        When there may be something to do here.
        """
        outage = self._makers.outage
        if self._ring is not None:
            # The next look is for when this one is through.
            waiting = self._ring.next_due()
            due = 0.0 if waiting is None else waiting
        elif self._candidates:
            due = 0.0
        else:
            due = self._scan_due
        due = min(due, self._backlog.next_due())
        return max(due, outage.next_try) if outage.is_on else due

    def turn(self, timeout: float) -> bool:
        """
        Look for something and send a batch of it; False where there was
        nothing to send.
        """
        now = self._makers.clock.monotonic()
        if not self._makers.outage.may_try(now):
            return False
        if self._ring is None:
            self._scan(now)
        if self._ring is not None and self._try_ring(self._ring, timeout):
            self._backlog.hurry()
            return True
        return self._try_backlog(now, timeout)

    def _try_ring(self, ring: AdoptedRing, timeout: float) -> bool:
        """
        Give a ring its turn. A failure is a defect of ours, or memory ran
        out: this process leaves the ring to others, since the same might
        happen again for ever.
        """
        try:
            return self._turn_to(ring, timeout)
        except Exception as error:
            self._ring = None
            self._note_defect(error)
            self._makers.refused.add(ring.ring_id)
            ring.fail()
            return False

    def _try_backlog(self, now: float, timeout: float) -> bool:
        try:
            return self._backlog.turn(now, timeout)
        except Exception as error:
            self._note_defect(error)
            self._backlog.fail()
            return False

    def _note_defect(self, error: Exception) -> None:
        log(
            logging.CRITICAL,
            "salvage",
            "what others left could not be sent, and stays: %r",
            error,
        )

    def _turn_to(self, ring: AdoptedRing, timeout: float) -> bool:
        """
        Send a batch of a ring, and let go of it where that was the last.
        """
        is_sent = ring.turn(timeout)
        # Of a living one no more than what was found: there are others, and
        # a relay may want it.
        if ring.is_living and (
            ring.is_through or (ring.is_idle and not is_sent)
        ):
            ring.close()
        if ring.is_done:
            self._ring = None
        return is_sent

    def _scan(self, now: float) -> None:
        """
        Take over the next ring that nobody sends from, if there is one.
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
            outlet = self._makers.adopt(ring_id, live=True)
            if outlet is not None:
                self._ring = AdoptedRing(self._makers, outlet)
                return

    def close(self) -> None:
        """
        Let go of everything; it stays on disk for others.
        """
        ring, self._ring = self._ring, None
        self._close(self._backlog.close)
        if ring is not None:
            self._close(ring.close)

    def _close(self, close: Callable[[], None]) -> None:
        try:
            close()
        except Exception as error:
            # Whoever closes has events of its own to send.
            self._note_defect(error)
