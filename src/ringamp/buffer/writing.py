# SPDX-License-Identifier: MIT
"""
Writing to open files: all of it, or an error and no half line.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

Bytes = bytes | bytearray | memoryview

_AT_ONCE = 1 << 18


def write_chunks(fd: int, chunks: Iterable[Bytes]) -> int:
    """
    Write all of *chunks*, in few calls; return how many bytes they are.
    """
    size = 0
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        if len(waiting) >= _AT_ONCE:
            size += _write_all(fd, waiting)
            waiting = bytearray()
    return size + _write_all(fd, waiting)


def _write_all(fd: int, data: Bytes) -> int:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    return len(data)


def _is_unended(fd: int) -> bool:
    """
    Is the last line without an end, and nobody writing it?
    """
    size = -1
    while size != (now := os.fstat(fd).st_size):
        size = now
        if not size or os.pread(fd, 1, size - 1) == b"\n":
            return False
        # A line that grows at this moment looks the same. This call has to
        # wait until a write under way is done.
        os.fchmod(fd, 0o600)
    return True


def append_lines(fd: int, data: bytes) -> None:
    """
    Append whole lines in one call, to a file opened with O_APPEND.

    Where the system takes a part only, the rest follows; where it refuses
    that, the part is cut off again, unless another process has written
    behind it. A line that was left unended is ended first.
    """
    if _is_unended(fd):
        data = b"\n" + data
    taken = os.write(fd, data)
    start = os.lseek(fd, 0, os.SEEK_CUR) - taken
    rest = memoryview(data)[taken:]
    try:
        while rest:
            rest = rest[os.write(fd, rest) :]
    except OSError:
        end = start + len(data) - len(rest)
        # Both differ where another process has appended in between.
        if end == os.lseek(fd, 0, os.SEEK_CUR) == os.fstat(fd).st_size:
            os.ftruncate(fd, start)
        raise
