# SPDX-License-Identifier: MIT
"""
HTTP status, body and headers to a `Response`. A table; pure and total.

The HTTP status decides. The body adds detail, and only if it is a JSON
object: a proxy's HTML page, a truncated text or nothing at all is no error
by itself, and a body's own *code* field is never believed. So a 2xx whose
body nobody can read is a success: the service took the events.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from ringamp.status import Response, Status

BODY_CAP = 1024 * 1024
"""
Bytes of an answer that are looked at. The longest answer of use names 2000
events or ids of 1024 characters, and is a few per cent of that in practice.
"""

LONGEST_RETRY_AFTER = 3600.0
"""Seconds; a typing error upstream must not silence a service for a day."""

STATUS_OF_CODE: Mapping[int, Status] = {
    408: Status.TIMEOUT,
    413: Status.PAYLOAD_TOO_LARGE,
    429: Status.RATE_LIMIT,
}
"""The codes that have a class of their own."""

STATUS_OF_HUNDRED: Mapping[int, Status] = {
    2: Status.SUCCESS,
    4: Status.INVALID,
    5: Status.FAILED,
    # http.client lets codes up to 999 through; the Node SDK says ">= 500".
    6: Status.FAILED,
    7: Status.FAILED,
    8: Status.FAILED,
    9: Status.FAILED,
}
"""All others, by their first digit; what is not here is unknown."""

# Words end in log lines and receipts; a page of HTML does not belong there.
_LONGEST_ERROR = 300
_SECONDS = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")


def classify(
    status_code: int,
    body: bytes | bytearray | memoryview = b"",
    headers: Mapping[str, str] | None = None,
    now: float | None = None,
) -> Response:
    """
    Say what an HTTP answer means.

    Args:
        status_code: The HTTP status.

        body: What came with it; never an error, whatever it is.

        headers: *Retry-After* and *Date* are read, in any spelling.

        now:
            Seconds since the epoch, for a *Retry-After* that is a date; the
            answer's own *Date* is preferred, since clocks differ.

    Returns:
        The answer, with the body where it is a JSON object.
    """
    status = STATUS_OF_CODE.get(
        status_code,
        STATUS_OF_HUNDRED.get(status_code // 100, Status.UNKNOWN),
    )
    parsed = _object(body)
    return Response(
        status,
        status_code,
        parsed,
        None if status is Status.SUCCESS else _error(status_code, parsed),
        _retry_after(headers, now) if headers else None,
    )


def _object(body: bytes | bytearray | memoryview) -> dict[str, Any] | None:
    """
    Parse *body* if it is a JSON object; deep nesting is refused by orjson.
    """
    if not body or len(body) > BODY_CAP:
        return None
    try:
        # Without a GIL orjson reads nothing but bytes.
        parsed = orjson.loads(bytes(body))
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _error(status_code: int, body: dict[str, Any] | None) -> str:
    """
    Find words for what went wrong.
    """
    error = (body or {}).get("error")
    if isinstance(error, str) and error:
        return error[:_LONGEST_ERROR]
    return f"HTTP {status_code}"


def _retry_after(
    headers: Mapping[str, str], now: float | None
) -> float | None:
    """
    Read *Retry-After*, which is seconds or a date, as bounded seconds.
    """
    wanted = {"retry-after": "", "date": ""}
    wanted.update(
        (name.lower(), value)
        for name, value in headers.items()
        if name.lower() in wanted
    )
    asked = wanted["retry-after"].strip()
    if _SECONDS.fullmatch(asked):
        return min(float(asked), LONGEST_RETRY_AFTER)
    then = _seconds_since_epoch(asked) if asked else None
    if then is None:
        return None
    sent = _seconds_since_epoch(wanted["date"])
    start = now if sent is None else sent
    if start is None:
        return None
    return min(max(then - start, 0.0), LONGEST_RETRY_AFTER)


def _seconds_since_epoch(date: str) -> float | None:
    """
    Read an HTTP date, or None.
    """
    try:
        moment: datetime = parsedate_to_datetime(date)
        if moment.tzinfo is None:  # "-0000": UTC, says RFC 5322.
            moment = moment.replace(tzinfo=timezone.utc)
        return moment.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
