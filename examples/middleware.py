# SPDX-License-Identifier: MIT
"""
Middleware: enrich every event, drop some, measure.
"""

from local_service import API_KEY, service_url

import ringamp


def add_release(
    payload: ringamp.MiddlewarePayload, next: ringamp.MiddlewareNext
) -> None:
    """
    Put the release into every event; it is a copy, the caller's is safe.
    """
    payload.event.setdefault("event_properties", {})["release"] = "2.7.1"
    next(payload)


def drop_robots(
    payload: ringamp.MiddlewarePayload, next: ringamp.MiddlewareNext
) -> None:
    """
    Stop an event by not calling next; `extra` is what the caller gave.
    """
    if "bot" not in (payload.extra or {}).get("user_agent", ""):
        next(payload)


with service_url() as url:
    client = ringamp.init(API_KEY, server_url=url)
    client.add_event_middleware(drop_robots)
    client.add_event_middleware(add_release)

    view = {"event_type": "View", "device_id": "device-17"}
    for agent in ("Mozilla/5.0", "Googlebot/2.1", "curl/8.5"):
        receipt = client.log_event(view, extra={"user_agent": agent.lower()})
        print(f"{agent}: {receipt.status}")

    client.shutdown()
