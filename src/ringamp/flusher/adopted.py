# SPDX-License-Identifier: MIT
"""
A ring that others pushed into, on its way to the service: `AdoptedRing`.

The stages of its life

    living  its producer lives. Records are read through the map, and the
            producer's process is told of their ends.
    broken  its producer lives, and what lies in it is no record. Nothing is
            read: somebody may be writing there.
    ending  its producer has died, so nothing is added. It is read through
            the map on, as long as there are whole records.
    dead    it is read from the file, into private memory, and repaired.
    done    all of it has its end, or it was let go of.

When a living ring becomes a dead one

    What is read from the file begins at `head`. So whatever was taken from
    the map and has no end yet (a batch that waits for its retry, an event
    that waits for a throttled id) would come out a second time: it would be
    resent, which the service forgives, and refused or dropped events would be
    told twice. The ring stays at `ending` until nothing of it is underway.
    Mostly that is all: only where the process died in the middle of a push is
    there a rest to be repaired.
"""

from __future__ import annotations

from typing import Any

from ringamp.buffer.adoption import AdoptedOutlet, LiveOutlet
from ringamp.counters import Settlements
from ringamp.errors import NativeError
from ringamp.flusher.delivery import Delivery
from ringamp.flusher.makers import CLOSED, Makers

BUSY = 1 << 16
"""Bytes in a ring for which the next request need not wait for company."""


class Told:
    """
    A count that is kept in another object's attribute of the same name, and
    told to the producer.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, told: TellingEnds, _: Any = None) -> int:
        count: int = getattr(told.counts, self._name)
        return count

    def __set__(self, told: TellingEnds, value: int) -> None:
        more = value - getattr(told.counts, self._name)
        setattr(told.counts, self._name, value)
        told.outlet.settled(**(NOTHING | {self._name: more}))


NOTHING = {"delivered": 0, "rejected": 0, "dropped": 0}


class TellingEnds:
    """
    Counts ends, and tells them to the process that logged the events.

    Args:
        counts: Where they are counted here.

        outlet: The ring through which they are told.
    """

    delivered = Told()
    rejected = Told()
    dropped = Told()

    def __init__(self, counts: Settlements, outlet: LiveOutlet) -> None:
        self.counts = counts
        self.outlet = outlet
        self.spooled = 0


class AdoptedRing:
    """
    A ring of another process, and its delivery.

    Args:
        makers: Make what is needed.

        outlet: Of the ring.

    Attributes:
        is_busy: Whether a good deal more waited when a batch was sent.

        is_done: Whether nothing more will come of it. It is closed then.
    """

    def __init__(self, makers: Makers, outlet: AdoptedOutlet) -> None:
        self._makers = makers
        self._is_ending = False
        self._is_broken = False
        self.is_busy = False
        self.is_done = False
        self._enter(outlet)
        self.aim()

    def _enter(self, outlet: AdoptedOutlet) -> None:
        self._outlet = outlet
        least = outlet.min_id_length
        self._delivery: Delivery = self._makers.delivery(
            outlet,
            outlet,
            self._makers.keeper(outlet.ring_id, least),
            least,
            TellingEnds(self._makers.salvaged, outlet)
            if isinstance(outlet, LiveOutlet)
            else None,
        )

    @property
    def ring_id(self) -> str:
        """
        The ring's name.
        """
        return self._outlet.ring_id

    @property
    def is_living(self) -> bool:
        """
        Whether its producer was alive when that was last looked at.
        """
        return isinstance(self._outlet, LiveOutlet) and not self._is_ending

    @property
    def is_read(self) -> bool:
        """
        Whether it was read into memory of its own.
        """
        return not isinstance(self._outlet, LiveOutlet)

    @property
    def is_crowded(self) -> bool:
        """
        Whether it is half full.
        """
        return 2 * self._outlet.used >= self._outlet.capacity

    @property
    def is_idle(self) -> bool:
        """
        Whether nothing of it waits for a retry or a throttled id.
        """
        return self._delivery.is_empty

    @property
    def is_through(self) -> bool:
        """
        Whether all that it was aimed at has its end, or is in the backlog;
        of a dead process's ring, all that was in it at all.
        """
        if self.is_done or self._is_broken or not self.is_living:
            return self.is_done
        return (
            self._outlet.unclaimed[0] >= self._target
            and self._delivery.is_empty
        )

    def next_due(self) -> float | None:
        """
        When something that waits may go; None where nothing waits.
        """
        return self._delivery.next_due()

    def aim(self) -> None:
        """
        Aim at all that is in it now.
        """
        self._target = self._outlet.tail

    def look(self) -> None:
        """
        See whether its producer has died.
        """
        outlet = self._outlet
        if isinstance(outlet, LiveOutlet) and not self._is_ending:
            self._is_ending = outlet.is_orphaned()

    def turn(self, timeout: float) -> bool:
        """
        Send a batch of it, within *timeout* seconds; False where there was
        none to send.
        """
        self.is_busy = False
        if self._is_broken:
            self._go_on()
            return False
        claimed = self._outlet.claimed
        try:
            batch = self._delivery.next_batch()
        except NativeError as error:
            self._break(error)
            return False
        self._note_taken(claimed)
        if batch is None:
            self._go_on()
            return False
        self._delivery.send(batch, timeout)
        start, end = self._outlet.unclaimed
        self.is_busy = end - start >= BUSY
        return True

    def relieve(self) -> None:
        """
        Make room for its producer, from the oldest event on, where the
        service cannot be reached.
        """
        now = self._makers.clock.monotonic()
        due = self._delivery.line_due()
        if self._is_broken or (
            self._makers.outage.may_try(now) and (due is None or due <= now)
        ):
            return
        claimed = self._outlet.claimed
        try:
            self._delivery.relieve()
        except NativeError as error:
            self._break(error)
        self._note_taken(claimed)

    def _note_taken(self, claimed: int) -> None:
        # Of a dead ring that was counted when it was read.
        if isinstance(self._outlet, LiveOutlet):
            self._makers.salvaged.recovered += self._outlet.claimed - claimed

    def _break(self, error: NativeError) -> None:
        """
        Read no more of it: it holds what is no record.
        """
        self._makers.refuse(self.ring_id, error)
        self._delivery.give_up(CLOSED)
        self._is_broken = True
        if not isinstance(self._outlet, LiveOutlet):
            self.close()

    def _go_on(self) -> None:
        """
        Pass to the next stage, if nothing of this one is left.
        """
        outage = self._makers.outage
        if not self._delivery.is_empty or not outage.may_try(
            self._makers.clock.monotonic()
        ):
            return
        outlet = self._outlet
        if not isinstance(outlet, LiveOutlet):
            self.close()
            return
        if not self._is_ending:
            return
        if outlet.used == 0:
            self.close()
            return
        orphan = self._makers.readopt(outlet)
        if orphan is None:
            self.is_done = True
            return
        self._is_broken = False
        self._enter(orphan)

    def fail(self) -> None:
        """
        Let go of it where it is not known what became of the last batch.
        """
        self.is_done = True
        self._outlet.close(is_done=False)

    def close(self) -> None:
        """
        Let go of it; what has no end stays on disk for others.
        """
        if self.is_done:
            return
        self.is_done = True
        outlet = self._outlet
        try:
            if not self._is_broken:
                self._delivery.give_up(CLOSED)
        finally:
            outlet.close(is_done=not self.is_living and outlet.used == 0)
