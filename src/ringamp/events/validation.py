# SPDX-License-Identifier: MIT
"""
The careful road: what the C core found wrong with an event, put right or put
into words.

Whether an event is fine is decided in C, at every push. These functions only
run for one that is not. They change the dict they are given, which is a copy.
"""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Any

from ringamp.bindings import (
    ID_ABSENT,
    ID_FINE,
    ID_NO_STRING,
    ID_REFUSED,
    ID_SHORT,
    check_id,
)
from ringamp.errors import InvalidEventError

_WRONG_WITH_ID = {
    ID_SHORT: "is shorter than min_id_length ({least})",
    ID_REFUSED: "is one of the values that the service always refuses",
    ID_NO_STRING: "is of type {kind}, not a string",
}


def clean(event: dict[str, Any]) -> None:
    """
    Bring the fields that the C core looks at into the shape it knows.

    None counts as absent. A time may be a float, or a datetime with a time
    zone; ids and insert_id may be integers.

    Raises:
        InvalidEventError: A field cannot be brought into shape.
    """
    for name in ("user_id", "device_id", "time", "insert_id", "library"):
        if name in event and event[name] is None:
            del event[name]
    for name in ("user_id", "device_id", "insert_id"):
        value = event.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            event[name] = str(value)
    if "time" in event:
        event["time"] = _as_milliseconds(event["time"])
    for name in ("insert_id", "library"):
        value = event.get(name)
        if isinstance(value, str):
            event[name] = str(value)
        elif value is not None:
            raise InvalidEventError(
                f"{name}: {type(value).__name__} given, a string is allowed",
            )


def remove_bad_ids(event: dict[str, Any], min_id_length: int) -> list[str]:
    """
    Take off the ids that the service would take off or refuse.

    Returns:
        What was removed and why, one sentence each.

    Raises:
        InvalidEventError: No id is left.
    """
    removed = []
    for name in ("user_id", "device_id"):
        value = event.get(name)
        fault = check_id(value, min_id_length, name == "device_id")
        if fault in (ID_FINE, ID_ABSENT):
            continue
        why = _WRONG_WITH_ID[fault].format(
            least=min_id_length,
            kind=type(value).__name__,
        )
        removed.append(f"{name} {why}")
        del event[name]
    if all(
        check_id(event.get(name), min_id_length, name == "device_id")
        == ID_ABSENT
        for name in ("user_id", "device_id")
    ):
        raise InvalidEventError(
            "; ".join(
                [*removed, "the event has neither user_id nor device_id"]
            )
            + "; one of them is needed",
        )
    return removed


def event_type_fault(event: dict[str, Any]) -> str:
    """
    Say what is wrong with the event type.
    """
    if "event_type" not in event:
        return "event_type is missing; a string that is not blank is needed"
    given = event["event_type"]
    shown = repr(given) if isinstance(given, str) else type(given).__name__
    return f"event_type: {shown} given, a string that is not blank is allowed"


def _as_milliseconds(value: Any) -> int:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return int(value.timestamp() * 1000)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and isfinite(value):
        return int(value)
    if isinstance(value, datetime):
        shown = "a datetime without a time zone"
    else:
        shown = type(value).__name__
    raise InvalidEventError(
        f"time: {shown} given, milliseconds since the epoch (a number) or a "
        "datetime with a time zone are allowed",
    )
