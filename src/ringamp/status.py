# SPDX-License-Identifier: MIT
"""
What became of an event or a request: `Status` and `Response`. Values only.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec


class Status(str, Enum):
    """
    The class of a response: the nine of the Node SDK, with its spelling, and
    two that only a receipt has.
    """

    UNKNOWN = "unknown"
    """Nothing known; also every HTTP status without a class of its own."""

    SKIPPED = "skipped"
    """Not sent on purpose: opted out, stopped by middleware, nothing to do."""

    SUCCESS = "success"
    """2xx."""

    RATE_LIMIT = "rate_limit"
    """429."""

    PAYLOAD_TOO_LARGE = "payload_too_large"
    """413."""

    INVALID = "invalid"
    """400 and every other 4xx; for a receipt, an event never uploaded."""

    FAILED = "failed"
    """5xx."""

    TIMEOUT = "Timeout"
    """408, or no answer within *request_timeout_millis*."""

    SYSTEM_ERROR = "SystemError"
    """No HTTP answer at all: refused, reset, DNS, TLS."""

    QUEUED = "queued"
    """Only of a receipt: in the ring, its outcome still to come."""

    DROPPED = "dropped"
    """Given up by this process: no room, retries used up, shut down."""

    def __str__(self) -> str:
        return self.value


class Response(msgspec.Struct, frozen=True, kw_only=False):
    """
    What the service answered, or what was decided without it.

    Attributes:
        status: The class of the answer.

        status_code: The HTTP status, 0 when there was none.

        body: The JSON object the service answered, None when it was none.

        error: What went wrong, in words.

        retry_after:
            Seconds the service asked to wait (header *Retry-After*), or None.
    """

    status: Status
    status_code: int = 0
    body: dict[str, Any] | None = None
    error: str | None = None
    retry_after: float | None = None


SKIPPED_RESPONSE = Response(Status.SKIPPED)
"""The answer where there was nothing to do."""
