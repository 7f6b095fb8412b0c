# SPDX-License-Identifier: MIT
"""
The words of the service: its error strings and the shape of every body.

The strings are the documented ones, but two: the service's text for ids of a
wrong length is known from its clients only, and for a form that cannot be
read none is known. The identify APIs are documented with their statuses alone;
here their bodies have the shape of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Body = dict[str, Any]

INVALID_PATH = "Invalid request path"
MISSING_BODY = "Missing request body"
INVALID_JSON = "Invalid JSON request body"
MISSING_FIELD = "Request missing required field"
INVALID_EVENT = "Invalid event JSON"
INVALID_KEY = "Invalid API key"
INVALID_VALUES = "Invalid field values on some events"
MISSING_EVENT = "missing_event"
INVALID_FORM = "Invalid form request body"
INVALID_ID_LENGTH = "Invalid id length for user_id or device_id"
SILENCED = "Events silenced for device_id"
FORBIDDEN = "Forbidden"
TOO_LARGE = "Payload too large"
TOO_MANY = "Too many requests for some devices and users"
METHOD_NOT_ALLOWED = "Method Not Allowed"

ERRORS = {
    400: INVALID_JSON,
    403: FORBIDDEN,
    405: METHOD_NOT_ALLOWED,
    413: TOO_LARGE,
}
"""The error of a status whose body says nothing else."""

HTML = "<html><head><title>{0}</title></head><body>{0}</body></html>\n"
"""What a proxy answers instead; takes the status."""

FAMILIES = (
    "events_with_invalid_fields",
    "events_with_missing_fields",
    "events_with_invalid_id_lengths",
    "silenced_events",
)
"""The four places where a 400 names indexes of events."""

Indexes = Mapping[str, Sequence[int]]


def taken(events: int, size: int, time: int) -> Body:
    """
    Build the body of a 200.

    Args:
        events: How many events were ingested.

        size: Bytes of JSON in the request.

        time: Milliseconds since the epoch at the server.
    """
    return {
        "code": 200,
        "events_ingested": events,
        "payload_size_bytes": size,
        "server_upload_time": time,
    }


def refused(
    status: int, error: str | None = None, missing_field: str | None = None
) -> Body:
    """
    Build a body that speaks of the request as a whole.
    """
    body: Body = {"code": status, "error": error or ERRORS[status]}
    if missing_field is not None:
        body["missing_field"] = missing_field
    return body


def bad_events(
    invalid: Indexes, missing: Indexes, id_lengths: Indexes | None = None
) -> Body:
    """
    Build the body of a 400 that names events by field.
    """
    only_lengths = bool(id_lengths) and not invalid and not missing
    body: Body = {
        "code": 400,
        "error": INVALID_ID_LENGTH if only_lengths else INVALID_VALUES,
        "events_with_invalid_fields": dict(invalid),
        "events_with_missing_fields": dict(missing),
    }
    if id_lengths:
        body["events_with_invalid_id_lengths"] = dict(id_lengths)
    return body


def silenced(
    devices: Sequence[str],
    indexes: Sequence[int],
    eps_threshold: int,
    throttled: Body | None = None,
) -> Body:
    """
    Build the body of a 400 for devices that the service no longer hears.

    *throttled*, a body of 429, lends its fields: one answer may carry both.
    """
    throttled = throttled or {}
    return {
        "code": 400,
        "error": SILENCED,
        "eps_threshold": eps_threshold,
        "silenced_devices": list(devices),
        "silenced_events": list(indexes),
        "exceeded_daily_quota_devices": throttled.get(
            "exceeded_daily_quota_devices", {}
        ),
        "throttled_devices": throttled.get("throttled_devices", {}),
        "throttled_events": throttled.get("throttled_events", []),
    }


def too_many(
    eps_threshold: int,
    indexes: Sequence[int],
    *,
    users: Mapping[str, int] | None = None,
    devices: Mapping[str, int] | None = None,
    quota_users: Mapping[str, int] | None = None,
    quota_devices: Mapping[str, int] | None = None,
) -> Body:
    """
    Build the body of a 429.

    Args:
        eps_threshold: Events a second one id may have.

        indexes: The events concerned, as sent.

        users: Events a second of each throttled user.

        devices: The same of each throttled device.

        quota_users: Events of the day of each user over its quota.

        quota_devices: The same of each device.
    """
    return {
        "code": 429,
        "error": TOO_MANY,
        "eps_threshold": eps_threshold,
        "throttled_users": dict(users or {}),
        "throttled_devices": dict(devices or {}),
        "exceeded_daily_quota_users": dict(quota_users or {}),
        "exceeded_daily_quota_devices": dict(quota_devices or {}),
        "throttled_events": list(indexes),
    }
