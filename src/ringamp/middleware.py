# SPDX-License-Identifier: MIT
"""
The middleware chain: each event goes through it before it is encoded.

Servers put middleware in front of every event, so this lane is short as
well: one copy of the event, one `Passage`, and at the chain's end the same
call into C as without middleware. What is unusual goes on to the careful
lane from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from ringamp.bindings import UNCLEAN, UNUSUAL
from ringamp.flusher.outcomes import Receipt
from ringamp.logs import log
from ringamp.protocols import Middleware, MiddlewarePayload
from ringamp.session import Session
from ringamp.status import Response, Status

STOPPED = Receipt(
    None,
    0,
    Response(Status.SKIPPED, error="a middleware did not call next"),
)

# Where a passage may be: its end was not reached, or its receipt is made.
# Both look unusual to the test that every position passes.
_UNDER_WAY = -1
_ENDED = -3


class Passage(MiddlewarePayload, gc=False):
    """
    One event's way along the chain. It is the first payload as well, since
    every object made for an event costs; `Client.log_event` makes it.

    `advance`, or `finish` in a chain of one, is the `next` of every
    middleware. One that calls it twice, or keeps it and calls it later,
    cannot log an event twice: the chain goes forward only, and its end is
    reached once.
    """

    lane: Any = None
    at: int = 1
    position: int = _UNDER_WAY
    receipt: Receipt = STOPPED

    def advance(self, payload: MiddlewarePayload) -> None:
        """
        Hand *payload* on.
        """
        at = self.at
        self.at = at + 1
        if at < self.lane.length:
            self.lane.chain[at](payload, self.advance)
        else:
            self.finish(payload)

    def finish(self, payload: MiddlewarePayload) -> None:
        """
        Put the event into the ring. Nothing is raised: a middleware might
        take it for its own.
        """
        if self.position != _UNDER_WAY:
            log(
                logging.WARNING,
                "next called twice",
                "a middleware called next again for an event that has passed "
                "the chain already; the event is logged once",
            )
            return
        self.position = position = self.lane.push_event(payload.event)
        if position & UNUSUAL:
            self.position = _ENDED
            self.receipt = self.lane.end_unusual(payload.event, position)


class MiddlewareLane:
    """
    The chain of one session.

    Args:
        session: Whose ring the events go to.

        chain: The middleware, at least one.

        careful: Puts an event into the ring by the careful lane; never
            raises.

        refuse: Counts an event that is invalid, and makes its receipt.
    """

    __slots__ = (
        "_careful",
        "_refuse",
        "_session",
        "chain",
        "first",
        "length",
        "outcomes",
        "push_event",
    )

    def __init__(
        self,
        session: Session,
        chain: Sequence[Middleware],
        careful: Callable[[Session, Any], Receipt],
        refuse: Callable[[Session, str], Receipt],
    ) -> None:
        self.chain = tuple(chain)
        self.first = self.chain[0]
        self.length = len(self.chain)
        self.outcomes = session.outcomes
        # Defaults are merged on the careful lane.
        self.push_event = (
            _refuse_all if session.has_defaults else session.push_event
        )
        self._session = session
        self._careful = careful
        self._refuse = refuse

    def end_unusual(self, event: Any, position: int) -> Receipt:
        """
        Do what there is to do at the chain's end beside making a receipt.
        """
        if position > 0:
            self._session.wake()
            return Receipt(self.outcomes, position & ~UNUSUAL)
        return self._careful(self._session, event)

    def fail(self, error: Exception) -> Receipt:
        """
        Count an exception that came out of the chain.

        Raises:
            Exception: The same, where *strict* is set.
        """
        self._session.counters.middleware_errors.bump()
        if self._session.options.strict:
            raise error
        return self._refuse(self._session, f"a middleware raised {error!r}")

    def conclude(self, receipt: Receipt) -> Receipt:
        """
        Count an event that came out of the chain in an unusual way.

        Raises:
            InvalidEventError: It is invalid, and *strict* is set.
        """
        if receipt is STOPPED:
            self._session.counters.skipped.bump()
        elif receipt.status is Status.INVALID:
            return self._refuse(self._session, receipt.reason or "")
        return receipt


def _refuse_all(event: Any) -> int:
    del event
    return UNCLEAN
