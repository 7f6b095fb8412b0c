# SPDX-License-Identifier: MIT
"""
The background thread: when to send, when to sleep, how to stop.

Whose turn it is

    One thread at a time flushes: the background thread, or, after it has
    ended, the thread that closes. The background thread is started by the
    first push that finds nobody to wake, so a server's master that loads the
    application and logs nothing has no thread. Of what kind it is turns out
    then (threads.py).

Sleeping

    The flusher sleeps by a bell (bell.py). Before that it arms the ring; the
    push that reaches the armed count rings once. So a push costs no wake-up
    while the flusher works or lingers, and an idle process never wakes; with
    a spool it looks every few seconds for what others left.

        rest     nothing to send: sleep until a first event, a due lane, a
                 due retry.
        gather   something to send: sleep on until a full batch has formed,
                 at most the linger (linger.py) or the upload interval.
        work     send, until what waited at the start has gone.

    With several uploads work is giving out batches, and an answer rings the
    bell like a push; so rest and gather go on while requests are under way.

    `close` waits for the thread to end and sends what is left in the calling
    thread (draining.py): at interpreter exit none can be started (3.12).
"""

from __future__ import annotations

import _thread
import logging
import threading
from collections.abc import Callable
from typing import Any

from ringamp.bindings import generation
from ringamp.buffer.ring import Ring
from ringamp.clock import Clock
from ringamp.flusher.bell import Bell
from ringamp.flusher.delivery import Delivery
from ringamp.flusher.draining import GRACE, Draining
from ringamp.flusher.linger import Linger
from ringamp.flusher.prefork import forks_unseen
from ringamp.flusher.salvage import Salvage
from ringamp.flusher.senders import Senders
from ringamp.flusher.threads import kind_here
from ringamp.logs import log
from ringamp.options import Options
from ringamp.status import Response, Status

FAULT_PAUSE = 1.0
"""Seconds until the flusher goes on after a fault."""

THREADLESS_RETRY = 1000
"""Pushes after which starting a thread is tried again where it failed."""

FAULT = Response(
    Status.DROPPED,
    error="an internal error of ringamp; the log has it",
)


