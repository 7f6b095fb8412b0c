# SPDX-License-Identifier: MIT
"""
A file of the spool that may be locked: `Lease`.

The kernel says who lives: a lock ends with its process, however that ends.
A child of a fork closes what it inherited and unlocks nothing (lease.c).
"""

from __future__ import annotations

import errno
import os

from ringamp.bindings import generation, lease_close, lease_open, lib

PRODUCER = 0
"""The byte that is locked by the process that pushes, while it lives."""

CONSUMER = 1
"""The byte that is locked by the process that sends."""

_TAKEN = errno.EAGAIN


def _error(number: int, name: str) -> OSError:
    return OSError(number, os.strerror(number), name)


class Lease:
    """
    An open file, and the locks that are held on its bytes.

    Attributes:
        fd: Its descriptor.
    """

    __slots__ = ("_generation", "_is_open", "fd", "name")

    def __init__(self, fd: int, name: str) -> None:
        self.fd = fd
        self.name = name
        self._generation = generation()
        self._is_open = True

    @classmethod
    def open(cls, directory: int, name: str, *, create: bool = False) -> Lease:
        """
        Open *name* in *directory*, never through a link.

        Args:
            directory: Its descriptor.

            name: Of the file.

            create: Make it; it must not be there.

        Raises:
            OSError: As of open(2).
        """
        # Others may have made a name that is no text.
        fd = lease_open(directory, os.fsencode(name), create)
        if fd < 0:
            raise _error(-fd, name)
        return cls(fd, name)

    def take(self, byte: int) -> bool:
        """
        Lock *byte*; False where another open file has it.

        Raises:
            OSError: The file system knows no such locks.
        """
        failed = lib.ra_lease_take(self.fd, byte)
        if failed and failed != _TAKEN:
            raise _error(failed, self.name)
        return not failed

    def give(self, byte: int) -> None:
        """
        Unlock *byte*.

        Raises:
            OSError: It could not be.
        """
        failed = lib.ra_lease_give(self.fd, byte)
        if failed:
            raise _error(failed, self.name)

    def close(self) -> None:
        """
        Unlock all and close. Of what a fork inherited there is nothing left
        to close, and the lock is the parent's.
        """
        if self._is_open and self._generation == generation():
            self._is_open = False
            lease_close(self.fd)
