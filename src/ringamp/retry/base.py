# SPDX-License-Identifier: MIT
"""
A base for retry classes of the user's own, with the interface of the Node
SDK: events in, one response out.

    class Twice(ringamp.BaseRetry):
        def send_events_with_retry(self, events):
            response = self.send_events(events)
            if response.status is ringamp.Status.SUCCESS:
                return response
            return self.send_events(events)

    ringamp.init("API_KEY", retry_class=Twice)

Given as a class it is made by keyword,
`Twice(transport=..., options=..., envelope=...)`; the envelope brings the API
key, which is in no attribute and no repr here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ringamp.options import Options
from ringamp.protocols import Transport, method_of
from ringamp.status import SKIPPED_RESPONSE, Response
from ringamp.transport.payload import Envelope


class BaseRetry:
    """
    Send batches by your own rules: override `send_events_with_retry`.

    Args:
        transport: Sends one payload.

        options: Of the instance.

        envelope: Makes payloads of events.

    .. versionadded:: 0.1.0
    """

    def __init__(
        self, transport: Transport, options: Options, envelope: Envelope
    ) -> None:
        self.transport = transport
        self.options = options
        self.envelope = envelope

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def send_events_with_retry(
        self, events: Sequence[Mapping[str, Any]]
    ) -> Response:
        """
        Send *events*, however often it takes, and return the last response.

        Called on the flusher's thread, with at least one event and never
        more than a request may hold. The response is the outcome of all of
        *events*. This one sends once.
        """
        return self.send_events(events)

    def send_events(self, events: Sequence[Mapping[str, Any]]) -> Response:
        """
        Send *events* in one request, once.

        Returns:
            What the transport says; skipped if there are no events, since
            the service refuses an empty list.
        """
        if not events:
            return SKIPPED_RESPONSE
        post = method_of(self.transport, "send_payload", "sendPayload")
        answer: Response = post(self.envelope.payload(events))
        return answer
