# SPDX-License-Identifier: MIT
"""
mixpanel: `Mixpanel.track`, which posts each event in the caller's thread, or
with a `BufferedConsumer` 50 of them, which is the most it takes.

Its retries are set up for https alone; here the same ones are mounted for
http, or an outage would meet a client without any.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mixpanel import (  # type: ignore[import-not-found]
    BufferedConsumer,
    Consumer,
    Mixpanel,
)
from properties import all_properties


class Peer:
    """
    One client.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        chosen = dict(options)
        self._buffered = chosen.pop("buffered", False)
        kind = BufferedConsumer if self._buffered else Consumer
        self._consumer = kind(events_url=f"{url}/track", **chosen)
        posting = self._consumer
        if self._buffered:
            posting = posting._consumer  # noqa: SLF001 - as said above.
        session = posting._session  # noqa: SLF001 - as said above.
        session.mount("http://", session.get_adapter("https://"))
        self._client = Mixpanel("BENCHMARK", self._consumer)

    def prepare(self, event: dict[str, Any]) -> Callable[[], object]:
        """
        Distinct id, name, properties.
        """
        return partial(
            self._client.track,
            event["user_id"],
            event["event_type"],
            all_properties(event),
        )

    def drain(self) -> None:
        """
        Post what is buffered.
        """
        if self._buffered:
            self._consumer.flush()
