# SPDX-License-Identifier: MIT
"""
Where a session's ring lives: in a file of the spool, or in private memory.
"""

from __future__ import annotations

import logging

from ringamp.buffer.region import PrivateRegion, Region, round_capacity
from ringamp.buffer.spool import RingFile, Spool
from ringamp.clock import Clock
from ringamp.errors import NativeError, SpoolError
from ringamp.flusher.prefork import forks_unseen
from ringamp.logs import log
from ringamp.options import Options


class Storage:
    """
    The memory of one session's ring, and the spool around it.

    Where the spool cannot be used (a full disk, a directory that is not
    ours), the ring is in private memory and a line in the log says so: the
    application goes on, its events just do not outlive it.

    Args:
        options: Of the instance.

        project: Hash of API key and URL.

        clock: The time.

    Attributes:
        region: What the ring is made over.

        spool: The spool, None where the memory is private.

        file: The ring's file, None where the memory is private.

        is_consumed: Whether this process sends what is in the ring; if not,
            a relay does, or any other process.

        fault: Why there is no spool although one was asked for, in words.

    Raises:
        NativeError: There is no memory for the ring.
    """

    def __init__(self, options: Options, project: bytes, clock: Clock) -> None:
        self.spool: Spool | None = None
        self.file: RingFile | None = None
        self.fault: str | None = None
        self.is_consumed = options.delivery == "thread" and not forks_unseen()
        capacity = round_capacity(options.buffer_bytes)
        path = options.spool_path
        if path is not None:
            try:
                self._open(path, capacity, options, project, clock)
            except (OSError, SpoolError, NativeError) as error:
                self._fall_back(error)
        self.region: Region
        if self.file is None:
            self.region = PrivateRegion(capacity).format()
            # Nobody else finds it.
            self.is_consumed = True
        else:
            self.region = self.file.region

    def _open(
        self,
        path: str,
        capacity: int,
        options: Options,
        project: bytes,
        clock: Clock,
    ) -> None:
        self.spool = Spool(path, project, options.max_spool_bytes)
        self.file = self.spool.create(
            capacity,
            min_id_length=options.min_id_length,
            now_ms=int(clock.wall() * 1000),
            is_consumed=self.is_consumed,
        )
        if self.file.region.capacity < capacity:
            log(
                logging.WARNING,
                "small ring",
                "the spool has little room: the buffer has %d bytes instead "
                "of %d",
                self.file.region.capacity,
                capacity,
            )

    def _fall_back(self, error: Exception) -> None:
        self.fault = str(error)
        log(
            logging.WARNING,
            "no spool",
            "there is no spool, events are kept in memory alone and are lost "
            "if this process is killed: %s",
            error,
        )
        if self.spool is not None:
            self.spool.close()
        self.spool = None

    def close(self, *, is_done: bool) -> None:
        """
        Let go of the ring's file; it is removed if all in it *is_done*.
        """
        if self.file is not None:
            self.file.close(is_done=is_done)
        if self.spool is not None:
            self.spool.close()

    def abandon(self) -> None:
        """
        In a forked child: let go of the directories. The file is closed
        already, and its locks are the parent's.
        """
        if self.spool is not None:
            self.spool.close()
