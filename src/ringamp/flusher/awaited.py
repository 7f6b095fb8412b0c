# SPDX-License-Identifier: MIT
"""
`AwaitedResponse`: a response that is there later, for threads and for asyncio.
"""

from __future__ import annotations

import concurrent.futures
import sys
from collections.abc import Generator
from typing import Any

from ringamp.flusher.senders import Senders
from ringamp.status import Response


class AwaitedResponse(concurrent.futures.Future[Response]):
    """
    A future of a response, which can also be awaited where asyncio runs.

    Args:
        senders: The threads that bring it about, which must not wait for it.

    Raises:
        RuntimeError: By `result` and `exception`, where such a thread calls
            them before it is done.

    .. versionadded:: 0.1.0
    """

    def __init__(self, senders: Senders | None = None) -> None:
        super().__init__()
        self._senders = senders

    def result(self, timeout: float | None = None) -> Response:
        """
        Wait for the response, at most *timeout* seconds.
        """
        self._check_waiter()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """
        Wait for the response, at most *timeout* seconds; there is no
        exception.
        """
        self._check_waiter()
        return super().exception(timeout)

    def _check_waiter(self) -> None:
        if self._senders is not None and not self.done():
            self._senders.refuse_to_wait()

    def __await__(self) -> Generator[Any, None, Response]:
        # Whoever awaits under asyncio has imported it; nobody else pays.
        asyncio = sys.modules.get("asyncio")
        if asyncio is None:
            raise RuntimeError(
                "it can be awaited where asyncio runs; elsewhere call "
                "result() in a thread"
            )
        awaited: Generator[Any, None, Response] = asyncio.wrap_future(
            self
        ).__await__()
        return awaited
