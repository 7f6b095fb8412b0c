# SPDX-License-Identifier: MIT
"""
Taking over what others have logged: rings whose process died, rings that a
relay sends from, and files of the backlog.

Who is dead

    A ring file is an orphan if both its locks can be had; then nobody else
    can have them, so of two adopters one gives up. A process that is stopped,
    frozen or slow holds its locks, and nothing of it is touched.

How a dead ring is read

    Through read calls, into private memory, and not through a map: a file
    that somebody cuts short would kill the application with a SIGBUS. The
    copy is checked, repaired (recover.c) and sent from. All that is written
    to the file is `head`, as batches get their ends, so that the next adopter
    goes on where this one died. The file is removed, with both locks held,
    when all of it has its end.

How a living ring is read

    Through the map that its producers write to: that is what the ring is
    for. Only a ring whose producer leaves sending to a relay has its
    consumer's lock free. When its producer dies the relay takes the other
    lock too, and the ring goes on as a dead one.

What is not sent

    A file of another project, of an unknown version, or that contradicts
    itself: it is renamed to `.bad` and left to its owner, where no process
    pushes into it any more. A `.tmp` has no owner yet or never had one.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Any, NamedTuple

from ringamp.bindings import (
    CAPACITY_MAX,
    CAPACITY_MIN,
    HEAD_OFFSET,
    HEADER_SIZE,
    ffi,
    lib,
)
from ringamp.buffer.lease import CONSUMER, PRODUCER, Lease
from ringamp.buffer.outlet import Outlet
from ringamp.buffer.region import PrivateRegion, Region, SharedRegion
from ringamp.buffer.spool import RING, Spool
from ringamp.errors import SpoolError

MIN_ID_LENGTH_MAX = 1024
"""As of the option; a header that says more is none of ours."""


class Findings(NamedTuple):
    """
    What a dead ring held.

    Attributes:
        ready: Records that are to be sent.

        torn: Records that were being written when the process died.

        holes: Room that was reserved and not written to.

        bad_crc: Records whose bytes have changed since.

        oldest_ms: When the first was logged, ms since the epoch; 0: none.
    """

    ready: int
    torn: int
    holes: int
    bad_crc: int
    oldest_ms: int


class AdoptedOutlet(Outlet):
    """
    The consuming half of a ring that others pushed into.

    Attributes:
        ring_id: The ring's name.

        min_id_length: The option its events were logged under.

        lease: Its file.
    """

    def __init__(
        self, spool: Spool, lease: Lease, region: Region, library: bytes
    ) -> None:
        super().__init__(region, library=library)
        self.min_id_length = int(lib.ra_region_min_id(region.pointer))
        self.ring_id = lease.name.removesuffix(RING)
        self.lease = lease
        self._spool = spool

    def close(self, *, is_done: bool) -> None:
        """
        Let go of the ring; remove its file if its producer is dead and all
        in it *is_done*.
        """
        if is_done:
            with suppress(OSError):
                self._spool.rings.unlink(self.ring_id + RING)
        self.lease.close()


class OrphanOutlet(AdoptedOutlet):
    """
    A dead process's ring, repaired. Made by `adopt`.

    Attributes:
        findings: What it held.
    """

    def __init__(
        self, spool: Spool, lease: Lease, region: PrivateRegion, library: bytes
    ) -> None:
        super().__init__(spool, lease, region, library)
        found = ffi.new("struct ra_repair *")
        lib.ra_ring_repair(self._ring, found)
        self.findings = Findings(
            found.ready,
            found.torn,
            found.holes,
            found.bad_crc,
            found.oldest_ms,
        )

    def release(self, end: int) -> None:
        """
        Note in the file that everything before *end* is done with.
        """
        super().release(end)
        # Failing costs no event: it is sent once more, with the same
        # insert_id, should this process die as well.
        with suppress(OSError):
            os.pwrite(self.lease.fd, end.to_bytes(8, "little"), HEAD_OFFSET)


class LiveOutlet(AdoptedOutlet):
    """
    A living process's ring, whose producer leaves the sending to us.
    """

    def __init__(
        self, spool: Spool, lease: Lease, region: SharedRegion, library: bytes
    ) -> None:
        super().__init__(spool, lease, region, library)
        lib.ra_ring_resume(self._ring)

    def settled(self, delivered: int, rejected: int, dropped: int) -> None:
        """
        Tell the producer's process how many events got which end.
        """
        lib.ra_ring_settled(self._ring, delivered, rejected, dropped)

    def is_orphaned(self) -> bool:
        """
        Whether its producer has died; then both locks are ours.
        """
        return self.lease.take(PRODUCER)


def adopt(
    spool: Spool,
    ring_id: str,
    library: bytes,
    *,
    live: bool,
    dead: bool = True,
) -> AdoptedOutlet | None:
    """
    Take over a ring that nobody sends from.

    Args:
        spool: Where it is.

        ring_id: Its name.

        library: What the field *library* says where an event has none.

        live: Whether a living producer's ring will do.

        dead: Whether a dead one's will; it needs memory of its size.

    Returns:
        None where somebody has it, or where it has gone.

    Raises:
        SpoolError: It is no sound ring of this project. It has been put
            aside, unless its producer lives: that may be of a later
            version, which another process can read.

        OSError: It could not be read; it stays as it is.

        NativeError: There is no memory for it; it stays as it is.
    """
    lease = spool.open_ring(ring_id)
    if lease is None:
        return None
    adopted: AdoptedOutlet | None = None
    is_dead = False
    try:
        if not lease.take(CONSUMER):
            return None
        is_dead = lease.take(PRODUCER)
        is_wanted = dead if is_dead else live
        if is_wanted and spool.rings.holds(lease.name, lease.fd):
            adopted = _take_over(spool, lease, library, is_dead=is_dead)
    except SpoolError:
        if is_dead:
            spool.quarantine(ring_id)
        raise
    finally:
        if adopted is None:
            lease.close()
    return adopted


def readopt(
    spool: Spool, outlet: LiveOutlet, library: bytes
) -> OrphanOutlet | None:
    """
    Go on with a ring whose producer has died.

    Raises:
        SpoolError, OSError, NativeError: As of `adopt`.
    """
    lease = outlet.lease
    adopted: OrphanOutlet | None = None
    try:
        adopted = _read(spool, lease, library)
    except SpoolError:
        spool.quarantine(outlet.ring_id)
        raise
    finally:
        if adopted is None:
            lease.close()
    return adopted


def _take_over(
    spool: Spool, lease: Lease, library: bytes, *, is_dead: bool
) -> AdoptedOutlet:
    # What its last consumer kept on disk for held ids is anybody's now.
    spool.backlog.free(lease.name.removesuffix(RING))
    if is_dead:
        return _read(spool, lease, library)
    capacity = _checked_capacity(spool, lease)
    return LiveOutlet(spool, lease, SharedRegion(lease.fd, capacity), library)


def _checked_capacity(spool: Spool, lease: Lease) -> int:
    """
    Check a ring file by its size and header.

    Raises:
        SpoolError: It is no sound ring of this project.
    """
    path = f"{spool.rings.path}/{lease.name}"
    facts = os.fstat(lease.fd)
    if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
        raise SpoolError(f"{path}: is no regular file of this user")
    size = facts.st_size
    least, most = HEADER_SIZE + CAPACITY_MIN, HEADER_SIZE + CAPACITY_MAX
    if not least <= size <= most:
        raise SpoolError(
            f"{path}: has {size} bytes; {least} to {most} are allowed"
        )
    header = ffi.from_buffer(os.pread(lease.fd, HEADER_SIZE, 0))
    if len(header) < HEADER_SIZE:
        raise SpoolError(f"{path}: was cut short")
    _check(spool, path, ffi.cast("struct ra_region *", header), size)
    return size - HEADER_SIZE


def _check(spool: Spool, path: str, region: Any, size: int) -> None:
    """
    Check what was read of a ring file.

    Raises:
        SpoolError: It is no sound ring of this project.
    """
    fault = lib.ra_region_check(region, size, spool.project)
    if fault:
        raise SpoolError(f"{path}: {FAULTS.get(fault, fault)}")
    least = int(lib.ra_region_min_id(region))
    if least > MIN_ID_LENGTH_MAX:
        raise SpoolError(
            f"{path}: its min_id_length is {least}; "
            f"at most {MIN_ID_LENGTH_MAX} is allowed"
        )


def _read(spool: Spool, lease: Lease, library: bytes) -> OrphanOutlet:
    """
    Read a dead ring into private memory and repair it.
    """
    capacity = _checked_capacity(spool, lease)
    region = PrivateRegion(capacity)
    view = region.view(0, HEADER_SIZE + capacity)
    at = 0
    while at < len(view):
        count = os.preadv(lease.fd, [view[at:]], at)
        if count == 0:
            raise SpoolError(f"{spool.rings.path}/{lease.name}: was cut short")
        at += count
    view.release()
    # A second time, since anybody may have written to the file.
    path = f"{spool.rings.path}/{lease.name}"
    _check(spool, path, region.pointer, HEADER_SIZE + capacity)
    return OrphanOutlet(spool, lease, region, library)


FAULTS = {
    lib.RA_BAD_SIZE: "its size is not what its header says",
    lib.RA_BAD_MAGIC: "it is no ring",
    lib.RA_BAD_VERSION: "it is of another version of ringamp",
    lib.RA_BAD_HEADER: "the checksum of its header is wrong",
    lib.RA_BAD_PROJECT: "it is of another project",
    lib.RA_BAD_POSITION: "its positions contradict each other",
}
"""What `ra_region_check` says, in words."""
