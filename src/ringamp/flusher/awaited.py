# SPDX-License-Identifier: MIT
"""
`AwaitedResponse`: a response that is there later, for threads and for asyncio.
"""

from __future__ import annotations

import concurrent.futures
import sys
from collections.abc import Generator
from typing import Any

from ringamp.status import Response


class AwaitedResponse(concurrent.futures.Future[Response]):
    """
    A future of a response, which can also be awaited where asyncio runs.

    .. versionadded:: 0.1.0
    """

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
