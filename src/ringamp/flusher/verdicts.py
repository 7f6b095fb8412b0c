# SPDX-License-Identifier: MIT
"""
The end of every event that was in a ring: counter, receipts, callback, log
line. Told here and nowhere else, so that no event leaves silently or twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from ringamp.buffer.batch import Batch
from ringamp.buffer.window import Share, Window
from ringamp.counters import Counters
from ringamp.logs import log
from ringamp.options import Options
from ringamp.retry.decision import Decision, Drop, Resend
from ringamp.signals import as_the_user
from ringamp.status import Response, Status
from ringamp.user_code import ends_program, words_of

Fate = Literal["delivered", "rejected", "dropped", "spooled"]
"""
The three ends and, for this process, a fourth: the event is on disk, and
whoever sends it tells its end. Each is the name of a counter.
"""


class Ends(Protocol):
    """
    Where ends are counted.
    """

    delivered: int
    rejected: int
    dropped: int
    spooled: int


class Settled(Protocol):
    """
    Where ends are told.
    """

    def settle(self, start: int, end: int, response: Response) -> None:
        """
        Say what became of the events at the positions [start, end).
        """

    def open(self, window: Window) -> None:
        """
        Expect the ends of a window's events in any order.
        """

    def settle_share(self, share: Share, response: Response) -> None:
        """
        Say what became of all events of a share of an open window.
        """


class Verdicts:
    """
    Tells the ends of one session's events, and asks the user's callbacks.

    Args:
        options: Bring the callbacks.

        outcomes: Where ends are told.

        ends: Where they are counted.

        counters: Where exceptions of callbacks are counted.

        retries: How many a batch has; None for no end.
    """

    def __init__(
        self,
        options: Options,
        outcomes: Settled,
        ends: Ends,
        counters: Counters,
        retries: int | None,
    ) -> None:
        self._tell = options.on_delivery
        self._ask = options.on_retry
        self._retries = retries
        self._outcomes = outcomes
        self._ends = ends
        self._counters = counters

    def settle(
        self,
        batch: Batch,
        indexes: Sequence[int],
        response: Response,
        fate: Fate,
    ) -> None:
        """
        Tell the end of some events of *batch*.
        """
        count = len(indexes)
        ends = self._ends
        setattr(ends, fate, getattr(ends, fate) + count)
        if batch.share is not None and count == batch.count:
            self._outcomes.settle_share(batch.share, response)
        else:
            for start, end in batch.runs(indexes):
                self._outcomes.settle(start, end, response)
        if fate != "delivered":
            log(
                logging.WARNING if fate == "spooled" else logging.ERROR,
                f"{fate} {response.status} {response.status_code}",
                "%d events were %s: %s (HTTP %d): %s",
                count,
                fate,
                response.status,
                response.status_code,
                response.error,
            )
        if self._tell is not None and fate != "spooled":
            self._tell_user(batch, indexes, response)

    def note_answer(self, batch: Batch, response: Response) -> None:
        """
        Count a request; where it failed, say so.
        """
        counters = self._counters
        counters.requests += 1
        counters.bytes_sent += len(batch.body)
        if batch.tries > 0:
            counters.retries += 1
        batch.tries += 1
        if response.status is Status.SUCCESS:
            return
        log(
            logging.WARNING,
            f"response {response.status} {response.status_code}",
            "a request with %d events was answered %s (HTTP %d): %s",
            len(batch),
            response.status,
            response.status_code,
            response.error,
        )

    def ask(
        self, batch: Batch, decisions: Sequence[Decision], response: Response
    ) -> Sequence[Decision]:
        """
        Ask the user before a retry is charged; what is done in the end.
        """
        ask = self._ask
        if ask is None:
            return decisions
        return [
            Drop(one.indexes, response)
            if isinstance(one, Resend)
            and one.attempt > batch.attempt
            and not self._may_retry(ask, response, one.attempt - 1)
            else one
            for one in decisions
        ]

    def _may_retry(
        self,
        ask: Callable[[Response, int, bool], Any],
        response: Response,
        number: int,
    ) -> bool:
        """
        Ask the user's *on_retry* about retry *number*, counted from 1; only
        an explicit False forbids it.
        """
        is_last = self._retries is not None and number >= self._retries
        try:
            with as_the_user():
                return ask(response, number, is_last) is not False
        except BaseException as error:
            if ends_program(error):
                raise
            self._note_error("on_retry", error)
            return True

    def _tell_user(
        self, batch: Batch, indexes: Sequence[int], response: Response
    ) -> None:
        tell = self._tell
        events = batch.events()
        try:
            # Out of a spool may come what cannot be decoded.
            chosen = (
                events
                if len(indexes) == len(batch)
                else [events[index] for index in indexes]
            )
            if tell is not None:
                with as_the_user():
                    tell(chosen, response)
        except BaseException as error:
            if ends_program(error):
                raise
            self._note_error("on_delivery", error)

    def _note_error(self, name: str, error: BaseException) -> None:
        self._counters.callback_errors += 1
        log(
            logging.ERROR,
            f"{name} {type(error).__name__}",
            "%s raised %s",
            name,
            words_of(error),
        )
