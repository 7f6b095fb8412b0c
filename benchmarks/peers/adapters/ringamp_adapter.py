# SPDX-License-Identifier: MIT
"""
ringamp, as its README says to use it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import ringamp

PATIENCE = 60


class Peer:
    """
    One instance.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._client = ringamp.init(
            "BENCHMARK", server_url=f"{url}/2/httpapi", **options
        )

    def prepare(self, event: dict[str, Any]) -> Callable[[], object]:
        """
        The event is a dict already.
        """
        return partial(self._client.log_event, event)

    def drain(self) -> None:
        """
        Wait for all outcomes.
        """
        self._client.flush().result(PATIENCE)
