# SPDX-License-Identifier: MIT
"""
The rings that a relay has, and its search for more: `Roster`.

Which rings can be had is for their locks to say. One whose process sends by
itself, or that another relay has, has a consumer already: it is passed over,
at the cost of one try of a lock, and tried again at the next scan. So of two
relays each has some of the rings, and when one dies the other has all of them
a second later.
"""

from __future__ import annotations

import logging

from ringamp.flusher.adopted import AdoptedRing
from ringamp.flusher.makers import Makers
from ringamp.logs import log

SCAN = 1.0
"""Seconds between two looks for rings."""

SWEEP = 5.0
"""Seconds between two looks for what killed processes left half-made."""

DEAD_MAX = 2
"""Dead rings that are sent from at a time: each needs memory of its size. One
whose events wait for a throttled id does not keep the others."""


class Roster:
    """
    The rings of one project that this process sends from.

    Args:
        makers: Make what is needed.

    Attributes:
        rings: What this process has.

        backlog_bytes: Bytes of the backlog, when it was last looked at.

        is_short: Whether dead rings were passed over for want of memory.
    """

    def __init__(self, makers: Makers) -> None:
        self._makers = makers
        self._scan_due = 0.0
        self._sweep_due = 0.0
        self.rings: tuple[AdoptedRing, ...] = ()
        self.backlog_bytes = 0
        self.is_short = False

    def scan(self, now: float) -> None:
        """
        Look for rings that can be had, and for producers that have died, if
        it is time.
        """
        if now < self._scan_due:
            return
        self._scan_due = now + SCAN
        try:
            if now >= self._sweep_due:
                self._sweep_due = now + SWEEP
                self._sweep()
            # Before what it may bring: the ring of a process that dies in
            # between is looked at as a living one.
            for ring in self.rings:
                ring.look()
            self._take(self._makers.spool.ring_ids())
        except OSError as error:
            log(logging.ERROR, "scan", "cannot read the spool: %s", error)

    def _sweep(self) -> None:
        spool = self._makers.spool
        spool.sweep(int(self._makers.clock.wall() * 1000))
        self.backlog_bytes = spool.backlog.used()

    def _take(self, ring_ids: list[str]) -> None:
        """
        Take over whichever of these rings nobody sends from.
        """
        known = {ring.ring_id for ring in self.rings}
        dead = sum(ring.is_read for ring in self.rings)
        self.is_short = dead >= DEAD_MAX
        for ring_id in ring_ids:
            if ring_id in known:
                continue
            outlet = self._makers.adopt(
                ring_id, live=True, dead=not self.is_short
            )
            if outlet is None:
                continue
            ring = AdoptedRing(self._makers, outlet)
            self.rings += (ring,)
            dead += ring.is_read
            self.is_short = dead >= DEAD_MAX

    def begin_anew(self) -> None:
        """
        Look again, and aim at all that is in the rings now.
        """
        self._scan_due = 0.0
        for ring in self.rings:
            ring.aim()

    def drop_done(self) -> None:
        """
        Forget the rings that are through.
        """
        if any(ring.is_done for ring in self.rings):
            self.rings = tuple(r for r in self.rings if not r.is_done)
            if self.is_short:
                self._scan_due = 0.0

    def close(self) -> None:
        """
        Let go of all rings; what is in them stays there for others.
        """
        for ring in self.rings:
            ring.close()
        self.rings = ()
