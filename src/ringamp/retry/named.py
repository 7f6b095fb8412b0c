# SPDX-License-Identifier: MIT
"""
Whom a response names: which events of a batch it blames, and which ids.

The service speaks in two ways, and in one body it may do both.

By index, referring to the batch as sent:
    events_with_invalid_fields, events_with_missing_fields and
    events_with_invalid_id_lengths, {field: [index]}; silenced_events and
    throttled_events, [index].

By id:
    silenced_devices, [id]; exceeded_daily_quota_users and ..._devices,
    throttled_users and throttled_devices, {id: number}.

Nothing in a body is trusted: an index that is out of range or no integer, or
an id that no event of the batch has, names nobody. Ids are looked up as keys
of the body's own objects and as nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ringamp.retry.decision import Attempt, Ids

_REFUSED_INDEXES = (
    "events_with_invalid_fields",
    "events_with_missing_fields",
    "events_with_invalid_id_lengths",
    "silenced_events",
)
_REFUSED_USERS = ("exceeded_daily_quota_users",)
_REFUSED_DEVICES = ("exceeded_daily_quota_devices", "silenced_devices")
_ID_FIELDS = (
    *_REFUSED_USERS,
    *_REFUSED_DEVICES,
    "throttled_users",
    "throttled_devices",
    "throttled_events",
)


class Named(msgspec.Struct, frozen=True):
    """
    What a response says about the events of a batch.

    Attributes:
        refused: Events the service will never take.

        held: Events of the ids below that are not refused.

        users: The throttled user ids of this batch.

        devices: The throttled device ids of this batch.

        eps_threshold: Events a second one id may have, if told.
    """

    refused: frozenset[int] = frozenset()
    held: frozenset[int] = frozenset()
    users: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    eps_threshold: int | None = None

    def __bool__(self) -> bool:
        return bool(self.refused or self.held)


def read_named(attempt: Attempt, body: dict[str, Any] | None) -> Named:
    """
    Find whom *body* names among the events of *attempt*.

    A throttled event whose ids are not named holds its own id, the user
    before the device. Whoever shares a held id is held too, named by index
    or not: one that went ahead would overtake.
    """
    if not body:
        return Named()
    refused: set[int] = set()
    for field in _REFUSED_INDEXES:
        refused.update(_indexes(body.get(field), attempt.count))
    if not any(body.get(field) for field in _ID_FIELDS):
        return Named(frozenset(refused))

    ids = attempt.ids()
    refused |= _owned(
        ids, _strings(body, _REFUSED_USERS), _strings(body, _REFUSED_DEVICES)
    )
    users, devices = _throttled(ids, body, refused)
    return Named(
        frozenset(refused),
        frozenset(_owned(ids, users, devices) - refused),
        frozenset(users),
        frozenset(devices),
        _positive(body.get("eps_threshold")),
    )


def _throttled(
    ids: Sequence[Ids], body: dict[str, Any], refused: set[int]
) -> tuple[set[str], set[str]]:
    """
    Collect the ids to hold, of those that events of this batch have.
    """
    others = [who for i, who in enumerate(ids) if i not in refused]
    users = _strings(body, ("throttled_users",))
    users &= {who.user_id for who in others if who.user_id is not None}
    devices = _strings(body, ("throttled_devices",))
    devices &= {who.device_id for who in others if who.device_id is not None}
    for index in _indexes(body.get("throttled_events"), len(ids)):
        who = ids[index]
        if index in refused or who.user_id in users:
            continue
        if who.device_id in devices:
            continue
        if who.user_id is not None:
            users.add(who.user_id)
        elif who.device_id is not None:
            devices.add(who.device_id)
    return users, devices


def _owned(ids: Sequence[Ids], users: set[str], devices: set[str]) -> set[int]:
    """
    Find the events that have one of these ids.
    """
    return {
        index
        for index, who in enumerate(ids)
        if who.user_id in users or who.device_id in devices
    }


def _strings(body: dict[str, Any], fields: Iterable[str]) -> set[str]:
    """
    Read ids that are listed, or are the keys of an object.
    """
    found: set[str] = set()
    for field in fields:
        value = body.get(field)
        if isinstance(value, (list, dict)):
            found.update(name for name in value if isinstance(name, str))
    return found


def _indexes(value: Any, count: int) -> list[int]:
    """
    Read indexes that are listed, or are listed by field, in range.
    """
    lists = value.values() if isinstance(value, dict) else [value]
    return [
        index
        for listed in lists
        if isinstance(listed, list)
        for index in listed
        # Not isinstance: true is no index.
        if type(index) is int and 0 <= index < count
    ]


def _positive(value: Any) -> int | None:
    """
    Read a positive whole number.
    """
    return value if type(value) is int and value > 0 else None
