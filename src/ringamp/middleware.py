# SPDX-License-Identifier: MIT
"""
The middleware chain: each event goes through it before it is encoded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from ringamp.flusher.outcomes import Receipt
from ringamp.logs import log
from ringamp.protocols import Middleware, MiddlewarePayload
from ringamp.status import Response, Status

STOPPED = Receipt(
    None,
    0,
    Response(Status.SKIPPED, error="a middleware did not call next"),
)


class Passage:
    """
    One event's way along the chain.

    `advance` is the `next` of every middleware: it calls the one behind, and
    at the end of the chain puts the event into the ring. A middleware that
    calls it twice, or keeps it and calls it later, cannot log an event
    twice: the chain goes forward only, and its end is reached once.
    """

    __slots__ = ("_at", "_chain", "_emit", "receipt")

    def __init__(
        self,
        chain: Sequence[Middleware],
        emit: Callable[[dict[str, Any]], Receipt],
    ) -> None:
        self._chain = chain
        self._emit = emit
        self._at = 0
        self.receipt = STOPPED

    def advance(self, payload: MiddlewarePayload) -> None:
        """
        Hand *payload* on.
        """
        at = self._at
        self._at = at + 1
        if at < len(self._chain):
            self._chain[at](payload, self.advance)
        elif at == len(self._chain):
            self.receipt = self._emit(payload.event)
        else:
            log(
                logging.WARNING,
                "next called twice",
                "a middleware called next again for an event that has passed "
                "the chain already; the event is logged once",
            )
