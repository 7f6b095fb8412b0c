# SPDX-License-Identifier: MIT
"""
A transport that records and plays back, for the tests of those who use
ringamp. It opens no socket.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from ringamp.protocols import Payload
from ringamp.status import Response, Status
from ringamp.transport.classify import classify

Answer = Response | int | BaseException
"""What to play back: a response, an HTTP status, or something to raise."""


class MemoryTransport:
    """
    Keep what is sent, and answer as told.

    The answers given are played back in order, one a request; after the last
    one every request succeeds. Several threads may send at once.

    Args:
        responses:
            A `Response`, an HTTP status such as 429, or an exception, which
            is raised as a broken transport would.

    Attributes:
        requests: The events of each request, decoded, in sent order.

    .. versionadded:: 0.1.0
    """

    def __init__(self, responses: Iterable[Answer] | None = None) -> None:
        self.requests: list[list[dict[str, Any]]] = []
        # Appending to a list and popping from a deque are atomic; a lock
        # here could be inherited by a forked child while it is held.
        self._answers: deque[Answer] = deque(responses or ())

    def __repr__(self) -> str:
        return (
            f"<MemoryTransport: {len(self.requests)} requests,"
            f" {len(self._answers)} answers left>"
        )

    @property
    def events(self) -> list[dict[str, Any]]:
        """
        The events of all requests, one after the other.
        """
        return [event for events in self.requests for event in events]

    def send_payload(self, payload: Payload) -> Response:
        """
        Record the events of *payload* and play the next answer back.
        """
        self.requests.append(list(payload.events))
        try:
            answer = self._answers.popleft()
        except IndexError:
            return Response(
                Status.SUCCESS,
                200,
                {"code": 200, "events_ingested": len(payload.events)},
            )
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Response):
            return answer
        return classify(answer)

    def close(self) -> None:
        """
        Do nothing; what was recorded stays.
        """

    def clear(self) -> None:
        """
        Forget what was recorded and the answers not yet played back.
        """
        self.requests.clear()
        self._answers.clear()
