# SPDX-License-Identifier: MIT
"""
The middleware chain: each event goes through it before it is encoded.

Servers put middleware in front of every event, so this lane is short as
well. `Client.log_event` makes a passage (native/passage.c), which is payload
and end of the chain in one, and calls the first middleware with it. What is
unusual comes back to `MiddlewareLane`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ringamp.bindings import AGAIN, UNUSUAL, enter_unpushed
from ringamp.errors import OptionsError
from ringamp.flusher.receipt import Receipt
from ringamp.logs import log
from ringamp.protocols import (
    Middleware,
    MiddlewareNext,
    MiddlewarePayload,
)
from ringamp.status import Response, Status
from ringamp.user_code import words_of

if TYPE_CHECKING:
    from ringamp.session import Session

STOPPED = Receipt(
    None,
    0,
    Response(Status.SKIPPED, error="a middleware did not call next"),
)


def check_middleware(middleware: object) -> None:
    """
    Refuse what cannot be middleware.

    Raises:
        OptionsError: It cannot be called, or calling it runs none of it: a
            coroutine or generator function, whose every event would end as
            one that was stopped.
    """
    allowed = "a function of payload and next is allowed"
    if not callable(middleware):
        raise OptionsError(
            f"middleware: {type(middleware).__name__} given, {allowed}"
        )
    called: Any = middleware
    if not inspect.isroutine(called) and not isinstance(called, partial):
        called = type(called).__call__
    for is_kind, kind in _LATER_KINDS:
        if is_kind(called):
            raise OptionsError(f"middleware: {kind} given, {allowed}")


_LATER_KINDS = (
    (inspect.iscoroutinefunction, "a coroutine function"),
    (inspect.isasyncgenfunction, "an asynchronous generator function"),
    (inspect.isgeneratorfunction, "a generator function"),
)


class Steps:
    """
    One event's way along a chain of several. It goes forward only, so a
    middleware that calls *next* twice skips ahead to the end, which knows
    that it was reached before.
    """

    __slots__ = ("_at", "_chain", "_end")

    def __init__(
        self, chain: Sequence[Middleware], end: MiddlewareNext
    ) -> None:
        self._chain = chain
        self._end = end
        self._at = 0

    def advance(self, payload: MiddlewarePayload) -> None:
        """
        Hand *payload* on; the `next` of every middleware.
        """
        at = self._at
        self._at = at + 1
        if at < len(self._chain):
            self._chain[at](payload, self.advance)
        else:
            self._end(payload)


class MiddlewareLane:
    """
    The chain of one session.

    Args:
        session: Whose ring the events go to.

        chain: The middleware, at least one.

        careful: Puts an event into the ring by the careful lane; never
            raises.

        refuse: Counts an event that is invalid, and makes its receipt.

    Attributes:
        begin: Makes a passage of an event and extra.

        enter: Takes a passage, as payload and as end, through the chain.
    """

    __slots__ = (
        "_careful",
        "_chain",
        "_refuse",
        "_session",
        "begin",
        "enter",
    )

    def __init__(
        self,
        session: Session,
        chain: Sequence[Middleware],
        careful: Callable[[Session, Any], Receipt],
        refuse: Callable[[Session, str], Receipt],
    ) -> None:
        self._chain = tuple(chain)
        self._session = session
        self._careful = careful
        self._refuse = refuse
        # Defaults are merged on the careful lane.
        enter = enter_unpushed if session.has_defaults else session.ring.enter
        self.begin: Callable[[Any, Any], Any]
        _, self.begin = enter(session.outcomes, self._end_unusual)
        self.enter: Middleware = (
            self._chain[0] if len(self._chain) == 1 else self._walk
        )

    def _walk(self, payload: MiddlewarePayload, end: MiddlewareNext) -> None:
        Steps(self._chain, end).advance(payload)

    def _end_unusual(
        self, event: Any, extra: Any, position: int
    ) -> Receipt | None:
        """
        Do what there is to do at the chain's end beside making a receipt.
        Nothing is raised: a middleware might take it for its own.
        """
        del extra  # It ends with the chain.
        if position > 0:
            self._session.wake()
            return Receipt(self._session.outcomes, position & ~UNUSUAL)
        if position != AGAIN:
            return self._careful(self._session, event)
        log(
            logging.WARNING,
            "next called twice",
            "a middleware called next again for an event that has passed "
            "the chain already; the event is logged once",
        )
        return None

    def fail(self, error: Exception, passage: Any) -> Receipt:
        """
        Count an exception that came out of the chain. It makes the event
        invalid, unless *passage* was at its end before: what is in the ring
        will be sent, and its receipt must not say otherwise.

        Raises:
            Exception: The same, where *strict* is set.
        """
        self._session.counters.middleware_errors.bump()
        if self._session.options.strict:
            raise error
        receipt: Receipt | None = passage.receipt or passage.answer
        if receipt is None:
            why = f"a middleware raised {words_of(error)}"
            return self._refuse(self._session, why)
        log(
            logging.WARNING,
            f"raised after next {type(error).__name__}",
            "a middleware raised %s after it had called next; its event has "
            "gone on",
            words_of(error),
        )
        return self.conclude(receipt)

    def conclude(self, receipt: Receipt | None) -> Receipt:
        """
        Count an event that came out of the chain in an unusual way.

        Raises:
            InvalidEventError: It is invalid, and *strict* is set.
        """
        if receipt is None:
            self._session.counters.skipped.bump()
            return STOPPED
        if receipt.status is Status.INVALID:
            return self._refuse(self._session, receipt.reason or "")
        return receipt
