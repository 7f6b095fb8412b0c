# SPDX-License-Identifier: MIT
"""
`Identify`: what is to change about a user or a group, and its event.

The rules are the Node SDK's: a property takes part in one operation, the
first; *clear_all* wipes what was there and keeps out what comes later. An
operation that cannot be done is left out, with a line in the log at most once
a minute for each kind of mistake: this code runs while a request is served.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from ringamp.errors import InvalidEventError
from ringamp.events.properties import sendable
from ringamp.logs import log

_PLACEHOLDER = "-"
"""The value where an operation has none: of *$unset* and *$clearAll*."""

_DEPTH = 3
"""Of a value inside the event: below user_properties and the operation."""

_CLEAR_ALL = "$clearAll"

_Fault: TypeAlias = tuple[str, str]
"""Why an operation is left out: the kind of mistake, and in words."""


class Identify:
    """
    Operations on the properties of a user, or of a group.

        Identify().set("plan", "pro").add("visits", 1)

    Every operation returns the object itself. Values are copied when they
    are given, and what was logged does not change afterwards.
    """

    __slots__ = ("_operations", "_used")

    def __init__(self) -> None:
        self._operations: dict[str, Any] = {}
        self._used: dict[str, str] = {}

    def set(self, name: str, value: Any) -> Identify:
        """
        Give the property this value.
        """
        return self._apply("$set", name, value)

    def set_once(self, name: str, value: Any) -> Identify:
        """
        Give the property this value unless it has one.
        """
        return self._apply("$setOnce", name, value)

    def add(self, name: str, value: float | Decimal) -> Identify:
        """
        Add a number to the property; a negative one subtracts.
        """
        return self._apply("$add", name, value)

    def append(self, name: str, value: Any) -> Identify:
        """
        Put a value, or each of a list, at the end of the property's list.
        """
        return self._apply("$append", name, value)

    def prepend(self, name: str, value: Any) -> Identify:
        """
        Put a value, or each of a list, before the property's list.
        """
        return self._apply("$prepend", name, value)

    def pre_insert(self, name: str, value: Any) -> Identify:
        """
        As `prepend`, for values that the list does not hold yet.
        """
        return self._apply("$preInsert", name, value)

    def post_insert(self, name: str, value: Any) -> Identify:
        """
        As `append`, for values that the list does not hold yet.
        """
        return self._apply("$postInsert", name, value)

    def remove(self, name: str, value: Any) -> Identify:
        """
        Take a value, or each of a list, out of the property's list.
        """
        return self._apply("$remove", name, value)

    def unset(self, name: str) -> Identify:
        """
        Take the property away.
        """
        return self._apply("$unset", name, _PLACEHOLDER)

    def clear_all(self) -> Identify:
        """
        Take all properties away; every other operation is forgotten.
        """
        self._operations = {_CLEAR_ALL: _PLACEHOLDER}
        self._used = {}
        return self

    @property
    def user_properties(self) -> dict[str, Any]:
        """
        The operations as the service wants them, in a dict of their own.
        """
        copied: dict[str, Any] = sendable(self._operations, "", _DEPTH - 2)
        return copied

    def __repr__(self) -> str:
        counts = (
            f" {operation}={len(values)}"
            for operation, values in self._operations.items()
        )
        return f"<Identify{''.join(counts)}>"

    def _apply(self, operation: str, name: str, value: Any) -> Identify:
        fault = self._fault(name)
        if fault is None:
            try:
                copied = sendable(value, f"property {name!r}", _DEPTH)
            except InvalidEventError as error:
                fault = ("value", str(error))
            else:
                fault = _number_fault(operation, name, value, copied)
        if fault is None:
            self._operations.setdefault(operation, {})[name] = copied
            self._used[name] = operation
        else:
            kind, why = fault
            log(
                logging.WARNING,
                f"identify-{kind}",
                "Identify leaves out an operation %s: %s",
                operation,
                why,
            )
        return self

    def _fault(self, name: object) -> _Fault | None:
        if _CLEAR_ALL in self._operations:
            return "cleared", "after clear_all no other is allowed"
        if not isinstance(name, str):
            kind = type(name).__name__
            return "name", f"property name of type {kind}, a str is allowed"
        if not name.strip():
            return "name", f"property name {name!r}, one with text is allowed"
        if name in self._used:
            before = self._used[name]
            return "used", f"property {name!r} is already used by {before}"
        return None

    # camelCase twins for users coming from @amplitude/node.
    setOnce = set_once
    preInsert = pre_insert
    postInsert = post_insert
    clearAll = clear_all


def _number_fault(
    operation: str, name: str, value: object, copied: Any
) -> _Fault | None:
    # By the copy, where a Decimal's NaN is None and a huge int is text.
    number = isinstance(copied, int | float | Decimal)
    sound = number and not isinstance(copied, bool) and math.isfinite(copied)
    if operation != "$add" or sound:
        return None
    given = repr(copied) if number else type(value).__name__
    return (
        "number",
        f"property {name!r}: {given} given, a finite number is allowed",
    )


def identify_event(
    user_id: str | None, device_id: str | None, identify: Identify
) -> dict[str, Any]:
    """
    Build the event that carries *identify* to a user.

    Args:
        user_id: Who.

        device_id: On what; one of the two is needed.

        identify: What is to change. The event does not follow it later.

    Returns:
        The event with its wire names.

    Raises:
        InvalidEventError: *identify* is no `Identify`.
    """
    return {
        "event_type": "$identify",
        **id_fields(user_id, device_id),
        "user_properties": checked(identify).user_properties,
    }


def id_fields(user_id: str | None, device_id: str | None) -> dict[str, str]:
    """
    The id fields of an event: those that are given.
    """
    given: Mapping[str, str | None] = {
        "user_id": user_id,
        "device_id": device_id,
    }
    return {name: value for name, value in given.items() if value is not None}


def checked(identify: object) -> Identify:
    """
    Take *identify* as an `Identify`.

    Raises:
        InvalidEventError: It is none.
    """
    if not isinstance(identify, Identify):
        raise InvalidEventError(
            f"identify: object of type {type(identify).__name__} given;"
            " allowed is an Identify"
        )
    return identify
