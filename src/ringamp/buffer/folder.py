# SPDX-License-Identifier: MIT
"""
One directory of the spool, and every call to the file system it needs.

A spool may lie where others can write too (`/dev/shm`), so nothing in it is
trusted by its name. A directory is opened once, checked once and held by its
descriptor; all that happens in it is relative to that descriptor. No link is
followed, no other user's directory or file is used, and a file is checked
after it was opened, never before.

What is promised is the death of the process at any instant, not of the
machine: nothing is forced to the disk. A file appears under its name when it
is whole, or not at all; a line that was appended is whole, or the last of its
file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ringamp.buffer.writing import Bytes, append_lines, write_chunks
from ringamp.errors import SpoolError

TEMPORARY = ".tmp"
"""Ends the name of a file that is not whole yet."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO that somebody put there must not wait.
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_WIDE_OPEN = stat.S_IWGRP | stat.S_IWOTH
_SPARE = 4096

NO_FILE = {
    errno.ELOOP: "is a link",
    errno.EISDIR: "is a directory",
    errno.ENXIO: "is a FIFO or a socket",
}
"""What an open tells by its error about a thing that is no regular file."""


class Folder:
    """
    A directory of ours, held open.

    Any thread may use it, and so may a child: no call moves an offset that
    two processes share.

    Attributes:
        fd: The descriptor, for what is opened elsewhere; -1 when closed.

        path: Where it was, for messages.
    """

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self.path = path
        self._identity = _identity(fd)

    @classmethod
    def open(cls, path: str) -> Folder:
        """
        Open the directory at *path*, made with its parents if it is missing.

        What is made is for its user alone (0700). What is there may be read
        by others, since the user chose it; nobody else may write to it,
        unless it is sticky.

        Raises:
            SpoolError: It is a link, no directory, or open to others.
            OSError: The system refused, for example a read-only disk.
        """
        if not path or "\0" in path:
            raise SpoolError(f"{path!r}: no path; a directory is needed")
        # Without what a trailing slash does: it would follow a link.
        plain = Path(path)
        try:
            fd = _open_directory(str(plain), None, str(plain))
        except FileNotFoundError:
            _make(plain)
            fd = _open_directory(str(plain), None, str(plain))
        with _closed_on_error(fd):
            mode = _checked_directory(fd, str(plain))
            if mode & _WIDE_OPEN and not mode & stat.S_ISVTX:
                raise SpoolError(
                    f"{plain}: others may write to it (mode {mode:04o}); "
                    "at most 0755 is allowed, or a sticky directory",
                )
        return cls(fd, str(plain))

    def child(self, name: str) -> Folder:
        """
        Open the directory *name* in this one, made if it is missing.

        It is for its user alone (0700); others' leave to read is taken away.

        Raises:
            SpoolError: It is a link, no directory, or open to others.
            OSError: The system refused.
        """
        path = self._path(name)
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self.fd)
        fd = _open_directory(name, self.fd, path)
        with _closed_on_error(fd):
            mode = _checked_directory(fd, path)
            if mode & _WIDE_OPEN:
                raise SpoolError(
                    f"{path}: others may write to it (mode {mode:04o}); "
                    "only 0700 is allowed",
                )
            if mode & 0o777 != 0o700:
                os.fchmod(fd, 0o700)
        return Folder(fd, path)

    def names(self) -> list[str]:
        """
        List what is here, sorted.
        """
        # Opened anew: a descriptor has one offset for all who inherited it.
        fd = os.open(".", _DIRECTORY, dir_fd=self.fd)
        try:
            with os.scandir(fd) as entries:
                return sorted(entry.name for entry in entries)
        finally:
            os.close(fd)

    def write(self, name: str, chunks: Iterable[Bytes]) -> int:
        """
        Write a file that appears under *name* when it is whole.

        Returns:
            Its size.

        Raises:
            OSError: It could not be written; nothing of it is left.
        """
        temporary = name + TEMPORARY
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        fd = self._open(temporary, flags)
        try:
            try:
                size = write_chunks(fd, chunks)
            finally:
                os.close(fd)
            self.rename(temporary, name)
        except BaseException:
            with suppress(OSError):
                self.unlink(temporary)
            raise
        return size

    def append(self, name: str, data: bytes) -> None:
        """
        Append whole lines to a file, made if it is missing.

        Several processes may do so at once: one call writes all. Where the
        disk takes a part only, that part is cut off again, unless another
        process has written behind it. A line that a killed process left
        unended is ended first.

        Raises:
            SpoolError: It is no regular file of ours.
            OSError: The lines could not be written.
        """
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        fd = self._open(name, flags)
        try:
            self._checked_file(fd, name)
            append_lines(fd, data)
        finally:
            os.close(fd)

    def read(self, name: str, limit: int) -> bytes:
        """
        Read the file *name*.

        Raises:
            SpoolError: It is no regular file of ours, or over *limit* bytes.
            OSError: It is missing, or cannot be read.
        """
        fd = self._open(name, os.O_RDONLY)
        try:
            return self.read_open(fd, name, limit)
        finally:
            os.close(fd)

    def read_open(self, fd: int, name: str, limit: int) -> bytes:
        """
        Read the file *name* that is open as *fd*, as `read` does.
        """
        size = self._checked_file(fd, name).st_size
        parts: list[bytes] = []
        total = 0
        while size <= limit:
            # More than it had: it may grow while it is read.
            part = os.pread(fd, size - total + _SPARE, total)
            if not part:
                return b"".join(parts)
            parts.append(part)
            total += len(part)
            size = max(size, total)
        raise SpoolError(
            f"{self._path(name)}: has {size} bytes; {limit} are allowed",
        )

    def holds(self, name: str, fd: int) -> bool:
        """
        Is the file that is open as *fd* still the one called *name*?
        """
        mine = os.fstat(fd)
        there = self._stat(name)
        return there is not None and (mine.st_dev, mine.st_ino) == (
            there.st_dev,
            there.st_ino,
        )

    def rename(self, old: str, new: str) -> None:
        """
        Rename *old*, in place of what is called *new*.
        """
        self._path(old)
        self._path(new)
        os.rename(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def unlink(self, name: str) -> None:
        """
        Remove *name*; it may be gone already.
        """
        self._path(name)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def size(self, name: str) -> int:
        """
        Return the bytes of a regular file, 0 when there is none.
        """
        there = self._stat(name)
        return there.st_size if there and stat.S_ISREG(there.st_mode) else 0

    def modified_ms(self, name: str) -> int | None:
        """
        Return when a file was last written to, None when there is none.
        """
        there = self._stat(name)
        if there is None or stat.S_ISDIR(there.st_mode):
            return None
        return there.st_mtime_ns // 1_000_000

    def free_bytes(self) -> int:
        """
        Return how much the file system still takes.
        """
        facts = os.fstatvfs(self.fd)
        return facts.f_bavail * facts.f_frsize

    def close(self) -> None:
        """
        Let the directory go. A second call does nothing.

        A daemon may have closed what it inherited and opened something else
        under the same number; that is left alone.
        """
        fd, self.fd = self.fd, -1
        with suppress(OSError):
            if _identity(fd) == self._identity:
                os.close(fd)

    def _path(self, name: str) -> str:
        """
        Return the path of *name*, which must be a name and no way out.
        """
        if name in {"", ".", ".."} or "/" in name or "\0" in name:
            raise SpoolError(f"{self.path}: {name!r} is no name of a file")
        return f"{self.path}/{name}"

    def _open(self, name: str, flags: int) -> int:
        path = self._path(name)
        try:
            return os.open(name, flags | _FILE, 0o600, dir_fd=self.fd)
        except OSError as error:
            if error.errno in NO_FILE:
                raise SpoolError(
                    f"{path}: {NO_FILE[error.errno]}; "
                    "only a regular file is allowed",
                ) from error
            raise

    def _stat(self, name: str) -> os.stat_result | None:
        self._path(name)
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _checked_file(self, fd: int, name: str) -> os.stat_result:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise SpoolError(
                f"{self._path(name)}: is no regular file; "
                "nothing else is allowed",
            )
        _check_owner(facts, self._path(name))
        return facts


def _make(path: Path) -> None:
    """
    Make a directory and the parents it lacks; others may do so meanwhile.
    """
    with suppress(FileExistsError):
        try:
            path.mkdir(0o700)
        except FileNotFoundError:
            if path.parent == path:
                raise
            _make(path.parent)
            path.mkdir(0o700)


def _open_directory(name: str, parent: int | None, path: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
            raise
        # Of a link, O_DIRECTORY too says only that it is no directory.
        there = os.stat(name, dir_fd=parent, follow_symlinks=False)
        is_link = stat.S_ISLNK(there.st_mode)
        raise SpoolError(
            f"{path}: is {'a link' if is_link else 'no directory'}; "
            "only a directory is allowed",
        ) from error


def _identity(fd: int) -> tuple[int, int]:
    facts = os.fstat(fd)
    return facts.st_dev, facts.st_ino


def _checked_directory(fd: int, path: str) -> int:
    facts = os.fstat(fd)
    _check_owner(facts, path)
    return stat.S_IMODE(facts.st_mode)


def _check_owner(facts: os.stat_result, path: str) -> None:
    user = os.geteuid()
    if facts.st_uid != user:
        raise SpoolError(
            f"{path}: belongs to user {facts.st_uid}; "
            f"only user {user}, who runs this, is allowed",
        )


@contextmanager
def _closed_on_error(fd: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(fd)
        raise
