# SPDX-License-Identifier: MIT
"""
posthog: `Posthog.capture`. What Amplitude has beside the event's properties
goes into them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from posthog import Posthog  # type: ignore[import-not-found]
from properties import all_properties


class Peer:
    """
    One client.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._client = Posthog("BENCHMARK", host=url, **options)

    def prepare(self, event: dict[str, Any]) -> Callable[[], object]:
        """
        Name, distinct id, properties.
        """
        return partial(
            self._client.capture,
            event["event_type"],
            distinct_id=event["user_id"],
            properties=all_properties(event, ip="$ip"),
        )

    def drain(self) -> None:
        """
        Wait for the queue.
        """
        self._client.flush()
