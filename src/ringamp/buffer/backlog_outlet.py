# SPDX-License-Identifier: MIT
"""
The backlog as something that batches come out of, as they do of a ring.

One file is leased at a time, and one run of its events is out at a time. When
all of the run have their ends the next run comes out, and after the last one
the file is removed. A file that could not be sent is put back and rests,
while others are tried: one that the service always fails on must not keep the
rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ringamp.buffer.backlog import Backlog
from ringamp.buffer.batch import Batch, Pin
from ringamp.buffer.region import new_ring_id
from ringamp.buffer.shelved import Label, Shelved
from ringamp.buffer.spool import ring_text
from ringamp.errors import SpoolError
from ringamp.logs import log

RESTING_MAX = 10_000
"""Files that are remembered as resting; beyond it all are forgotten."""


class BacklogOutlet:
    """
    Batches out of the backlog, oldest first.

    Args:
        backlog: Where the files are.

    Attributes:
        created_ms: When what is out was put on disk; ms since the epoch.

        min_id_length: The option that it was logged under.

        taken: Events that came out so far and were not put back.

        quarantined: Files so far that held no batch, and were put aside.
    """

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._file: Shelved | None = None
        self._done = 0
        self._out = 0
        self._returns = False
        self._pin: Pin | None = None
        self._names: list[str] = []
        self._resting: set[str] = set()
        # A file that keeps the moment of another one would have that one's
        # name, with its owner and a number that both processes have reached.
        self._owner = ring_text(new_ring_id())
        self.created_ms = 0
        self.min_id_length = 0
        self.taken = 0
        self.quarantined = 0

    def peek(self) -> int:
        """
        Lease the next file; the *min_id_length* it was logged under.
        """
        self._open_next()
        return self.min_id_length

    def look(self) -> bool:
        """
        See what is on disk; False where nothing can be taken. Files that
        rest are found by the look after one that found nothing else.

        Raises:
            OSError: The directory cannot be read.
        """
        if self._file is None and not self._names:
            found = self._backlog.names()
            self._names = [n for n in found if n not in self._resting]
            if not self._names:
                self._resting.clear()
            self._names.reverse()
        return self._file is not None or bool(self._names)

    def fill(
        self,
        head: bytes,
        tail: bytes,
        *,
        max_count: int,
        max_bytes: int,
    ) -> Batch | None:
        """
        Take the next run of events; None while one is out, or where there is
        nothing.
        """
        if self._out or not self._open_next():
            return None
        file = self._file
        if file is None:
            return None
        events, start = file.events, self._done
        room = max_bytes - len(head) - len(tail)
        end = events.end_of_run(start, max_count, room)
        count = end - start
        batch = Batch(
            b"".join((head, events.joined(start, end), tail)),
            events.offsets(start, end, len(head)),
            (start, range(start, end), end),
        )
        self._out = count
        self.taken += count
        batch.pins = self._pin = Pin(count, self._end_run)
        return batch

    def put_back(self, count: int) -> None:
        """
        Have what is out put back when the rest of its run has its ends:
        *count* of its events have none.
        """
        self.taken -= count
        self._returns = True

    def put_anew(self, batch: Batch, indexes: Sequence[int]) -> bool:
        """
        Put some events of what is out into a file of their own, which rests;
        False where there is no room for it.
        """
        file = self._file
        if file is None:
            return False
        label = Label.read(file.name)
        if label is None:
            return False
        try:
            name = self._backlog.put(
                [batch.event_bytes(index) for index in indexes],
                now_ms=label.created_ms,
                owner=self._owner,
                min_id_length=label.min_id_length,
            )
        except OSError:
            return False
        self.taken -= len(indexes)
        self._rest(name)
        return True

    def reuse(self, batch: Batch) -> None:
        """
        Nothing: its buffers are no ring's.
        """

    def close(self) -> None:
        """
        Put the open file back, less what has its end.
        """
        if self._pin is not None and self._out:
            self.taken -= self._pin.left
        self._put_back()

    def _open_next(self) -> bool:
        while self._file is None and self._names:
            name = self._names.pop()
            try:
                self._file = self._backlog.take(name)
            except (SpoolError, OSError) as error:
                self.quarantined += isinstance(error, SpoolError)
                log(
                    logging.ERROR,
                    "backlog",
                    "a file of the backlog cannot be sent: %s",
                    error,
                )
        if self._file is None:
            return False
        self.created_ms = self._file.created_ms
        self.min_id_length = self._file.min_id_length
        return True

    def _end_run(self) -> None:
        if self._returns:
            self._put_back()
            return
        self._done += self._out
        self._out = 0
        file = self._file
        if file is not None and self._done >= len(file.events):
            self._file, self._done = None, 0
            _guarded(file.drop, file.name)

    def _put_back(self) -> None:
        file, done = self._file, self._done
        self._file, self._done, self._out = None, 0, 0
        self._returns = False
        if file is None:
            return
        self._rest(file.name)
        _guarded(lambda: file.keep(done), file.name)

    def _rest(self, name: str) -> None:
        if len(self._resting) >= RESTING_MAX:
            self._resting.clear()
        self._resting.add(name)


def _guarded(change: Callable[[], None], name: str) -> None:
    """
    Change a file; where the disk refuses, its events are sent again, with the
    same insert_ids.
    """
    try:
        change()
    except OSError as error:
        log(
            logging.ERROR,
            "backlog change",
            "the backlog file %s cannot be changed, its events will be sent "
            "again: %s",
            name,
            error,
        )
