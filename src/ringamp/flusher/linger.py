# SPDX-License-Identifier: MIT
"""
How long the first event of a batch waits for more, where no upload interval
is set.

A request costs nearly the same with one event in it as with a hundred. So
while events keep coming it pays to wait for them; after quiet it does not,
and the event leaves soon. Nobody has to say which of the two a process is:
each batch shows how long nothing came before it, and how close together
events came since the batch before. `next_linger` is the rule, a function of
these alone.
"""

from __future__ import annotations

from ringamp.flusher.bell import Bell

SHORTEST = 0.01
"""Seconds that an event waits after quiet."""

LONGEST = 0.25
"""Seconds that an event waits at most. Four requests a second cost a process
about a millisecond of processor time (`benchmarks.growth --axis rate`), and a
person who watches events arrive does not notice the delay."""

QUIET = LONGEST
"""Seconds without an event after which the next one leaves soon. Shorter ones
are the gaps of traffic that the longest linger bridges."""

SPARSE = LONGEST / 4
"""Mean seconds between two events above which waiting gains little: fewer
than four would share a request, even with the longest linger."""


def next_linger(linger: float, idle: float, gap: float) -> float:
    """
    Decide how long the first event of a batch waits.

    Args:
        linger: What the batch before waited, in seconds.

        idle: Seconds for which nothing was waiting, before this event.

        gap: Mean seconds between two events, since the batch before began.

    Returns:
        Seconds between `SHORTEST` and `LONGEST`.
    """
    if idle >= QUIET:
        return SHORTEST
    if gap > SPARSE:
        return max(SHORTEST, linger / 2)
    return min(LONGEST, linger * 2)


class Linger:
    """
    What `next_linger` needs to know of the batches so far, and whether
    somebody waits for an event of the present one.

    Who calls `receipt.result()` or awaits a receipt after each event makes
    dense traffic of which no event gains by waiting. So the batch of an
    awaited event waits no longer than one after quiet.

    Args:
        bell: Wakes the thread that lingers.
    """

    __slots__ = (
        "_awaited",
        "_began",
        "_bell",
        "_is_long",
        "_pushed",
        "_quiet_since",
        "_value",
    )

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._value = SHORTEST
        self._began: float | None = None
        self._pushed = 0
        self._quiet_since: float | None = None
        self._awaited = -1
        self._is_long = False

    def note_quiet(self, now: float) -> None:
        """
        Note that nothing waits. Later calls until the next batch change
        nothing.
        """
        if self._quiet_since is None:
            self._quiet_since = now

    def begin(self, now: float, pushed: int) -> float:
        """
        Begin a batch: decide how many seconds its first event waits.

        Args:
            now: The time.

            pushed: How many events the ring has taken so far.
        """
        began, quiet_since = self._began, self._quiet_since
        if began is not None:
            idle = 0.0 if quiet_since is None else now - quiet_since
            came = max(1, pushed - self._pushed)
            gap = (now - began) / came
            self._value = next_linger(self._value, idle, gap)
        self._began, self._pushed, self._quiet_since = now, pushed, None
        # Before the flusher asks whether anybody waits, so that who comes
        # in between is seen by it, or sees this and wakes it.
        self._is_long = self._value > SHORTEST
        return self._value

    def end(self) -> None:
        """
        Note that the batch leaves.
        """
        self._is_long = False

    def expect(self, position: int) -> None:
        """
        Note that somebody waits for the outcome of the event at *position*.
        """
        self._awaited = position
        if self._is_long:
            # One wake-up for each batch is enough, however many wait.
            self._is_long = False
            self._bell.ring()

    def shorten(self, due: float, start: int) -> float:
        """
        Give the time until which the batch that begins at position *start*
        waits, which was to be *due*: earlier where somebody waits for one of
        its events. Not with an upload interval, which the user has chosen:
        with one no batch begins here.
        """
        if self._began is None or self._awaited < start:
            return due
        return min(due, self._began + SHORTEST)
