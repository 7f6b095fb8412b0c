# SPDX-License-Identifier: MIT
"""
The spool of one project: a directory of ring files, the backlog and the dead
letters.

The picture

    <spool_dir>/<project>/rings/<ring id>.ring   one a living or dead process
    <spool_dir>/<project>/backlog/               batches that wait on disk
    <spool_dir>/<project>/dead-letters/          what the service refused

    *project* is a hash of API key and URL: what was logged for one project
    is never sent to another, and the key itself is on no disk.

A ring file's life

    made      as <ring id>.tmp: its blocks are allocated, since a hole in a
              mapped file is a SIGBUS on a full disk; its header is written
              and sealed, its locks are taken. Then it gets its name. So
              whoever finds a `.ring` finds it whole and locked.
    living    its producer holds byte 0, whoever sends from it byte 1.
    orphaned  nobody holds either: the kernel gave the locks back when the
              process ended. See adoption.py.
    done      unlinked, while both locks are held.

What happens at the edge

    A full disk, a file system without such locks, a directory that is not
    ours alone: `SpoolError` or `OSError`, and the session goes on in private
    memory. Files that a killed process left half-made are `.tmp`: nobody
    reads them, and `sweep` removes them.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress

import msgspec

from ringamp.bindings import (
    CAPACITY_MIN,
    CHECKED,
    HEADER_SIZE,
    PROJECT_SIZE,
    ffi,
    lib,
)
from ringamp.buffer.backlog import Backlog
from ringamp.buffer.deadletter import DeadLetters
from ringamp.buffer.folder import Folder
from ringamp.buffer.lease import CONSUMER, PRODUCER, Lease
from ringamp.buffer.region import SharedRegion, new_ring_id
from ringamp.errors import SpoolError

RING = ".ring"
TEMPORARY = ".tmp"
QUARANTINED = ".bad"

SHARE = 4
"""A ring takes at most this part of the room that is left, so that the first
of several workers leaves some to the others: 64 MB, which containers give
/dev/shm, hold eight."""

_NAME = re.compile(rf"([0-9a-v]{{{lib.RA_RING_TEXT}}}){re.escape(RING)}")

STALE_MS = 60_000
"""Age at which a half-made file is a dead process's."""

_NOT_LOCAL = {
    0x6969: "NFS",
    0x01021997: "9p",
    0x65735546: "FUSE",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "CIFS",
}
"""File systems (statfs(2)) on which other machines may change the file, and
on which locks or maps are not what they are on a disk."""


class Stamp(msgspec.Struct, frozen=True):
    """
    What the header of a ring file says about its records.

    Attributes:
        project: Whose they are, `PROJECT_SIZE` bytes.

        created_ms: When the ring was made, ms since the epoch.

        min_id_length: The option under which they were logged.
    """

    project: bytes
    created_ms: int
    min_id_length: int


class RingFile:
    """
    A ring file of this process: its lease, its map and its name.

    Attributes:
        region: The map.

        lease: The open file.

        ring_id: The ring's name in base32, as in insert_ids.
    """

    def __init__(
        self, folder: Folder, lease: Lease, region: SharedRegion, ring_id: str
    ) -> None:
        self._folder = folder
        self.lease = lease
        self.region = region
        self.ring_id = ring_id

    def close(self, *, is_done: bool) -> None:
        """
        Let go of the file; remove it if all in it *is_done*.
        """
        if is_done:
            with suppress(OSError):
                self._folder.unlink(self.ring_id + RING)
        self.lease.close()


def _check_local(folder: Folder) -> None:
    kind = _NOT_LOCAL.get(lib.ra_filesystem(folder.fd))
    if kind is not None:
        raise SpoolError(
            f"{folder.path}: is on {kind}; a local file system is allowed",
        )


def ring_text(ring_id: bytes) -> str:
    """
    Write a ring's id as insert_ids do.
    """
    text = ffi.new("char[]", lib.RA_RING_TEXT + 1)
    lib.ra_ring_text(ring_id, text)
    return ffi.string(text).decode()  # type: ignore[no-any-return]


