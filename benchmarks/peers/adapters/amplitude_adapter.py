# SPDX-License-Identifier: MIT
"""
amplitude-analytics: `Amplitude.track` of a `BaseEvent`, made for each call as
the documentation does; an event object belongs to the client once tracked.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from amplitude import (  # type: ignore[import-not-found]
    Amplitude,
    BaseEvent,
    Config,
)


class Peer:
    """
    One client.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        config = Config(server_url=f"{url}/2/httpapi", **options)
        self._client = Amplitude("BENCHMARK", config)

    def prepare(self, event: dict[str, Any]) -> Callable[[], object]:
        """
        Its fields are keyword arguments.
        """
        track = self._client.track
        return lambda: track(BaseEvent(**event))

    def drain(self) -> None:
        """
        Wait for the futures of `flush`.
        """
        for future in self._client.flush():
            if isinstance(future, Future):
                future.result()
