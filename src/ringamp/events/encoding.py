# SPDX-License-Identifier: MIT
"""
An event to JSON bytes, once, when it is logged.

There are two roads. The fast one is orjson, which the C core calls for a
dict; an `Event` picks the fields that are set and takes the same road. Where
that raises anything, `encode_sendable` copies the event
into something that can be sent, or says which field cannot be. Both roads
end in orjson, so a dict and an `Event` with the same values give the same
bytes; encoding an `Event` by msgspec would not: a *datetime* in UTC would end
in Z instead of +00:00, and a *Decimal* that is NaN, or is a key, would be
written as something that is no JSON and spoil every event it travels with.

    value                                  is sent as
    str, its subclasses                    text; a surrogate alone is U+FFFD
    int, its subclasses                    number; beyond 64 bit its text
    float, its subclasses                  number; NaN and infinity are null
    bool, None                             true, false, null
    Decimal                                number with all its digits; beyond
                                           a double its text; NaN, infinity
                                           are null
    date, datetime, time                   ISO 8601 text
    timedelta                              ISO 8601 duration text, in seconds
    UUID                                   text
    bytes, bytearray, memoryview           base64 text
    Enum                                   its value
    list, tuple, set, their subclasses     array
    dict, its subclasses                   object
    dataclass                              object, without names in "_"
    msgspec.Struct                         what msgspec makes of its fields
    orjson.Fragment, msgspec.Raw           the JSON inside
    what contains itself, or is nested     INVALID
    deeper than 40
    anything else                          INVALID

    key                                    is sent as
    str, its subclasses                    text, as above
    int, float, bool, None                 text of the JSON value
    date, datetime, time, UUID             text, as above
    Enum                                   the key its value would be
    anything else                          INVALID

Two keys that become the same text, as 1 and "1", are one: the last wins.
Nothing the caller owns is ever changed.

What the fast road lets pass unseen: nesting between 40 and orjson's own 254
levels, which the service judges, and an *orjson.Fragment* that holds no JSON,
which is its maker's promise to keep.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

from ringamp.bindings import ENCODE_OPTION
from ringamp.errors import InvalidEventError
from ringamp.events.event import Event
from ringamp.events.properties import sendable


def encode(event: dict[str, Any]) -> bytes:
    """
    Encode *event* along the fast road, as the core does by itself.

    Raises:
        Exception: It cannot be encoded this way; use `encode_sendable`.
    """
    return orjson.dumps(event, None, ENCODE_OPTION)


def encode_sendable(event: dict[str, Any] | Event) -> bytes:
    """
    Encode *event* by the table above.

    Args:
        event: What the fast road would not take. Not changed.

    Returns:
        One JSON object with at least one field.

    Raises:
        InvalidEventError:
            Something in it cannot be sent. The message begins with its path,
            as `event_properties.items[3].when`.
    """
    kind = type(event)
    if not issubclass(kind, dict | Event):
        raise InvalidEventError(
            f"event: object of type {kind.__name__} given; allowed are a dict"
            " and an Event"
        )
    if not event:
        raise InvalidEventError("event: it is empty; event_type is needed")
    return orjson.dumps(sendable(event, ""), _digits)


def _digits(number: Decimal) -> orjson.Fragment:
    """
    Write a Decimal as it stands; its text is always a JSON number.
    """
    return orjson.Fragment(str(number))
