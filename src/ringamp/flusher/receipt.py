# SPDX-License-Identifier: MIT
"""
`Receipt`: what `log_event` returns.

Every event makes one, so the type and its constructor are C's
(native/entrance.c), and the methods are here.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, final

from ringamp.bindings import receipt_type
from ringamp.flusher.awaited import AwaitedResponse
from ringamp.flusher.outcomes import FORGOTTEN, Outcomes
from ringamp.status import Response, Status


@final
@receipt_type
class Receipt:
    """
    What `log_event` returns: what is known at once, and the way to the rest.

    A receipt is this process's: in a forked child, those of the parent answer
    `unknown`, since only the parent learns what became of its events.
    """

    __slots__ = ()

    _outcomes: Outcomes | None
    _position: int
    _known: Response | None

    if TYPE_CHECKING:

        def __init__(
            self,
            outcomes: Outcomes | None,
            position: int,
            known: Response | None = None,
            /,
        ) -> None: ...

    def __repr__(self) -> str:
        known = "" if self._known is None else f", {self._known!r}"
        return f"Receipt({self._outcomes!r}, {self._position}{known})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Receipt):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def _parts(self) -> tuple[Outcomes | None, int, Response | None]:
        return self._outcomes, self._position, self._known

    @property
    def status(self) -> Status:
        """
        QUEUED, or why the event was not queued: SKIPPED, INVALID, DROPPED.
        """
        if self._known is None:
            return Status.QUEUED
        return self._known.status

    @property
    def reason(self) -> str | None:
        """
        Why the event was not queued, in words; None if it was.
        """
        return None if self._known is None else self._known.error

    @property
    def response(self) -> Response | None:
        """
        The final response, None while there is none.
        """
        if self._known is not None or self._outcomes is None:
            return self._known
        return self._outcomes.lookup(self._position)

    def future(self) -> AwaitedResponse:
        """
        A future of the final response.
        """
        if self._known is None and self._outcomes is not None:
            return self._outcomes.future(self._position)
        future = AwaitedResponse()
        future.set_result(self._known or FORGOTTEN)
        return future

    def result(self, timeout: float | None = None) -> Response:
        """
        Wait for the final response of this event.

        Args:
            timeout: Seconds to wait at most; None: as long as it takes.

        Raises:
            TimeoutError: There was none within *timeout*.
        """
        response = self.response
        if response is not None:
            return response
        future = self.future()
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise TimeoutError(
                f"the event has no final outcome after {timeout} s",
            ) from None

    def __await__(self) -> Generator[Any, None, Response]:
        return self.future().__await__()