class Spool:
    """
    One project's part of a spool directory.

    Args:
        path: The spool directory; made if it is missing.

        project: The hash, `PROJECT_SIZE` bytes.

        max_bytes: What backlog and dead letters may take, these a quarter.

    Attributes:
        backlog_bytes: What the backlog may take.

    Raises:
        SpoolError: The directory is not safe to use, or on no local disk.
        OSError: The system refused.
    """

    def __init__(self, path: str, project: bytes, max_bytes: int) -> None:
        if len(project) != PROJECT_SIZE:
            raise ValueError(f"project: {len(project)} bytes given")
        self.project = project
        top = Folder.open(path)
        self._folders = [top]
        try:
            _check_local(top)
            own = self._child(top, project.hex())
            self.rings = self._child(own, "rings")
            self.backlog = Backlog(
                self._child(own, "backlog"), project=project
            )
            self.dead_letters = DeadLetters(
                self._child(own, "dead-letters"), max_bytes // 4
            )
        except BaseException:
            self.close()
            raise
        self.backlog_bytes = max_bytes - max_bytes // 4

    def _child(self, parent: Folder, name: str) -> Folder:
        folder = parent.child(name)
        self._folders.append(folder)
        return folder

    def create(
        self,
        capacity: int,
        *,
        min_id_length: int,
        now_ms: int,
        is_consumed: bool,
    ) -> RingFile:
        """
        Make a ring file, of less than *capacity* bytes where there is less
        room.

        Args:
            capacity: Bytes of records; a power of two.

            min_id_length: The option, for whoever sends what is in it.

            now_ms: Milliseconds since the epoch.

            is_consumed: Whether this process sends from it as well.

        Raises:
            SpoolError: There is no room for the smallest ring.
            OSError: The system refused.
        """
        if not hasattr(os, "posix_fallocate"):
            raise SpoolError(
                f"{self.rings.path}: this system (as macOS) allocates no "
                "blocks ahead, so a full disk would be a SIGBUS",
            )
        allowed = self.rings.free_bytes() // SHARE
        while HEADER_SIZE + capacity > allowed:
            capacity //= 2
            if capacity < CAPACITY_MIN:
                raise SpoolError(
                    f"{self.rings.path}: has {allowed * SHARE} bytes left;"
                    f" {SHARE * (HEADER_SIZE + CAPACITY_MIN)} are needed",
                )
        ring_id = new_ring_id()
        text = ring_text(ring_id)
        lease = Lease.open(self.rings.fd, text + TEMPORARY, create=True)
        try:
            os.posix_fallocate(lease.fd, 0, HEADER_SIZE + capacity)
            region = SharedRegion(lease.fd, capacity)
            lib.ra_ring_format(region.pointer, capacity, ring_id, 0)
            lib.ra_region_describe(
                region.pointer,
                self.project,
                now_ms,
                os.getpid(),
                min_id_length,
                CHECKED,
            )
            lib.ra_region_seal(region.pointer)
            # Nobody else can have opened a file of this random name.
            lease.take(PRODUCER)
            if is_consumed:
                lease.take(CONSUMER)
            self.rings.rename(text + TEMPORARY, text + RING)
        except BaseException:
            with suppress(OSError):
                self.rings.unlink(text + TEMPORARY)
            lease.close()
            raise
        return RingFile(self.rings, lease, region, text)

    def ring_ids(self) -> list[str]:
        """
        Name all ring files, of the living and the dead.
        """
        return [
            found[1]
            for found in map(_NAME.fullmatch, self.rings.names())
            if found is not None
        ]

    def open_ring(self, ring_id: str) -> Lease | None:
        """
        Open a ring file for its locks; None where it has gone, or is nothing
        that can be opened.
        """
        try:
            return Lease.open(self.rings.fd, ring_id + RING)
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
                raise
            return None

    def quarantine(self, ring_id: str) -> None:
        """
        Put a ring file aside that is none of ours; it is never read again.
        """
        with suppress(OSError):
            self.rings.rename(ring_id + RING, ring_id + QUARANTINED)

    def sweep(self, now_ms: int) -> None:
        """
        Remove what killed processes left half-made, and give the backlog
        what processes held that are no more.
        """
        held = self.backlog.held()
        living = set(self.ring_ids())
        for name in self.rings.names():
            if name.endswith(TEMPORARY) and self._is_stale(name, now_ms):
                with suppress(OSError):
                    self.rings.unlink(name)
        for name, owner in held:
            if owner not in living:
                # One that cannot be freed, as where something has its name,
                # keeps neither the others nor the search for rings.
                with suppress(OSError):
                    self.backlog.free_one(name)
        self.backlog.sweep(now_ms)

    def _is_stale(self, name: str, now_ms: int) -> bool:
        modified = self.rings.modified_ms(name)
        # Of the future too: the clock was set back.
        return modified is not None and abs(now_ms - modified) > STALE_MS

    def close(self) -> None:
        """
        Close the directories. Ring files are closed by who opened them.
        """
        for folder in self._folders:
            folder.close()
