# SPDX-License-Identifier: MIT
"""
The bytes of a backlog file: a JSON array of events, and a checksum in the
white space behind it.

A file has thousands of events, and after an outage there are thousands of
files. So an array is read as one piece: its events are cut out when somebody
asks for one, and mostly nobody does (`benchmarks.outage`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import overload

import msgspec

from ringamp.bindings import ffi, lib

WHITE = b" \t\n\r"
"""What JSON calls white space: four digits of a checksum."""

SEAL_LENGTH = 16
"""Digits of 32 bits."""


class EventArray(Sequence[bytes]):
    """
    Events with a comma between each two, and nothing else.

    Args:
        data: Has them.

        edges: Event i is `data[edges[i] : edges[i + 1] - 1]`.
    """

    __slots__ = ("_data", "_edges")

    def __init__(self, data: bytes, edges: list[int]) -> None:
        self._data = data
        self._edges = edges

    def __len__(self) -> int:
        return len(self._edges) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        return self._data[self._edges[at] : self._edges[at + 1] - 1]

    def __repr__(self) -> str:
        return f"<{len(self)} events>"

    def joined(self, start: int, end: int) -> memoryview:
        """
        The events from *start* up to *end*, with commas between them.
        """
        first, last = self._edges[start], self._edges[end] - 1
        return memoryview(self._data)[first:last]

    def offsets(self, start: int, end: int, at: int) -> list[int]:
        """
        Where these events begin in a body where the first begins *at*, and
        one behind the byte that follows the last.
        """
        shift = (at - self._edges[start]).__add__
        return [*map(shift, self._edges[start : end + 1])]

    def end_of_run(self, start: int, max_count: int, room: int) -> int:
        """
        Say where events from *start* on end that are at most *max_count* and
        take at most *room* bytes with their commas; it is one at least.
        """
        most = min(start + max_count, len(self))
        limit = self._edges[start] + room
        end = bisect_right(self._edges, limit, start + 1, most + 1) - 1
        return max(end, start + 1)


def array(events: Sequence[bytes], project: bytes) -> Iterator[bytes]:
    """
    Yield a JSON array of *events*, sealed as *project*'s.
    """
    crc = _crc(0, project)
    before = b"["
    for event in events:
        for chunk in (before, event):
            crc = _crc(crc, chunk)
            yield chunk
        before = b","
    yield b"]"
    yield _seal(_crc(crc, b"]"))


def _crc(crc: int, chunk: bytes | memoryview) -> int:
    return int(lib.ra_crc32c(crc, ffi.from_buffer(chunk), len(chunk)))


def _seal(crc: int) -> bytes:
    """
    Write a checksum in white space, which JSON allows behind the array: what
    changes on a disk is noticed, and any program can read the file.
    """
    return bytes(WHITE[crc >> 2 * digit & 3] for digit in range(SEAL_LENGTH))


def read_array(data: bytes, project: bytes = b"") -> EventArray:
    """
    Read a JSON array of events.

    Raises:
        ValueError: It is none, or not as it was sealed as *project*'s.
        RecursionError: It is nested too deeply.
    """
    # Not stripped: that would copy it.
    end = data.rfind(b"]") + 1
    seal = data[end:]
    # None, or a line's end: somebody has written the file by hand.
    if seal not in {b"", b"\n"} and seal != _seal(
        _crc(_crc(0, project), memoryview(data)[:end])
    ):
        raise ValueError(
            "has changed since it was written, or is another project's"
        )
    try:
        # The decoder skips over strings; it does not look into them.
        if not data.isascii():
            str(data, "utf-8")
        raws = msgspec.json.decode(data, type=list[msgspec.Raw])
    except ValueError as error:
        raise ValueError(f"is no JSON array ({error})") from error
    steps = map((1).__add__, map(len, raws))
    edges = [*accumulate(steps, initial=1)]
    if edges[-1] != end:
        # White space between the events: not written by us.
        data = b"[%b]" % b",".join(map(bytes, raws))
    if not raws or not _are_events(data, edges[:-1]):
        raise ValueError("holds no events")
    return EventArray(data, edges)


def _are_events(data: bytes, starts: list[int]) -> bool:
    """
    Whether an object with a member begins at each of these.
    """
    seconds = map((1).__add__, starts)
    return {*map(data.__getitem__, starts)} == {ord("{")} and {
        *map(data.__getitem__, seconds)
    } == {ord('"')}
