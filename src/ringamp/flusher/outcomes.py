# SPDX-License-Identifier: MIT
"""
The final fate of each event of a ring, told once: `Outcomes`.

Positions are settled run by run: a run is a stretch of ring positions whose
events share one response. Events are mostly settled in order, but those that
are held or resent come later, so runs are kept sorted, and `floor` is the
position before which everything is settled.

What receipts may ask for later must be kept, but not for ever: neighbouring
runs with the same outcome are joined without their bodies beyond
`RUNS_IN_FULL`, so that a service which takes everything costs one run however
many events there are; and beyond `RUNS_KEPT` the oldest are forgotten, whose
receipts then answer `unknown`. A receipt that somebody waits for is never
forgotten: its future is resolved when its event is settled.

With several uploads a run of the ring is dealt out to them, and its events
get their ends in any order: such a window is one run until all of them have.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterator
from operator import attrgetter
from threading import Lock
from typing import TypeVar

import msgspec

from ringamp.bindings import generation
from ringamp.buffer.window import Share, Window, bare
from ringamp.flusher.awaited import AwaitedResponse
from ringamp.flusher.senders import Senders
from ringamp.logs import log
from ringamp.signals import as_the_user
from ringamp.status import SKIPPED_RESPONSE, Response, Status
from ringamp.user_code import ends_program, words_of

RUNS_IN_FULL = 1024
"""Runs kept with the body of their response: at 2000 events a run, the last
two million events."""

WINDOWS_IN_FULL = 16
"""Windows kept with the bodies of their responses: at 2000 events for each of
8 uploads, the last quarter of a million events in 2 MB."""

RUNS_KEPT = 65536
"""Runs kept at all, about 10 MB."""

FORGOTTEN = Response(
    Status.UNKNOWN,
    error="settled so long ago that its outcome is no longer kept",
)

INHERITED = Response(
    Status.UNKNOWN,
    error="logged by a process that has forked since; only that process "
    "learns the outcome",
)

_T = TypeVar("_T")


class _Run(msgspec.Struct, frozen=True):
    """
    Positions that share a response.
    """

    start: int
    end: int
    response: Response | Window


_start = attrgetter("start")


class _Flush:
    """
    Somebody waits for all events before a position.
    """

    __slots__ = ("future", "target", "worst")

    def __init__(self, target: int, senders: Senders) -> None:
        self.target = target
        self.future = AwaitedResponse(senders)
        self.worst = SKIPPED_RESPONSE


def _resolve(future: AwaitedResponse, response: Response) -> None:
    """
    Resolve *future*, unless it was cancelled or is resolved already. What a
    callback of the user's raises must not end the thread that sends; a
    future lets pass what is no `Exception`.
    """
    try:
        with as_the_user():
            future.set_result(response)
    except concurrent.futures.InvalidStateError:
        return
    except BaseException as error:
        if ends_program(error):
            raise
        log(
            logging.ERROR,
            f"future {type(error).__name__}",
            "a callback of a future raised %s",
            words_of(error),
        )


def _drain(things: deque[_T]) -> Iterator[_T]:
    """
    Take one after the other, also while other threads put some in.
    """
    with contextlib.suppress(IndexError):
        while True:
            yield things.popleft()


def _nobody(position: int) -> None:
    """
    Stands where nobody wants to know that somebody waits.
    """


_GOOD = (Status.SKIPPED, Status.SUCCESS)


class Outcomes:
    """
    What became of the events of one ring.

    Any thread may ask; the flusher settles. The lock is among those who
    settle. Who asks takes none: a signal handler may shut down in the middle
    of the question, and would wait for a flusher that waits for the lock. So
    each change is one step of the interpreter, and who has put a future in
    looks once more whether it was too late.

    Args:
        owner: The generation of the process whose events these are.

        senders: The threads that settle, which must not wait.
    """

    def __init__(self, owner: int, senders: Senders | None = None) -> None:
        self.generation = owner
        self._senders = senders or Senders()
        self._lock = Lock()
        self._runs: list[_Run] = []
        self._forgotten = 0
        self.floor = 0
        self._ahead: dict[int, int] = {}
        self._windows: list[Window] = []
        self._settled: deque[Window] = deque()
        self._waiting: dict[int, deque[AwaitedResponse]] = {}
        self._asked: deque[int] = deque()
        self._waiting_order: list[int] = []
        self._flushes: list[_Flush] = []
        self._expect: Callable[[int], object] = _nobody

    def listen(self, expect: Callable[[int], object]) -> None:
        """
        Have *expect* called with the position of each event whose outcome
        somebody waits for.
        """
        self._expect = expect

    def settle(self, start: int, end: int, response: Response) -> None:
        """
        Say what became of the events in [start, end).
        """
        done: list[tuple[AwaitedResponse, Response]] = []
        with self._lock:
            window = self._window_of(start) if self._windows else None
            if window is not None:
                window.settle(start, response)
                self._note_settled(window)
            else:
                self._remember(start, end, response)
                self._advance(start, end)
            if self._waiting:
                done += self._resolve_waiting(start, end, lambda _: response)
            if self._flushes:
                done += self._resolve_flushes(start, response)
        for future, answer in done:
            _resolve(future, answer)

    def open(self, window: Window) -> None:
        """
        Expect the ends of a window's events in any order.
        """
        with self._lock:
            self._windows.append(window)
            self._remember(window.start, window.end, window)

    def settle_share(self, share: Share, response: Response) -> None:
        """
        Say what became of all events of a share of an open window.
        """
        window, track = share
        done: list[tuple[AwaitedResponse, Response]] = []
        with self._lock:
            window.settle_share(track, response)
            self._note_settled(window)
            if self._waiting:
                done += self._resolve_waiting(
                    window.start, window.end, window.find
                )
            if self._flushes:
                done += self._resolve_flushes(window.first_of(track), response)
        for future, answer in done:
            _resolve(future, answer)

    def _window_of(self, position: int) -> Window | None:
        for window in self._windows:
            if window.start <= position < window.end:
                return window
        return None

    def _note_settled(self, window: Window) -> None:
        """
        Where all of a window's events have their ends, go on behind it; of
        those that were settled long ago, plain runs take the place.
        """
        if window.left:
            return
        self._windows.remove(window)
        self._advance(window.start, window.end)
        self._settled.append(window)
        if len(self._settled) > WINDOWS_IN_FULL:
            old = self._settled.popleft()
            at = bisect_right(self._runs, old.start, key=_start) - 1
            if self._runs[at].response is old:
                plain = [_Run(*run) for run in old.runs()]
                self._runs = [*self._runs[:at], *plain, *self._runs[at + 1 :]]

    def lookup(self, position: int) -> Response | None:
        """
        The outcome of the event at *position*, None while it has none.
        """
        if self.generation != generation():
            return INHERITED
        return self._find(position)

    def future(self, position: int) -> AwaitedResponse:
        """
        A future of the outcome of the event at *position*.
        """
        future = AwaitedResponse(self._senders)
        if self.generation != generation():
            future.set_result(INHERITED)
            return future
        found = self._find(position)
        if found is None:
            others = self._enlist(position, future)
            found = self._find(position)
            if found is not None:
                # Whoever settled it may have missed those in our hand.
                for one in _drain(others):
                    _resolve(one, found)
            else:
                self._expect(position)
        if found is not None:
            _resolve(future, found)
        return future

    def flush(self, target: int) -> AwaitedResponse:
        """
        A future that is done when all before *target* is settled. Its result
        is the first response that was no success, else the last success;
        skipped where there was nothing to do.
        """
        flush = _Flush(target, self._senders)
        if self.floor < target:
            self._flushes.append(flush)
        if self.floor >= target:
            _resolve(flush.future, flush.worst)
        return flush.future

    def _enlist(
        self, position: int, future: AwaitedResponse
    ) -> deque[AwaitedResponse]:
        """
        Each waiter has a future of its own, so that one who gives up (and
        cancels it) takes nothing from the others. Two of the others are
        looked at each time, so cancelled ones do not pile up.

        Only the ends of a deque change in one step. Copying a list is none:
        it may collect garbage, and so let another thread shrink the list.
        """
        others = self._waiting.get(position)
        if others is None:
            others = self._waiting.setdefault(position, deque())
            self._asked.append(position)
        others.append(future)
        for _, one in zip(range(2), _drain(others), strict=False):
            if not one.cancelled():
                others.append(one)
        return others

    def _find(self, position: int) -> Response | None:
        # This list only grows at its end, if at all.
        runs = self._runs
        at = bisect_right(runs, position, key=_start)
        if at and position < runs[at - 1].end:
            known = runs[at - 1].response
            if isinstance(known, Window):
                return known.find(position)
            return known
        return FORGOTTEN if position < self._forgotten else None

    def _remember(
        self, start: int, end: int, response: Response | Window
    ) -> None:
        runs = self._runs
        run = _Run(start, end, response)
        if not runs or runs[-1].start < start:
            runs.append(run)
        else:
            # Another list: whoever searches this one, without a GIL at the
            # very moment, must not find it half-way.
            at = bisect_right(runs, start, key=_start)
            self._runs = [*runs[:at], run, *runs[at:]]
        if len(runs) > 2 * RUNS_IN_FULL:
            self._join_old_runs()

    def _join_old_runs(self) -> None:
        """
        Join neighbours among all but the newest runs.
        """
        cut = len(self._runs) - RUNS_IN_FULL
        runs: list[_Run] = []
        for run in self._runs[:cut]:
            if isinstance(run.response, Window):
                runs.append(run)
                continue
            short = bare(run.response)
            last = runs[-1] if runs else run
            if last.end == run.start and last.response == short:
                runs[-1] = _Run(last.start, run.end, short)
            else:
                runs.append(_Run(run.start, run.end, short))
        excess = max(0, len(runs) - RUNS_KEPT)
        if excess:
            self._forgotten = min(runs[excess - 1].end, self.floor)
        self._runs = runs[excess:] + self._runs[cut:]

    def _advance(self, start: int, end: int) -> None:
        ahead = self._ahead
        if start != self.floor:
            ahead[start] = end
            return
        while end in ahead:
            end = ahead.pop(end)
        self.floor = end

    def _resolve_waiting(
        self,
        start: int,
        end: int,
        outcome_of: Callable[[int], Response | None],
    ) -> list[tuple[AwaitedResponse, Response]]:
        done: list[tuple[AwaitedResponse, Response]] = []
        order = self._waiting_order
        for position in _drain(self._asked):
            insort(order, position)
        at = bisect_left(order, start)
        while at < len(order) and order[at] < end:
            outcome = outcome_of(order[at])
            if outcome is None:
                at += 1
                continue
            futures = self._waiting.pop(order.pop(at), deque())
            done += [(future, outcome) for future in _drain(futures)]
        return done

    def _resolve_flushes(
        self, start: int, response: Response
    ) -> list[tuple[AwaitedResponse, Response]]:
        done = []
        for flush in self._flushes:
            if start < flush.target and flush.worst.status in _GOOD:
                flush.worst = response
            if self.floor >= flush.target:
                done.append(flush)
        for flush in done:
            self._flushes.remove(flush)
        return [(flush.future, flush.worst) for flush in done]
