# SPDX-License-Identifier: MIT
"""
One file of the backlog: what its name says, and the batch it holds while it
is leased for sending.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from operator import methodcaller
from typing import NamedTuple, Protocol

import msgspec

from ringamp.bindings import lib
from ringamp.buffer.folder import TEMPORARY, Folder

READY = ".json"
HELD = ".held"

WHITE = b" \t\n\r"
"""What JSON calls white space: four digits of a checksum."""

SEAL_LENGTH = 16
"""Digits of 32 bits."""

_NAME = re.compile(
    r"(\d{13})-([0-9a-v]{26})-(0|[1-9]\d{0,11})-(0|[1-9]\d{0,5})"
    r"(\.json|\.held)",
    re.ASCII,
)

_begins_event = methodcaller("startswith", b'{"')


class LeaseLike(Protocol):
    """
    What is needed of a `Lease`.
    """

    @property
    def fd(self) -> int:
        """
        The descriptor of the open file.
        """

    def take(self, byte: int) -> bool:
        """
        Say whether the byte was free and is had now.
        """

    def close(self) -> None:
        """
        Give all back; a second call does nothing.
        """


class Label(NamedTuple):
    """
    What the name of a backlog file says; in the order they are sent.
    """

    created_ms: int
    owner: str
    number: int
    min_id_length: int
    state: str

    @classmethod
    def read(cls, name: str) -> Label | None:
        """
        Read a name, None where it is none of ours.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        created, owner, number, least, state = match.groups()
        return cls(int(created), owner, int(number), int(least), state)

    def __str__(self) -> str:
        return (
            f"{self.created_ms:013d}-{self.owner}-{self.number}"
            f"-{self.min_id_length}{self.state}"
        )


class Shelved:
    """
    A batch of the backlog, leased for sending.

    Attributes:
        name: The file's.

        events: Each event's bytes, as they were put.

        created_ms: When they were put.

        min_id_length: The option they were logged under.
    """

    def __init__(
        self,
        folder: Folder,
        lease: LeaseLike,
        name: str,
        label: Label,
        events: list[bytes],
        *,
        project: bytes,
    ) -> None:
        self._project = project
        self._folder = folder
        self._lease = lease
        self.name = name
        self.events = events
        self.created_ms = label.created_ms
        self.min_id_length = label.min_id_length

    def drop(self) -> None:
        """
        Remove the file: all its events have their ends.

        Raises:
            OSError: It could not be removed; the lease is given back.
        """
        try:
            # Before the lease ends: nobody may find it and send it again.
            self._folder.unlink(self.name)
        finally:
            self.close()

    def keep(self, from_index: int = 0) -> None:
        """
        Leave the events from *from_index* on to whoever comes next; those
        before it have their ends.

        Raises:
            OSError:
                The file could not be shortened. It is left as it was, so all
                its events will be sent again, with the same insert_ids.
        """
        if from_index >= len(self.events):
            self.drop()
            return
        try:
            if from_index > 0:
                # Left by somebody killed here; the lease makes it ours.
                self._folder.unlink(self.name + TEMPORARY)
                rest = self.events[from_index:]
                self._folder.write(self.name, array(rest, self._project))
        finally:
            self.close()

    def close(self) -> None:
        """
        Give the lease back and leave the file as it is.
        """
        self._lease.close()


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


def _crc(crc: int, chunk: bytes) -> int:
    return int(lib.ra_crc32c(crc, chunk, len(chunk)))


def _seal(crc: int) -> bytes:
    """
    Write a checksum in white space, which JSON allows behind the array: what
    changes on a disk is noticed, and any program can read the file.
    """
    return bytes(WHITE[crc >> 2 * digit & 3] for digit in range(SEAL_LENGTH))


def read_array(data: bytes, project: bytes = b"") -> list[bytes]:
    """
    Read a JSON array of events, each as its bytes.

    Raises:
        ValueError: It is none, or not as it was sealed as *project*'s.
        RecursionError: It is nested too deeply.
    """
    content = data.rstrip(WHITE)
    seal = data[len(content) :]
    # None, or a line's end: somebody has written the file by hand.
    if seal not in {b"", b"\n"} and seal != _seal(
        _crc(_crc(0, project), content)
    ):
        raise ValueError(
            "has changed since it was written, or is another project's"
        )
    try:
        # The decoder skips over strings; it does not look into them.
        str(data, "utf-8")
        raws = msgspec.json.decode(data, type=list[msgspec.Raw])
    except ValueError as error:
        raise ValueError(f"is no JSON array ({error})") from error
    events = [*map(bytes, raws)]
    if not events or not all(map(_begins_event, events)):
        raise ValueError("holds no events")
    return events
