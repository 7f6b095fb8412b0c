# SPDX-License-Identifier: MIT
"""
Events about groups: changing a group, and putting a user into one.

Every event needs an id, and whether the service takes a "$groupidentify"
without one is not documented. The Node SDK makes up a new random device_id
for each, which may count as one more device each time. Here the device_id is
made from the group's type and name: always acceptable, and never more of them
than there are groups. One fixed id for all groups would be fewer still, but
then they would share the 30 events a second that HTTP V2 grants to one device.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import orjson

from ringamp.errors import InvalidEventError
from ringamp.events.identify import Identify, checked, id_fields
from ringamp.events.properties import sendable
from ringamp.logs import log

GROUP_OPERATIONS = frozenset(
    {"$set", "$setOnce", "$add", "$append", "$prepend", "$unset"}
)
"""The operations a group's properties accept."""

MAX_GROUP_NAMES = 10
"""Group values of one event that the service tracks (HTTP V2); more are
sent, and not tracked. One event has 5 group types at most."""

GroupName = str | list[str]


def group_identify_event(
    group_type: str,
    group_name: GroupName,
    identify: Identify,
    user_id: str | None = None,
    device_id: str | None = None,
) -> dict[str, Any]:
    """
    Build the event that carries *identify* to a group.

    Args:
        group_type: What kind of group, for example "company".

        group_name: Which one, or several.

        identify:
            What is to change. Operations that groups do not accept are left
            out, with a line in the log.

        user_id: Not needed.

        device_id: Not needed; made from the group where neither is given.

    Returns:
        The event with its wire names.

    Raises:
        InvalidEventError: The group cannot be named so, or *identify* is
            no `Identify`.
    """
    groups = _groups(group_type, group_name)
    operations = checked(identify).user_properties
    left_out = sorted(operations.keys() - GROUP_OPERATIONS)
    if left_out:
        log(
            logging.WARNING,
            "group-identify",
            "group_identify leaves out %s: groups accept %s",
            ", ".join(left_out),
            ", ".join(sorted(GROUP_OPERATIONS)),
        )
    return {
        "event_type": "$groupidentify",
        **(id_fields(user_id, device_id) or {"device_id": _device_id(groups)}),
        "groups": groups,
        "group_properties": {
            operation: values
            for operation, values in operations.items()
            if operation in GROUP_OPERATIONS
        },
    }


def set_group_event(
    group_type: str,
    group_name: GroupName,
    user_id: str | None,
    device_id: str | None,
) -> dict[str, Any]:
    """
    Build the event that puts a user into a group.

    Args:
        group_type: What kind of group, for example "company".

        group_name: Which one, or several.

        user_id: Who.

        device_id: On what; one of the two is needed.

    Returns:
        The event with its wire names.

    Raises:
        InvalidEventError: The group cannot be named so.
    """
    return {
        "event_type": "$identify",
        **id_fields(user_id, device_id),
        "groups": _groups(group_type, group_name),
        "user_properties": {"$set": _groups(group_type, group_name)},
    }


def _groups(group_type: object, group_name: object) -> dict[str, Any]:
    """
    Return the field *groups* with a list of its own, or refuse.
    """
    if not _is_text(group_type):
        raise InvalidEventError(
            f"group_type: {_given(group_type)} given; allowed is a str with"
            " text"
        )
    names = group_name if isinstance(group_name, list) else [group_name]
    wrong = [_given(name) for name in names if not _is_text(name)]
    if wrong or not names:
        raise InvalidEventError(
            f"group_name: {(wrong or ['an empty list'])[0]} given; allowed is"
            " a str with text, or a list of them"
        )
    if len(names) > MAX_GROUP_NAMES:
        log(
            logging.WARNING,
            "group-names",
            "an event names %d groups, the service tracks %d of them",
            len(names),
            MAX_GROUP_NAMES,
        )
    copied: dict[str, Any] = sendable({group_type: group_name}, "groups")
    return copied


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _given(value: object) -> str:
    return repr(value) if isinstance(value, str) else type(value).__name__


def _device_id(groups: dict[str, Any]) -> str:
    digest = hashlib.sha256(orjson.dumps(groups)).hexdigest()
    return f"group-{digest[:32]}"
