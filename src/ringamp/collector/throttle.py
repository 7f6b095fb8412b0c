# SPDX-License-Identifier: MIT
"""
Who has sent too much: events a second, daily quotas, updates of properties,
silenced devices.

A request is judged first and remembered after; what was refused does not
count, or a sender that comes back too early would never be heard again.

Where nothing is enforced the same is noticed, and told as a loss: what runs
well here would be throttled by the service.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import msgspec

from ringamp.collector import bodies
from ringamp.collector.bodies import Body
from ringamp.collector.fields import Event
from ringamp.collector.losses import Loss
from ringamp.collector.settings import HTTP_V2, Limits, Settings
from ringamp.collector.state import Key, Rates, State

SERVICE = Settings()
"""The limits of the service itself, which are noticed if not enforced."""

FIELDS = {"users": "user_id", "devices": "device_id"}
"""The two kinds of ids, as answers name them, and their fields."""


class Case(msgspec.Struct, frozen=True):
    """
    Events that are in order, and all that decides whether they are taken.

    Attributes:
        events: In sent order.

        api_key: Of their project.

        path: The API they came by.

        limits: Of that API.

        settings: How strict to be.

        state: The service's memory.

        now: Seconds since the epoch.
    """

    events: list[Event]
    api_key: str
    path: str
    limits: Limits
    settings: Settings
    state: State
    now: float

    def counts(self, events: list[Event], field: str) -> Counter[Key]:
        """
        Return how many of *events* each id has.
        """
        return Counter(
            [
                (self.api_key, event[field])
                for event in events
                if event.get(field) is not None
            ]
        )


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


def remember(case: Case, events: list[Event]) -> tuple[list[Loss], int]:
    """
    Remember for the rates and quotas that *events* were taken.

    Returns:
        What the service would not have taken, and how many events had user
        properties that it does not apply.
    """
    losses = []
    for kind, field in FIELDS.items():
        losses += _remember(case, kind, case.counts(events, field))
    unapplied, told = _update(case, events)
    return losses + told, unapplied


def _remember(case: Case, kind: str, counts: Counter[Key]) -> list[Loss]:
    """
    Remember the events of each id; tell whom the service would throttle.
    """
    enforced = case.settings.throttle
    limits = case.limits if enforced else _noticed(case)
    now = case.now
    recent = getattr(case.state.pace(case.path, limits.window), kind)
    floods = getattr(case.state.floods, kind)
    recent.add(counts, now)
    fast: Iterable[Key] = counts
    if limits.eps is not None:
        fast = recent.over(counts, limits.eps * limits.window, now)
    if not enforced:
        return [Loss("event rate", name) for _, name in fast]
    # What made it a flood counts for the rate, what follows for the quota.
    known = floods.over(counts, 1, now) if limits.eps is not None else counts
    quota = getattr(case.state.quota, kind)
    quota.add({key: counts[key] for key in known}, now)
    floods.add(dict.fromkeys(fast, 1), now)
    return []


def _noticed(case: Case) -> Limits:
    """
    Return limits to notice: those that are set, or the service's own.
    """
    if case.limits.eps is not None:
        return case.limits
    return SERVICE.limits_of(case.path) or HTTP_V2


def _update(case: Case, events: list[Event]) -> tuple[int, list[Loss]]:
    """
    Count the updates of user properties, which the service applies to so
    many an hour for each user.

    Returns:
        How many are not applied, and who had too many.
    """
    counts = Counter(
        [
            (case.api_key, event.get("user_id") or event["device_id"])
            for event in events
            if _updates(event)
        ]
    )
    enforced = case.settings.property_updates
    limit = enforced if enforced is not None else SERVICE.property_updates
    if limit is None or not counts:
        return 0, []
    updates = case.state.updates
    before = updates.over(counts, 0, case.now)
    updates.add(counts, case.now)
    over = {
        key: min(count, before.get(key, 0) + count - limit)
        for key, count in counts.items()
        if before.get(key, 0) + count > limit
    }
    losses = [
        Loss("property updates", name, count)
        for (_, name), count in over.items()
    ]
    return (sum(over.values()) if enforced is not None else 0), losses


def _updates(event: Event) -> bool:
    """
    Say whether *event* would change what the service knows of its user.
    """
    return (
        bool(event.get("user_properties"))
        and not event.get("$skip_user_properties_sync")
        and bool(event.get("user_id") or event.get("device_id"))
    )


def _throttle(case: Case) -> Body | None:
    """
    Return the 429 for the ids that had too many events, None if none had.
    """
    pace = case.state.pace(case.path, case.limits.window)
    over: dict[str, dict[str, int]] = {}
    for kind, field in FIELDS.items():
        ids = case.counts(case.events, field)
        over[kind] = _too_fast(getattr(pace, kind), ids, case)
        quota = getattr(case.state.quota, kind)
        over[f"quota_{kind}"] = _over_quota(quota, ids, case)
    if not any(over.values()):
        return None
    names = {
        field: over[kind].keys() | over[f"quota_{kind}"].keys()
        for kind, field in FIELDS.items()
    }
    indexes = [
        index
        for index, event in enumerate(case.events)
        if any(event.get(field) in ids for field, ids in names.items())
    ]
    return bodies.too_many(case.limits.eps or 0, indexes, **over)


def _too_fast(rates: Rates, ids: Iterable[Key], case: Case) -> dict[str, int]:
    """
    Return the ids at or above the events a second, each with its own.
    """
    limits = case.limits
    if limits.eps is None:
        return {}
    over = rates.over(ids, limits.eps * limits.window, case.now)
    return {
        name: math.ceil(total / limits.window)
        for (_, name), total in over.items()
    }


def _over_quota(
    rates: Rates, ids: Iterable[Key], case: Case
) -> dict[str, int]:
    """
    Return the ids that used up their daily quota, each with its count.
    """
    quota = case.settings.daily_quota
    if quota is None:
        return {}
    over = rates.over(ids, quota, case.now)
    return {name: total for (_, name), total in over.items()}
