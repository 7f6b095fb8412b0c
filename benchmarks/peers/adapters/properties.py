# SPDX-License-Identifier: MIT
"""
An event's properties, for SDKs that know no other fields.
"""

from __future__ import annotations

from typing import Any


def all_properties(event: dict[str, Any], *, ip: str = "ip") -> dict[str, Any]:
    """
    Put what Amplitude has beside the event's properties into them; *ip* is
    the SDK's name of the address.
    """
    return {
        **event["event_properties"],
        "location_lat": event["location_lat"],
        "location_lng": event["location_lng"],
        ip: event["ip"],
    }
