# SPDX-License-Identifier: MIT
"""
One file of the backlog: what its name says, and the batch it holds while it
is leased for sending.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from ringamp.buffer.array import EventArray, array
from ringamp.buffer.folder import TEMPORARY, Folder

READY = ".json"
HELD = ".held"

_NAME = re.compile(
    r"(\d{13})-([0-9a-v]{26})-(0|[1-9]\d{0,11})-(0|[1-9]\d{0,5})"
    r"(\.json|\.held)",
    re.ASCII,
)


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
        events: EventArray,
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
