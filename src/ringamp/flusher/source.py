# SPDX-License-Identifier: MIT
"""
What a delivery needs of where its events come from: a ring of this process,
one that was adopted, or the backlog.
"""

from __future__ import annotations

from typing import Protocol

from ringamp.buffer.batch import Batch
from ringamp.buffer.window import Window


class Source(Protocol):
    """
    Where a delivery takes its events from.
    """

    def fill(
        self,
        head: bytes,
        tail: bytes,
        *,
        max_count: int,
        max_bytes: int,
    ) -> Batch | None:
        """
        Take the next events as a request body; None where there are none.
        """

    def reuse(self, batch: Batch) -> None:
        """
        Take back the buffer of a batch that nobody looks at any more.
        """


class RingSource(Source, Protocol):
    """
    A source that is a ring.
    """

    @property
    def capacity(self) -> int:
        """
        Bytes of records.
        """

    @property
    def claimed(self) -> int:
        """
        Records taken so far.
        """

    @property
    def pushed(self) -> int:
        """
        Records ever pushed.
        """

    @property
    def used(self) -> int:
        """
        Bytes in use.
        """

    @property
    def unclaimed(self) -> tuple[int, int]:
        """
        The positions that were pushed and not taken yet.
        """

    def deal(
        self,
        head: bytes,
        tail: bytes,
        *,
        tracks: int,
        max_count: int,
        max_bytes: int,
    ) -> tuple[Window, list[Batch]] | None:
        """
        Take the next events as a request body for each of several uploads;
        None where there are none.
        """

    def release(self, end: int) -> None:
        """
        Give back everything before *end*.
        """
