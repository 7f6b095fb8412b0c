# SPDX-License-Identifier: MIT
"""
The end of sending: what is left is sent in the calling thread, within a
deadline.

What is not sent by then is dropped and counted; with a spool it is left on
disk for others. Requests that other threads have under way are waited for,
then cut off, then given up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ringamp.clock import Clock
from ringamp.errors import NativeError
from ringamp.flusher.delivery import Delivery
from ringamp.flusher.salvage import Salvage
from ringamp.logs import log
from ringamp.status import Response, Status

GRACE = 1.0
"""Seconds a request gets to end after its sockets were shut down."""

TOO_LATE = Response(
    Status.DROPPED,
    error="not sent before the shutdown's deadline",
)

IN_HAND = Response(
    Status.DROPPED,
    error="being sent when the shutdown's deadline passed; the service may "
    "have taken it",
)


class Draining:
    """
    Sends what is left of one ring.

    Args:
        delivery: How.

        clock: The time.

        salvage: Let go of before; None without a spool.

        request_timeout: Seconds a request may take.

        sleep_until: Sleeps until a time of the clock, or until an answer has
            come.

        interrupt: Makes requests under way fail soon.
    """

    def __init__(
        self,
        delivery: Delivery,
        clock: Clock,
        salvage: Salvage | None,
        *,
        request_timeout: float,
        sleep_until: Callable[[float], None],
        interrupt: Callable[[], None],
    ) -> None:
        self._delivery = delivery
        self._clock = clock
        self._salvage = salvage
        self._request_timeout = request_timeout
        self._sleep_until = sleep_until
        self._interrupt = interrupt

    def drain(self, deadline: float) -> None:
        """
        Send everything until *deadline*; leave or drop the rest. For good.
        """
        if self._salvage is not None:
            self._salvage.close()
        self.send_until(deadline)
        if self._delivery.is_sending:
            self._interrupt()
            self._await_answers(self._clock.monotonic() + GRACE)
        self.give_up()

    def give_up(self) -> None:
        """
        Leave or drop what is left, and what is being sent.
        """
        self._delivery.drop_hands(IN_HAND)
        self._delivery.give_up(TOO_LATE)
        self._delivery.close_uploads()

    def send_until(self, deadline: float) -> None:
        """
        Send what can be sent. Of a ring whose file somebody has written over
        nothing can; it is left to whoever repairs it.
        """
        try:
            self._send_rest(deadline)
        except NativeError as error:
            log(logging.CRITICAL, "broken", "cannot send any more: %s", error)

    def _send_rest(self, deadline: float) -> None:
        while True:
            self._delivery.collect()
            left = deadline - self._clock.monotonic()
            if left <= 0:
                break
            batch = self._delivery.next_batch()
            if batch is not None:
                self._delivery.send(batch, min(left, self._request_timeout))
                continue
            if self._delivery.is_empty:
                break
            if (
                self._delivery.outage_due() is not None
                and not self._delivery.is_sending
            ):
                # It is on disk; who lives longer than we sends it.
                break
            due = self._delivery.next_due()
            self._sleep_until(deadline if due is None else min(due, deadline))

    def _await_answers(self, deadline: float) -> None:
        while self._delivery.is_sending:
            if self._clock.monotonic() >= deadline:
                break
            self._sleep_until(deadline)
            self._delivery.collect()
