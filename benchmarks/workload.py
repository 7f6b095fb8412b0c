# SPDX-License-Identifier: MIT
"""
The events used everywhere, and how to make them larger.
"""

from __future__ import annotations

from copy import deepcopy
from enum import Enum
from typing import Any

import orjson

from ringamp import Event

PADDING = "padding"
"""The event property that makes an event as large as was asked."""


class Kind(str, Enum):
    """
    Which event is logged.
    """

    SMALL = "small"
    TYPICAL = "typical"
    LARGE = "large"
    UNICODE = "unicode"


EVENTS: dict[Kind, dict[str, Any]] = {
    Kind.SMALL: {"event_type": "ping", "user_id": "datamonster@gmail.com"},
    # The example of the service's documentation.
    Kind.TYPICAL: {
        "event_type": "watch_tutorial",
        "user_id": "datamonster@gmail.com",
        "location_lat": 37.77,
        "location_lng": -122.39,
        "ip": "127.0.0.1",
        "event_properties": {
            "load_time": 0.8371,
            "source": "notification",
            "dates": ["monday", "tuesday"],
        },
    },
    Kind.LARGE: {
        "event_type": "order_completed",
        "user_id": "datamonster@gmail.com",
        "device_id": "C8F9E604-F01A-4BD9-95C6-8E5357DF265D",
        "session_id": 1396381378123,
        "app_version": "2.1.0",
        "language": "English",
        "event_properties": {
            "currency": "EUR",
            "total": 1234.5,
            "lines": [
                {
                    "sku": f"SKU-{number:05}",
                    "title": f"Article number {number}",
                    "price": 9.99 + number,
                    "quantity": number % 4 + 1,
                    "in_stock": number % 3 != 0,
                }
                for number in range(24)
            ],
        },
        "user_properties": {
            "plan": "enterprise",
            "seats": 250,
            "interests": ["chess", "football", "hiking"],
        },
    },
    Kind.UNICODE: {
        "event_type": "поиск товара",
        "user_id": "δεδομένα@παράδειγμα.ελ",
        "event_properties": {
            "suchwort": "größte Straße",
            "検索": "東京の天気予報",
            "emoji": "🎉🚀👩‍👩‍👧",
        },
    },
}


def make_event(kind: Kind = Kind.TYPICAL, size: int = 0) -> dict[str, Any]:
    """
    Make an event whose JSON has at least *size* bytes.

    Args:
        kind: Which event.

        size: Bytes wanted; what is missing is added as an event property.
    """
    event = deepcopy(EVENTS[kind])
    if json_bytes(event) >= size:
        return event
    properties = event.setdefault("event_properties", {})
    properties[PADDING] = ""
    properties[PADDING] = "x" * max(0, size - json_bytes(event))
    return event


def make_struct(event: dict[str, Any]) -> Event:
    """
    Make the `Event` with the fields of *event*.
    """
    return Event(**event)


def json_bytes(event: dict[str, Any]) -> int:
    """
    How many bytes the JSON of *event* has.
    """
    return len(orjson.dumps(event))
