# SPDX-License-Identifier: MIT
"""
What one event may hold: a table of fields, and who may be an id.

A field that is not in the table is accepted, and null counts as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

DEEPEST = 500
"""
Objects and arrays around a value, whatever the limits: an event that goes
deeper could be read, but not be written again for who asks for it.
"""

Event = dict[str, Any]
Check = Callable[[Any], bool]

OPERATIONS = frozenset(
    {
        "$set",
        "$setOnce",
        "$add",
        "$append",
        "$prepend",
        "$unset",
        "$preInsert",
        "$postInsert",
        "$remove",
        "$clearAll",
    }
)
"""What `user_properties` of `$identify` may ask for."""

GROUP_OPERATIONS = frozenset(
    {"$set", "$setOnce", "$add", "$append", "$prepend", "$unset"}
)
"""What `group_properties` of `$groupidentify` may ask for."""

FORBIDDEN_IDS = frozenset(
    {
        "anonymous",
        "nil",
        "none",
        "null",
        "n/a",
        "na",
        "undefined",
        "unknown",
        "",
        '""',
        "00000000-0000-0000-0000-000000000000",
        "{}",
        "lmy47d",
        "0",
        "-1",
    }
)
"""
Ids the service refuses. `lmy47d` is the name of an Android build in lower
case, so the comparison is taken to ignore case.
"""


def is_string(value: Any) -> bool:
    """
    Say whether *value* is a JSON string.
    """
    return type(value) is str


def is_text(value: Any) -> bool:
    """
    Say whether *value* is a string that is not blank.
    """
    return type(value) is str and bool(value.strip())


def is_integer(value: Any) -> bool:
    """
    Say whether *value* is a whole number; true and false are none.
    """
    return type(value) is int


def is_number(value: Any) -> bool:
    """
    Say whether *value* is a number.
    """
    return type(value) in (int, float)


def is_bool(value: Any) -> bool:
    """
    Say whether *value* is true or false.
    """
    return type(value) is bool


def depth(value: Any) -> int:
    """
    Return how many objects and arrays enclose the innermost value.
    """
    levels = 0
    level = [value]
    while True:
        below: list[Any] = []
        found = False
        for holder in level:
            if type(holder) is dict:
                found = True
                below.extend(holder.values())
            elif type(holder) is list:
                found = True
                below.extend(holder)
        if not found:
            return levels
        levels += 1
        level = below


def is_object(value: Any) -> bool:
    """
    Say whether *value* is an object.
    """
    return type(value) is dict


def is_groups(value: Any) -> bool:
    """
    Say whether *value* names groups: a string or strings for each type.

    How many are tracked is another matter; see `trimming`.
    """
    return type(value) is dict and all(
        all(map(is_string, name)) if type(name) is list else is_string(name)
        for name in value.values()
    )


def is_operations(value: dict[str, Any], allowed: frozenset[str]) -> bool:
    """
    Say whether *value* is plain properties or operations, and not both.

    Args:
        value: The properties.

        allowed: The operations there are for them.
    """
    asked = value.keys() & OPERATIONS
    return not asked or (
        len(asked) == len(value)
        and asked <= allowed
        and all(
            type(operand) is dict or operation == "$clearAll"
            for operation, operand in value.items()
        )
    )


FIELDS: dict[str, Check] = {
    "event_type": is_text,
    "user_id": is_string,
    "device_id": is_string,
    "time": is_integer,
    "event_properties": is_object,
    "user_properties": is_object,
    "group_properties": is_object,
    "groups": is_groups,
    "plan": is_object,
    "ingestion_metadata": is_object,
    "$skip_user_properties_sync": is_bool,
    "event_id": is_integer,
    "session_id": is_integer,
    "quantity": is_integer,
    **dict.fromkeys(
        ("price", "revenue", "location_lat", "location_lng"), is_number
    ),
    **dict.fromkeys(
        (
            "user_agent",
            "app_version",
            "platform",
            "os_name",
            "os_version",
            "device_brand",
            "device_manufacturer",
            "device_model",
            "carrier",
            "country",
            "region",
            "city",
            "dma",
            "language",
            "productId",
            "revenueType",
            "currency",
            "ip",
            "idfa",
            "idfv",
            "adid",
            "android_id",
            "android_app_set_id",
            "insert_id",
            "partner_id",
            "library",
            "version_name",
        ),
        is_string,
    ),
}
"""What the value of each documented field must be."""

PROPERTIES = ("event_properties", "user_properties", "group_properties")
"""Fields whose limits of depth and length are documented."""

HOLDERS = frozenset({dict, list})

SHALLOW = frozenset({*PROPERTIES, "plan", "ingestion_metadata"})

OPERATING_EVENTS = {
    "$identify": ("user_properties", OPERATIONS),
    "$groupidentify": ("group_properties", GROUP_OPERATIONS),
}
"""
Events whose properties are operations: the field that holds them, and which
there are.
"""


def _is_fit(field: str, value: Any) -> bool:
    check = FIELDS.get(field)
    return check is None or value is None or check(value)


def invalid_fields(event: Event, max_depth: int | None) -> Iterator[str]:
    """
    Yield the fields of *event* whose values the service refuses.

    Args:
        event: What was sent.

        max_depth: Objects and arrays around a value among the properties.
    """
    limit = DEEPEST if max_depth is None else min(max_depth, DEEPEST)
    for field, value in event.items():
        deepest = limit if field in SHALLOW else DEEPEST
        is_deep = type(value) in HOLDERS and depth(value) > deepest
        if is_deep or not _is_fit(field, value):
            yield field
    kind = str(event.get("event_type"))
    if kind in OPERATING_EVENTS:
        operating, allowed = OPERATING_EVENTS[kind]
        asked = event.get(operating)
        if type(asked) is dict and not is_operations(asked, allowed):
            yield operating


def is_forbidden_id(value: str) -> bool:
    """
    Say whether the service refuses the id *value* whatever its length.
    """
    return value.lower() in FORBIDDEN_IDS


def is_forbidden_device(value: str) -> bool:
    """
    Say the same of a device id: one of nothing but zeros is refused too.
    """
    return not value.strip("0-") or is_forbidden_id(value)
