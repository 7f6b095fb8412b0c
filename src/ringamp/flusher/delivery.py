# SPDX-License-Identifier: MIT
"""
What is between one source and the service: trips of batches, and what is done
about them when there is no room, no service or no time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ringamp.buffer.batch import Batch
from ringamp.flusher.keeping import DISK_PAUSE
from ringamp.flusher.line import Line
from ringamp.flusher.trip import Trip
from ringamp.status import Response, Status

CROWDED = 0.75
"""Part of the ring that may be used while only the newest events are kept."""

RELIEVED = 0.25
"""Part of the ring that is left in use when events go to the backlog: that
begins at half, and files of a few events would be many."""

OUT = Response(
    Status.QUEUED,
    error="the service cannot be reached and the buffer fills",
)


class Delivery(Trip):
    """
    Trips, and their ends before time. As `Trip`, of which it takes the
    arguments.
    """

    # When a disk that was full is tried again.
    _disk_due: float | None = None

    def make_room(self, keep_newest: int | None) -> float | None:
        """
        Make room for new events while nothing can be sent: keep so many of
        them, or put the oldest on disk.

        Returns:
            None; or when to try again, where the disk takes nothing now.
        """
        return (
            self.relieve() if keep_newest is None else self.evict(keep_newest)
        )

    def evict(self, keep: int) -> float | None:
        """
        Give up the oldest events until at most *keep* are left, and the ring
        has room for new ones.

        Returns:
            None; or when to try again, where the disk takes nothing now.
        """
        ring = self._ring
        if ring is None or self._is_disk_full():
            return self._disk_due
        waiting = ring.pushed - ring.claimed
        excess = waiting + sum(len(b) for _, b in self._line) - keep
        response = Response(
            Status.DROPPED,
            error=f"older than the {keep} newest events, which are kept "
            "while the service cannot be reached",
        )
        while self._line and excess > 0:
            due, batch = self._line.popleft()
            oldest = range(min(excess, len(batch)))
            rest = batch.select(range(len(oldest), len(batch)))
            if not self._put_away(batch, oldest, response):
                self._line.appendleft((due, batch))
                return self._disk_due
            excess -= len(oldest)
            if len(rest):
                self._line.appendleft((due, rest))
            self._recycle(batch)
        most = int(ring.capacity * CROWDED)
        while excess > 0 or ring.used > most:
            filled = self._fill(
                min(max(excess, 1), self._options.max_events),
                self._options.max_bytes,
            )
            if filled is None:
                break
            if not self._put_away(filled, range(len(filled)), response):
                self._line.append((0.0, filled))
                return self._disk_due
            excess -= len(filled)
            self._recycle(filled)
        return None

    def relieve(self) -> float | None:
        """
        Put events into the backlog, oldest first, where the ring is half
        full while the service is out.

        Returns:
            None; or when to try again, where the disk takes nothing now.
        """
        ring, outage = self._ring, self._keeper.outage
        if ring is None or outage is None or 2 * ring.used < ring.capacity:
            return None
        if self._is_disk_full():
            return self._disk_due
        if not outage.is_on:
            outage.note_failure(self._clock.monotonic())
        waiting, self._line = self._line, Line()
        while waiting:
            _, batch = waiting[0]
            if not self._put_away(batch, range(len(batch)), OUT):
                self._line = waiting
                return self._disk_due
            waiting.popleft()
            self._recycle(batch)
        while ring.used > ring.capacity * RELIEVED:
            filled = self._fill(
                self._options.max_events, self._options.max_bytes
            )
            if filled is None:
                break
            if not self._put_away(filled, range(len(filled)), OUT):
                self._line.append((outage.next_try, filled))
                return self._disk_due
            self._recycle(filled)
        return None

    def _is_disk_full(self) -> bool:
        if self._disk_due is None:
            return False
        if self._clock.monotonic() >= self._disk_due:
            self._disk_due = None
        return self._disk_due is not None

    def _put_away(
        self, batch: Batch, indexes: Sequence[int], response: Response
    ) -> bool:
        """
        Give up some events; False where the disk is full. Then they keep
        their time in the line: the service may be back before there is room.
        """
        measure = self._keeper.lose(batch, indexes, response)
        if self._carry_out(batch, measure, response) is None:
            return True
        self._disk_due = self._clock.monotonic() + DISK_PAUSE
        return False

    def give_up(self, response: Response) -> None:
        """
        Leave all that is in the line, the lanes and the ring to others, or
        drop it where nobody else can find it. For good: what a request under
        way would bring back is given up as well.
        """
        self._end = response
        self.drop_waiting(response)
        left = self._keeper.leave()
        if left is not None:
            self._leave_rest(left)
            return
        while True:
            filled = self._fill(
                self._options.max_events, self._options.max_bytes
            )
            if filled is None:
                return
            self._lose_whole(filled, response)

    def _leave_rest(self, left: Response) -> None:
        """
        Tell those who wait that others send what is in the ring.
        """
        if self._ring is None:
            return
        start, end = self._ring.unclaimed
        count = self._ring.pushed - self._ring.claimed
        if start < end:
            self._ends.spooled += count
            self._outcomes.settle(start, end, left)

    def drop_hands(self, response: Response, *, own: bool = False) -> None:
        """
        Give up the batches that are being sent by threads that will not
        return; *own*: those alone that the thread which flushes was sending.
        """
        uploads = self._uploads
        for track in list(self._hands):
            if own and uploads is not None and uploads.is_sending(track):
                continue
            batch = self._hands.pop(track, None)
            if batch is not None:
                self._lose(batch, range(len(batch)), response)

    def listen(self, notify: Callable[[], None]) -> None:
        """
        Have *notify* called when there is something to collect.
        """
        if self._uploads is not None:
            self._uploads.listen(notify)

    def close_uploads(self) -> None:
        """
        End the threads of the uploads.
        """
        if self._uploads is not None:
            self._uploads.close()