class Flusher:
    """
    The thread that drains one ring.

    Args:
        ring: What it drains.

        delivery: How it sends.

        options: Of the instance.

        clock: The time.

        begin: Called before the thread starts, so with the first event.

        interrupt: Makes a request in flight fail soon; called by `close`.

        keep_newest: How many events to keep while the service cannot be
            reached; None: as many as the ring holds.

        salvage: Sends what others left, when there is time; None without a
            spool.

        senders: Where it notes which thread sends.
    """

    def __init__(
        self,
        ring: Ring,
        delivery: Delivery,
        options: Options,
        clock: Clock,
        *,
        begin: Callable[[], None],
        interrupt: Callable[[], None],
        keep_newest: int | None,
        salvage: Salvage | None = None,
        senders: Senders | None = None,
    ) -> None:
        self._senders = senders or Senders()
        self._salvage = salvage
        self._ring = ring
        self._delivery = delivery
        self._clock = clock
        self._begin = begin
        self._interrupt = interrupt
        self._keep_newest = keep_newest
        self._request_timeout = options.request_timeout
        self._patience = options.shutdown_timeout
        self._max_events = options.max_events
        self._interval = options.upload_interval_in_sec
        self._max_cached = options.max_cached_events
        self._bell = Bell(clock)
        self.linger = Linger(self._bell)
        self._ended: Any = threading.Lock()
        self._started = False
        self._thread: int | None = None
        self._stopping = False
        self._deadline: float | None = None
        self._urgent = 0
        self._draining = Draining(
            delivery,
            clock,
            salvage,
            request_timeout=options.request_timeout,
            sleep_until=self._sleep_until,
            interrupt=interrupt,
        )
        delivery.listen(self._bell.ring)
        self._ring.arm(1, self._ring.capacity)

    @property
    def has_thread(self) -> bool:
        """
        Whether the background thread was started.
        """
        return self._started

    def is_own_thread(self) -> bool:
        """
        Whether the caller is the background thread.
        """
        return self._thread == _thread.get_ident()

    def wake(self) -> None:
        """
        Ring the bell; start the thread if there is none yet.
        """
        if not self._started:
            self._start()
        self._bell.ring()

    def hurry(self) -> None:
        """
        Have what is in the ring now sent without lingering.
        """
        self._urgent = self._ring.pushed
        self.wake()
        if not self._started:
            self._stand_in()

    def _stand_in(self) -> None:
        """
        Send what is there in this thread, since there is no other: somebody
        waits for it, and at interpreter exit (3.12) nobody else would come.
        """
        if not self._ended.acquire(blocking=False):
            return
        try:
            deadline = self._clock.monotonic() + self._patience
            with self._senders:
                self._draining.send_until(deadline)
        finally:
            self._ended.release()

    def close(self, deadline: float) -> None:
        """
        Stop, send what is left until *deadline* (of the clock), drop the
        rest. The ring must have been closed: nothing is pushed any more.
        """
        self._stopping = True
        self._ring.disarm()
        if self._started:
            if self.is_own_thread():
                # Called by the user's callback inside a delivery: the thread
                # drains when it gets back.
                self._deadline = deadline
                return
            self._bell.ring()
            if not self._wait_for_end(deadline):
                with self._senders:
                    self._draining.give_up()
                return
        with self._senders:
            self._draining.drain(deadline)

    def _wait_for_end(self, deadline: float) -> bool:
        left = max(0.0, deadline - self._clock.monotonic())
        if self._ended.acquire(timeout=left):
            return True
        self._interrupt()
        return bool(self._ended.acquire(timeout=GRACE))

    def _start(self) -> None:
        """
        Start the thread. Of two pushes, the one that gets the lock does.
        """
        if not self._ended.acquire(blocking=False):
            return
        if forks_unseen():
            self._ended.release()
            self._do_without("uWSGI's master forks behind Python's back")
            return
        kind = kind_here()
        self._bell.suit(kind)
        self._ended = kind.make_locked()
        start = kind.starter(self._run)
        self._begin()
        # A signal handler that shuts down must not come between the two.
        self._started = True
        try:
            start()
        except RuntimeError as error:
            # At interpreter exit, or at the limit of threads. The exit flush
            # sends what is in the ring; until then, try again now and then.
            self._started = False
            self._ended.release()
            self._do_without(error)

    def _do_without(self, reason: object) -> None:
        """
        Have starting a thread tried later.
        """
        waiting = self._ring.pushed - self._ring.claimed
        self._ring.arm(waiting + THREADLESS_RETRY, self._ring.capacity)
        log(
            logging.ERROR,
            "no thread",
            "cannot start the thread that sends events: %s; they are sent at "
            "exit, or by flush()",
            reason,
        )

    def _run(self) -> None:
        """
        The thread.
        """
        self._thread = _thread.get_ident()
        try:
            with self._senders:
                self._send()
        finally:
            self._ended.release()

    def _send(self) -> None:
        while self._is_on():
            self._turn()
        if self._deadline is not None:
            self._draining.drain(self._deadline)
        elif self._salvage is not None:
            self._salvage.close()

    def _is_on(self) -> bool:
        """
        Whether to go on sending.

        A callback that forks returns twice: in the parent, and in a child
        whose copy of this thread must leave everything alone. So must the
        copy of a greenlet, which wakes up in a child of any fork.
        """
        self._end_copy()
        return not self._stopping

    def _end_copy(self) -> None:
        if generation() != self._ring.generation:
            _thread.exit()

    def _turn(self) -> None:
        """
        Rest and work once. Whatever fails here, or where memory runs out, the
        batch in hand gets its outcome, and the thread lives on.
        """
        try:
            self._rest()
            self._work()
        except Exception as error:
            log(
                logging.CRITICAL,
                "flusher",
                "the flusher failed and goes on: %r",
                error,
            )
            self._delivery.drop_hands(FAULT, own=True)
            self._sleep_until(self._clock.monotonic() + FAULT_PAUSE)

    def _rest(self) -> None:
        due = self._delivery.line_due()
        if due is None:
            due = self._delivery.outage_due()
        if due is not None and self._delivery.is_sending:
            # An answer may end the wait, and decides what there is room for.
            self._sleep_until(due)
        elif due is not None:
            self._sit_out(due)
        elif self._ring.arm(1, self._ring.capacity):
            self._gather()
        else:
            self.linger.note_quiet(self._clock.monotonic())
            self._sleep_until(self._next_due())
            self._gather()

    def _next_due(self) -> float | None:
        """
        When something falls due by itself.
        """
        due = self._delivery.next_due()
        found = None if self._salvage is None else self._salvage.next_due()
        return min((at for at in (due, found) if at is not None), default=None)

    def _sit_out(self, due: float) -> None:
        """
        Wait for a retry, or for the end of an outage; meanwhile make room
        for new events where that is asked, or where old ones can go to disk.
        """
        if due <= self._clock.monotonic():
            return
        capacity = self._ring.capacity
        if self._keep_newest is not None:
            count, volume = self._keep_newest + 1, capacity * 3 // 4
        elif self._salvage is not None:
            count, volume = 2**62, capacity // 2  # Never so many.
        else:
            self._sleep_until(due)
            return
        full = self._delivery.make_room(self._keep_newest)
        if full is not None:
            # A full disk. The ring, which is full too, would not let us sleep.
            self._ring.disarm()
            self._sleep_until(min(due, full))
            return
        if not self._ring.arm(count, volume):
            self._sleep_until(due)
        self._delivery.make_room(self._keep_newest)

    def _gather(self) -> None:
        if self._ring.pushed == self._ring.claimed:
            return
        volume = self._ring.capacity // 2
        began = self._clock.monotonic()
        if self._interval > 0:
            due, count = began + self._interval, self._max_cached
        else:
            due = began + self.linger.begin(began, self._ring.pushed)
            count = min(self._max_events, self._max_cached)
            volume = min(volume, self._delivery.batch_bytes)
        lane = self._delivery.next_due()
        if lane is not None:
            due = min(due, lane)
        # A ring meant for an earlier sleep may come late: waking says nothing.
        while not (
            self._is_urgent()
            or self._ring.arm(count, volume)
            or self._clock.monotonic() >= due
        ):
            due = self.linger.shorten(due, self._ring.unclaimed[0])
            found = due if self._salvage is None else self._salvage.next_due()
            self._sleep_until(min(due, found))
            self._delivery.collect()
            if self._delivery.line_due() is not None:
                break
            self._turn_to_salvage()
        self.linger.end()
        self._ring.disarm()

    def _is_urgent(self) -> bool:
        return self._stopping or self._ring.claimed < self._urgent

    def _sleep_until(self, due: float | None) -> None:
        self._bell.sleep_until(due)
        if self.is_own_thread():
            self._end_copy()

    def _work(self) -> None:
        target = self._ring.pushed
        while self._is_on():
            self._delivery.collect()
            batch = self._delivery.next_batch()
            if batch is None:
                self._turn_to_salvage()
                return
            self._delivery.send(batch, self._request_timeout)
            if self._delivery.line_due() is not None:
                continue
            self._turn_to_salvage()
            waiting = self._ring.pushed - self._ring.claimed
            if self._ring.claimed >= target and waiting < self._max_events:
                return

    def _turn_to_salvage(self) -> None:
        """
        Send a batch of what others left, where nothing of our own is in the
        way: no retry that waits, no ring that fills.
        """
        salvage = self._salvage
        if salvage is None or self._delivery.line_due() is not None:
            return
        start, end = self._ring.unclaimed
        if 2 * (end - start) < self._ring.capacity:
            salvage.turn(self._request_timeout)
