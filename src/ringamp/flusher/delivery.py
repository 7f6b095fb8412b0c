# SPDX-License-Identifier: MIT
"""
What is between one source and the service: trips of batches, and what is done
about them when there is no room, no service or no time.
"""

from __future__ import annotations

from collections import deque

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

    def evict(self, keep: int) -> None:
        """
        Give up the oldest events until at most *keep* are left, and the ring
        has room for new ones.
        """
        ring = self._ring
        if ring is None:
            return
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
            self._lose(batch, oldest, response)
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
                return
            excess -= len(filled)
            if not self._lose_whole(filled, response):
                return

    def relieve(self) -> None:
        """
        Put events into the backlog, oldest first, where the ring is half
        full while the service is out.
        """
        ring, outage = self._ring, self._keeper.outage
        if ring is None or outage is None or 2 * ring.used < ring.capacity:
            return
        if not outage.is_on:
            outage.note_failure(self._clock.monotonic())
        waiting, self._line = self._line, deque()
        while waiting:
            _, batch = waiting.popleft()
            if not self._lose_whole(batch, OUT):
                self._line.extend(waiting)
                return
        while ring.used > ring.capacity * RELIEVED:
            filled = self._fill(
                self._options.max_events, self._options.max_bytes
            )
            if filled is None or not self._lose_whole(filled, OUT):
                return

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

    def drop_hand(self, response: Response) -> None:
        """
        Give up the batch that is being sent by a thread that will not return.
        """
        batch, self._hand = self._hand, None
        if batch is not None:
            self._lose(batch, range(len(batch)), response)
