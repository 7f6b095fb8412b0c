# SPDX-License-Identifier: MIT
"""
Who has sent too much: events a second, daily quotas, silenced devices.

A request is judged first and remembered after; what was refused does not
count, or a sender that comes back too early would never be heard again.
"""

from __future__ import annotations

import math
from collections import Counter

import msgspec

from ringamp.collector import bodies
from ringamp.collector.bodies import Body
from ringamp.collector.fields import Event
from ringamp.collector.settings import HTTP_V2, Limits, Settings
from ringamp.collector.state import Rates, State


class Case(msgspec.Struct, frozen=True):
    """
    Events that are in order, and all that decides whether they are taken.

    Attributes:
        events: In sent order.

        path: The API they came by.

        limits: Of that API.

        settings: How strict to be.

        state: The service's memory.

        now: Seconds since the epoch.
    """

    events: list[Event]
    path: str
    limits: Limits
    settings: Settings
    state: State
    now: float


def judge(case: Case) -> tuple[Body | None, set[int]]:
    """
    Return the refusal of silenced devices and throttled ids, if any, and
    the indexes it concerns.
    """
    throttled = _throttle(case) if case.settings.throttle else None
    refused = set(throttled["throttled_events"]) if throttled else set()
    silent = {
        index: event["device_id"]
        for index, event in enumerate(case.events)
        if event.get("device_id") in case.settings.silenced_devices
    }
    if not silent:
        return throttled, refused
    body = bodies.silenced(
        sorted(set(silent.values())),
        list(silent),
        case.limits.eps or HTTP_V2.eps or 0,
        throttled,
    )
    return body, refused.union(silent)


def remember(case: Case, events: list[Event]) -> None:
    """
    Remember for the rates and quotas that *events* were taken.
    """
    if not case.settings.throttle:
        return
    pace = case.state.pace(case.path, case.limits.window)
    for counts, recent, daily in (
        (_counts(events, "user_id"), pace.users, case.state.quota.users),
        (_counts(events, "device_id"), pace.devices, case.state.quota.devices),
    ):
        recent.add(counts, case.now)
        daily.add(counts, case.now)


def _throttle(case: Case) -> Body | None:
    """
    Return the 429 for the ids that had too many events, None if none had.
    """
    limits = case.limits
    pace = case.state.pace(case.path, limits.window)
    quota = case.state.quota
    users = _counts(case.events, "user_id")
    devices = _counts(case.events, "device_id")
    over = {
        "users": _too_fast(pace.users, users, limits, case.now),
        "devices": _too_fast(pace.devices, devices, limits, case.now),
        "quota_users": _over_quota(quota.users, users, case),
        "quota_devices": _over_quota(quota.devices, devices, case),
    }
    if not any(over.values()):
        return None
    names = {
        "user_id": over["users"].keys() | over["quota_users"].keys(),
        "device_id": over["devices"].keys() | over["quota_devices"].keys(),
    }
    indexes = [
        index
        for index, event in enumerate(case.events)
        if any(event.get(field) in ids for field, ids in names.items())
    ]
    return bodies.too_many(limits.eps or 0, indexes, **over)


def _too_fast(
    rates: Rates, counts: Counter[str], limits: Limits, now: float
) -> dict[str, int]:
    """
    Return the ids at or above the events a second, each with its own.
    """
    if limits.eps is None:
        return {}
    over = rates.over(counts, limits.eps * limits.window, now)
    return {
        name: math.ceil(total / limits.window) for name, total in over.items()
    }


def _over_quota(
    rates: Rates, counts: Counter[str], case: Case
) -> dict[str, int]:
    """
    Return the ids that used up their daily quota, each with its count.
    """
    quota = case.settings.daily_quota
    return {} if quota is None else rates.over(counts, quota, case.now)


def _counts(events: list[Event], field: str) -> Counter[str]:
    """
    Return how many of *events* each id has.
    """
    return Counter(
        [event[field] for event in events if event.get(field) is not None]
    )
