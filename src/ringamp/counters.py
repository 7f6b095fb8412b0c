# SPDX-License-Identifier: MIT
"""
What is counted, and the snapshot that users read.
"""

from __future__ import annotations

from itertools import count
from threading import get_ident
from typing import Protocol

import msgspec


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """
    What this process has logged since `init` (or since its fork).

    At any instant `logged == delivered + rejected + dropped + pending`.

    Attributes:
        logged: Events accepted, or dropped for want of room.

        delivered: Taken by the service.

        rejected: Refused by the service for good.

        dropped: Given up: no room, retries used up, shut down too soon.

        pending: Without a final outcome so far. With a spool, also those
            that another process, or this one later, sends from the disk.

        spooled: Of the pending: put into the backlog, or left in the ring's
            file at shutdown.

        skipped: Not logged: opted out, or stopped by middleware.

        invalid: Not logged: the service would have refused them.

        ids_removed: Ids taken off events that have another one.

        retries: Requests that repeated an earlier one.

        requests: Requests sent.

        bytes_sent: Bytes of the bodies of those requests as they travelled:
            in gzip, where the option *compression* asks for it.

        bytes_saved: Bytes that gzip has kept off the wire. A packed body
            that was refused, and went again as it is, saves none.

        held: Events that wait for a throttled id.

        adopted: Rings of dead processes that were taken over.

        recovered: Events that were taken up from the spool: out of such
            rings, of the backlog, and of rings that a relay sends from.
            They are not among *logged*; other processes have counted them.

        recovered_delivered: Those of them that the service took.

        recovered_rejected: Those that it refused.

        recovered_dropped: Those that were given up, and events that the
            backlog had no room for.

        torn: Records that a dead process was writing; never accepted.

        holes: Room that a dead process had reserved; never accepted.

        bad_crc: Records whose bytes changed on disk.

        quarantined: Files of the spool that are not as ringamp made them.

        middleware_errors: Exceptions that came out of middleware.

        callback_errors: Exceptions from *on_delivery* and *on_retry*.

        buffer_used: Bytes of the ring in use.

        buffer_capacity: Bytes of the ring.
    """

    logged: int
    delivered: int
    rejected: int
    dropped: int
    pending: int
    spooled: int
    skipped: int
    invalid: int
    ids_removed: int
    retries: int
    requests: int
    bytes_sent: int
    bytes_saved: int
    held: int
    adopted: int
    recovered: int
    recovered_delivered: int
    recovered_rejected: int
    recovered_dropped: int
    torn: int
    holes: int
    bad_crc: int
    quarantined: int
    middleware_errors: int
    callback_errors: int
    buffer_used: int
    buffer_capacity: int

    def to_dict(self) -> dict[str, int]:
        """
        Give all counts by name, as a monitoring system takes them.
        """
        counts: dict[str, int] = msgspec.structs.asdict(self)
        return counts


class Gauges(Protocol):
    """
    What a snapshot reads off a ring.
    """

    @property
    def pushed(self) -> int:
        """
        Events that found room.
        """

    @property
    def used(self) -> int:
        """
        Bytes in use.
        """

    capacity: int

    @property
    def delivered(self) -> int:
        """
        Events that a relay has delivered; 0 without one.
        """

    @property
    def rejected(self) -> int:
        """
        Events that the service refused to a relay.
        """

    @property
    def dropped(self) -> int:
        """
        Events that a relay gave up.
        """


class Settlements:
    """
    How many events had which end.
    """

    __slots__ = ("delivered", "dropped", "rejected", "spooled")

    def __init__(self) -> None:
        self.delivered = 0
        self.rejected = 0
        self.dropped = 0
        self.spooled = 0


class Salvaged(Settlements):
    """
    What was found in the spool, and the ends of it.
    """

    __slots__ = (
        "adopted",
        "bad_crc",
        "holes",
        "quarantined",
        "recovered",
        "torn",
    )

    def __init__(self) -> None:
        super().__init__()
        self.adopted = 0
        self.recovered = 0
        self.torn = 0
        self.holes = 0
        self.bad_crc = 0
        self.quarantined = 0


