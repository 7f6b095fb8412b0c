# SPDX-License-Identifier: MIT
"""
segment-analytics-python: `Client.track`; and rudder-sdk-python, a fork of it
with the same call, in whose environment it stands alone. What Amplitude has
beside the event's properties goes into them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from properties import all_properties

try:
    from segment.analytics.client import Client
except ModuleNotFoundError:
    from rudderstack.analytics.client import Client


class Peer:
    """
    One client.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._client = Client("BENCHMARK", host=url, **options)

    def prepare(self, event: dict[str, Any]) -> Callable[[], object]:
        """
        User id, name, properties.
        """
        return partial(
            self._client.track,
            event["user_id"],
            event["event_type"],
            all_properties(event),
        )

    def drain(self) -> None:
        """
        Wait for the queue.
        """
        self._client.flush()
