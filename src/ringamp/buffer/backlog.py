# SPDX-License-Identifier: MIT
"""
Batches on disk that could not be sent yet: one file each, oldest first.

    <ms, 13 digits>-<owner>-<n>-<min_id_length>.json   may be sent by anyone
    <the same>.held                                    still held in memory
    <the same>.json.tmp                                not whole yet
    <the same>.json.bad                                no batch; left for you

A file is one JSON array of events, byte for byte as they are sent, so an
event has the same insert_id however often and by whomever it is sent. Behind
it a checksum of project and events stands in white space. *owner* is the text
of the ring the events left, *n* counts.

Who may do what:
    Whoever has the lease on a .json file (its byte 1) may send, rewrite or
    remove it. A living process removes the .held files of its own ring as the
    events in its memory have their ends; whoever adopts its ring renames them
    to .json first. Everything else is left alone.

Invariant: an event that was put here is in one whole file until it has its
end, or the file was trimmed, which is told with the number of its events.

When someone dies half-way: while putting, the batch was not taken and the
.tmp file is swept later; while sending, the kernel frees the lease and the
next one sends it again, with the same insert_ids; while shortening a file,
the old one or the new one is there, whole.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress

from ringamp.buffer.array import EventArray, array, read_array
from ringamp.buffer.folder import NO_FILE, TEMPORARY, Folder
from ringamp.buffer.lease import CONSUMER, Lease
from ringamp.buffer.shelved import (
    HELD,
    READY,
    Label,
    LeaseLike,
    Shelved,
)
from ringamp.errors import SpoolError

BAD = ".bad"

LARGEST = 1 << 26
"""More than any batch: a request has at most 20 MB."""

STALE_MS = 60_000
"""A .tmp file that old has no writer any more."""

_LAST_MS = 10**13 - 1
# Not to be had by us, whatever it is: no file, or not ours to read.
_UNFIT = {*NO_FILE, errno.EACCES, errno.EPERM, errno.ENODEV}
# One for all backlogs of a process: two never use a name twice.
_counter = itertools.count()


class Backlog:
    """
    The backlog files of one folder.

    Args:
        folder: Where they are; not closed here.

        lease_open: Opens a file that can be leased.

        project: Whose the events are; goes into the checksums, so that a
            file from elsewhere is not taken.
    """

    def __init__(
        self,
        folder: Folder,
        lease_open: Callable[[int, str], LeaseLike] = Lease.open,
        project: bytes = b"",
    ) -> None:
        self._project = project
        self._folder = folder
        self._lease_open = lease_open

    def put(
        self,
        events: Sequence[bytes],
        *,
        now_ms: int,
        owner: str,
        min_id_length: int,
        held: bool = False,
    ) -> str:
        """
        Write a batch; it is there when this returns.

        Args:
            events: At least one, each a JSON object.

            now_ms: The wall clock.

            owner: The text of the ring they left.

            min_id_length: The option they were logged under.

            held: This process still has them in memory.

        Returns:
            The file's name.

        Raises:
            OSError: It could not be written; nothing of it is left.
        """
        if not events:
            raise ValueError("a batch without events cannot be put")
        label = Label(
            min(max(now_ms, 0), _LAST_MS),
            owner,
            next(_counter),
            min_id_length,
            HELD if held else READY,
        )
        name = str(label)
        if Label.read(name) != label:
            raise ValueError(f"{name!r} is no name of a backlog file")
        self._folder.write(name, array(events, self._project))
        return name

    def free(self, owner: str) -> list[str]:
        """
        Let all that *owner* held be sent by anyone; return the new names.
        """
        return [
            self.free_one(str(label))
            for label in self._labels(HELD)
            if label.owner == owner
        ]

    def free_one(self, name: str) -> str:
        """
        Let one held file be sent by anyone; return its new name.

        It may be gone already: its owner's end is seen by several processes.
        """
        free = name.removesuffix(HELD) + READY
        with suppress(FileNotFoundError):
            self._folder.rename(name, free)
        return free

    def held(self) -> list[tuple[str, str]]:
        """
        List what living or dead processes hold: names and owners.
        """
        return [(str(one), one.owner) for one in self._labels(HELD)]

    def drop(self, name: str) -> None:
        """
        Remove a file of this process; it may be gone already.
        """
        self._folder.unlink(name)

    def names(self) -> list[str]:
        """
        List what may be sent, oldest first.
        """
        return [str(label) for label in self._labels(READY)]

    def take(self, name: str, limit: int = LARGEST) -> Shelved | None:
        """
        Lease a file for sending and read it.

        Returns:
            The batch; None if another process has it, or it has gone.

        Raises:
            SpoolError:
                It is no batch of ours, or over *limit* bytes. It has been
                renamed to `<name>.bad` and will not be found again.

            OSError: It could not be opened or read.
        """
        label = Label.read(name)
        if label is None or label.state != READY:
            return None
        try:
            lease = self._lease_open(self._folder.fd, name)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in _UNFIT:
                raise
            self._quarantine(name)
            raise SpoolError(
                f"{self._folder.path}/{name}: {error.strerror}; "
                "only a regular file of ours is allowed",
            ) from error
        shelved = None
        try:
            # Another one may have removed or rewritten it since it was
            # opened, then this descriptor leads to what is no more.
            if lease.take(CONSUMER) and self._folder.holds(name, lease.fd):
                events = self._read(lease.fd, name, limit)
                shelved = Shelved(
                    self._folder,
                    lease,
                    name,
                    label,
                    events,
                    project=self._project,
                )
        except SpoolError:
            self._quarantine(name)
            raise
        finally:
            if shelved is None:
                lease.close()
        return shelved

    def used(self) -> int:
        """
        Bytes that all its files have together.
        """
        return sum(map(self._folder.size, self._folder.names()))

    def trim(self, max_bytes: int) -> list[tuple[str, int]]:
        """
        Remove files until at most *max_bytes* are used: first what is
        quarantined, then the oldest that may be sent and that nobody sends.

        Returns:
            Name and number of events of each that might have been sent.
        """
        sizes = {
            name: self._folder.size(name) for name in self._folder.names()
        }
        used = sum(sizes.values())
        for name, its_size in sizes.items():
            if its_size and name.endswith(BAD) and used > max_bytes:
                self._folder.unlink(name)
                used -= its_size
        trimmed = []
        for label in sorted(filter(None, map(Label.read, sizes))):
            name = str(label)
            if used <= max_bytes:
                break
            try:
                count = self._remove(name)
            except OSError:
                # The next one may do; those removed so far must be told.
                continue
            if count is not None:
                used -= sizes[name]
                trimmed.append((name, count))
        return trimmed

    def sweep(self, now_ms: int) -> list[str]:
        """
        Remove what killed writers left unfinished; return the names.
        """
        swept = []
        for name in self._folder.names():
            written = (
                self._folder.modified_ms(name)
                if name.endswith(TEMPORARY)
                else None
            )
            # Of the future too: the clock was set back.
            if written is not None and abs(now_ms - written) > STALE_MS:
                self._folder.unlink(name)
                swept.append(name)
        return swept

    def _remove(self, name: str) -> int | None:
        """
        Remove what nobody sends; return how many events it had, None where
        it is left.
        """
        try:
            shelved = self.take(name)
        except SpoolError:
            # Quarantined just now; there is no room even for that.
            self._folder.unlink(name + BAD)
            return 0
        if shelved is None:
            return None
        shelved.drop()
        return len(shelved.events)

    def _labels(self, state: str) -> list[Label]:
        found = map(Label.read, self._folder.names())
        return sorted(one for one in found if one and one.state == state)

    def _read(self, fd: int, name: str, limit: int) -> EventArray:
        data = self._folder.read_open(fd, name, limit)
        try:
            return read_array(data, self._project)
        except (ValueError, RecursionError) as error:
            raise SpoolError(
                f"{self._folder.path}/{name}: {error}; "
                "only an array of events is allowed",
            ) from error

    def _quarantine(self, name: str) -> None:
        # Gone: somebody else has done it.
        with suppress(FileNotFoundError):
            self._folder.rename(name, name + BAD)