class Tally:
    """
    A counter that any thread may bump and read, without a lock.

    A lock here could be held by a thread that a fork leaves behind, or by
    the very thread whose signal handler logs an event. `next` on an
    `itertools.count` is one step of the interpreter, and so is its repr,
    the one way to read it that changes nothing.
    """

    __slots__ = ("_numbers", "bump")

    def __init__(self) -> None:
        self._numbers = count()
        self.bump = self._numbers.__next__

    def read(self) -> int:
        """
        How often it was bumped.
        """
        return int(repr(self._numbers)[len("count(") : -1])


class Traffic:
    """
    Bytes of the bodies that one transport has sent.

    Several threads may send at once, so each counts in a cell of its own;
    there is no lock, as for `Tally`.
    """

    __slots__ = ("_cells",)

    def __init__(self) -> None:
        self._cells: dict[int, list[int]] = {}

    def count(self, sent: int, saved: int) -> None:
        """
        Count a body of *sent* bytes, which would have had *saved* more.
        """
        cell = self._cells.setdefault(get_ident(), [0, 0])
        cell[0] += sent
        cell[1] += saved

    def read(self) -> tuple[int, int]:
        """
        How many bytes were sent, and how many saved.
        """
        cells = list(self._cells.values())
        return sum(sent for sent, _ in cells), sum(saved for _, saved in cells)


class Counters(Settlements):
    """
    The counts of one process; as settlements, those of its own events.

    The plain numbers are the flusher's: it alone changes them. The tallies
    are bumped by the threads that log.

    Attributes:
        traffic: What the transport counts, where it was made for this
            process and does count; else *bytes_sent* stands, which has the
            bodies as they were given to it.
    """

    __slots__ = (
        "bytes_sent",
        "callback_errors",
        "ids_removed",
        "invalid",
        "middleware_errors",
        "refused",
        "requests",
        "retries",
        "salvaged",
        "skipped",
        "traffic",
    )

    def __init__(self) -> None:
        super().__init__()
        self.salvaged = Salvaged()
        self.traffic: Traffic | None = None
        self.retries = 0
        self.requests = 0
        self.bytes_sent = 0
        self.callback_errors = 0
        self.skipped = Tally()
        self.invalid = Tally()
        self.ids_removed = Tally()
        self.middleware_errors = Tally()
        self.refused = Tally()

    def snapshot(self, ring: Gauges, held: int) -> Stats:
        """
        Take a snapshot.

        What was settled is read before what was pushed, so that an event
        which comes and goes in between cannot make *pending* negative.
        """
        spooled, salvaged = self.spooled, self.salvaged
        delivered = self.delivered + ring.delivered
        rejected = self.rejected + ring.rejected
        dropped = self.dropped + ring.dropped
        refused = self.refused.read()
        pushed = ring.pushed
        sent, saved = self.bytes_sent, 0
        if self.traffic is not None:
            sent, saved = self.traffic.read()
        return Stats(
            logged=pushed + refused,
            delivered=delivered,
            rejected=rejected,
            dropped=dropped + refused,
            pending=pushed - delivered - rejected - dropped,
            spooled=spooled,
            skipped=self.skipped.read(),
            invalid=self.invalid.read(),
            ids_removed=self.ids_removed.read(),
            retries=self.retries,
            requests=self.requests,
            bytes_sent=sent,
            bytes_saved=saved,
            held=held,
            adopted=salvaged.adopted,
            recovered=salvaged.recovered,
            recovered_delivered=salvaged.delivered,
            recovered_rejected=salvaged.rejected,
            recovered_dropped=salvaged.dropped,
            torn=salvaged.torn,
            holes=salvaged.holes,
            bad_crc=salvaged.bad_crc,
            quarantined=salvaged.quarantined,
            middleware_errors=self.middleware_errors.read(),
            callback_errors=self.callback_errors,
            buffer_used=ring.used,
            buffer_capacity=ring.capacity,
        )
