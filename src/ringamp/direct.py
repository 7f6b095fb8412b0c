# SPDX-License-Identifier: MIT
"""
The direct lane: an event without middleware, from the call into the ring.

All of it is one builtin (native/entrance.c), which answers the receipt. What
is unusual comes back to `DirectLane`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ringamp.bindings import FULL, UNUSUAL
from ringamp.careful import drop_for_room
from ringamp.flusher.receipt import Receipt

if TYPE_CHECKING:
    from ringamp.session import Session


class DirectLane:
    """
    The way into the ring of one session.

    Args:
        session: Whose ring the events go to.

        careful: Logs an event, with its extra, by the careful lane.

    Attributes:
        log: Takes an event and extra, answers its receipt.
    """

    __slots__ = ("_careful", "_session", "log")

    def __init__(
        self, session: Session, careful: Callable[[Any, Any], Receipt]
    ) -> None:
        self._session = session
        self._careful = careful
        self.log: Callable[[Any, Any], Receipt]
        self.log, _ = session.ring.enter(session.outcomes, self._log_unusual)

    def _log_unusual(self, event: Any, extra: Any, position: int) -> Receipt:
        """
        Do what there is to do beside making a receipt.
        """
        session = self._session
        if position > 0:
            session.wake()
            return Receipt(session.outcomes, position & ~UNUSUAL)
        if position == FULL and session.drops_when_full:
            return drop_for_room(session)
        return self._careful(event, extra)
