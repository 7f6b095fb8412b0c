# SPDX-License-Identifier: MIT
"""
Which values can be sent, and what becomes of the rest: `sendable`.

The table `_RULES` decides by type, first match; `ringamp.events.encoding`
shows it with the results. Values are told apart by `type(value)` alone:
*isinstance* also asks the object, and lazy proxies answer for another.
"""

from __future__ import annotations

import reprlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields as dataclass_fields
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any
from uuid import UUID

import msgspec
import orjson

from ringamp.errors import InvalidEventError

MAX_DEPTH = 40
"""Containers inside one another; event_properties itself is the first.
HTTP V2 and batch APIs, object depth."""

_INTEGERS = range(-(2**63), 2**64)
"""What fits into 64 bits, signed or unsigned."""

_ALLOWED = (
    "str, int, float, bool, None, Decimal, bytes, date, datetime, time,"
    " timedelta, UUID, Enum, dict, list, tuple, set, dataclasses and"
    " msgspec.Struct"
)
_ALLOWED_KEYS = "str, int, float, bool, None, date, datetime, time, UUID, Enum"
_READABLE = 64  # Characters of a name that a message shows in full.
_KEYS = (str, int, float, date, time, UUID, NoneType)


def sendable(value: Any, path: str, depth: int = 0) -> Any:
    """
    Copy *value* into what JSON knows: dict, list, str, int, float, bool,
    None, and Decimal where a number keeps all its digits.

    Args:
        value: What the user gave. Not changed.

        path: What to call it in a message.

        depth: How many containers of the event it already is in.

    Returns:
        A new value that shares nothing with *value* that can change.

    Raises:
        InvalidEventError: Something in it cannot be sent, named by its path.
    """
    walk = _Walk(path, depth)
    try:
        return walk.copy(value)
    except InvalidEventError:
        raise
    except Exception as error:
        # The user's objects may raise anything while they are read.
        raise walk.invalid(
            f"reading it raised {type(error).__name__}"
        ) from error


class _Walk:
    """
    One pass over a value, knowing where it is.
    """

    def __init__(self, path: str, depth: int) -> None:
        self._depth = depth
        self._path = path
        # Keys and indexes from there, and the containers that are open. An
        # error leaves both as they are, which is how it knows its place.
        self._steps: list[str | int] = []
        self._open: list[int] = []

    def copy(self, value: Any) -> Any:
        kind = type(value)
        if kind in _AS_THEY_ARE:
            return value
        for known, rule in _RULES:
            if issubclass(kind, known):
                return rule(self, value)
        if hasattr(kind, "__dataclass_fields__"):
            return self.members(value, _public_fields(value))
        raise self.invalid(
            f"object of type {kind.__name__} cannot be sent; allowed are"
            f" {_ALLOWED}"
        )

    def invalid(self, why: str) -> InvalidEventError:
        path = self._path + "".join(map(_step, self._steps))
        return InvalidEventError(f"{path.lstrip('.')}: {why}")

    def text(self, value: str) -> str:
        text = str.__str__(value)
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError:
            # UTF-16 pairs up the surrogates that belong together; what is
            # left over is nothing that UTF-8 could hold.
            units = text.encode("utf-16-le", "surrogatepass")
            return units.decode("utf-16-le", "replace")
        return text

    def integer(self, value: int) -> int | str:
        number = int.__int__(value)
        if number in _INTEGERS:
            return number
        try:
            return str(number)
        except ValueError:
            raise self.invalid("int with too many digits") from None

    def decimal(self, value: Decimal) -> Decimal | str | None:
        number = Decimal(value)
        if not number.is_finite():
            return None
        # Parsers turn numbers into doubles; beyond them only text is safe.
        return str(number) if abs(float(number)) == float("inf") else number

    def moment(self, value: date | time) -> str:
        try:
            return orjson.dumps(value).decode()[1:-1]
        except TypeError:  # A subclass, or a time with a time zone.
            return self.text(value.isoformat())

    def duration(self, value: timedelta) -> Any:
        return msgspec.to_builtins(
            timedelta(value.days, value.seconds, value.microseconds)
        )

    def encoded(self, value: orjson.Fragment | msgspec.Raw) -> Any:
        raw = isinstance(value, msgspec.Raw)
        try:
            return self.copy(
                orjson.loads(bytes(value) if raw else orjson.dumps(value))
            )
        except orjson.JSONDecodeError:
            raise self.invalid("it holds text that is no JSON") from None

    def members(self, value: Any, items: Iterable[tuple[Any, Any]]) -> Any:
        copied = {}
        self._enter(value)
        for key, item in items:
            name = self.key(key)
            self._steps.append(name)
            # Two keys may become one, as 1 and "1" do: the last wins, as it
            # does in most parsers of JSON.
            copied[name] = self.copy(item)
            self._steps.pop()
        self._open.pop()
        return copied

    def elements(self, value: Iterable[Any]) -> Any:
        copied = []
        self._enter(value)
        for index, item in enumerate(tuple(value)):
            self._steps.append(index)
            copied.append(self.copy(item))
            self._steps.pop()
        self._open.pop()
        return copied

    def struct(self, value: msgspec.Struct) -> Any:
        config = value.__struct_config__
        items: list[tuple[Any, Any]] = list(_struct_items(value))
        if config.tag is not None:
            items.insert(0, (config.tag_field, config.tag))
        if config.array_like:
            return self.elements([item for _, item in items])
        return self.members(value, items)

    def key(self, key: Any) -> str:
        kind = type(key)
        if kind is str:
            return self.text(key)
        if issubclass(kind, Enum) and not issubclass(kind, str | int):
            return self.key(key.value)
        if not issubclass(kind, _KEYS):
            raise self.invalid(
                f"a key of type {kind.__name__} cannot be sent; allowed are"
                f" {_ALLOWED_KEYS}"
            )
        plain = self.copy(key)
        return (
            plain if isinstance(plain, str) else orjson.dumps(plain).decode()
        )

    def _enter(self, container: Any) -> None:
        if id(container) in self._open:
            raise self.invalid("it contains itself")
        # The event itself is level 0, its event_properties level 1.
        if len(self._open) + self._depth > MAX_DEPTH:
            raise self.invalid(f"nested deeper than {MAX_DEPTH}")
        self._open.append(id(container))


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    readable = step.isidentifier() and len(step) <= _READABLE
    return f".{step}" if readable else f"[{reprlib.repr(step)}]"


def _public_fields(value: Any) -> list[tuple[str, Any]]:
    """
    What orjson takes from a dataclass: no name that begins with "_", and
    nothing that was never set.
    """
    names = [field.name for field in dataclass_fields(value)]
    names += [
        name for name in getattr(value, "__dict__", ()) if name not in names
    ]
    return [
        (name, getattr(value, name))
        for name in names
        if not name.startswith("_") and hasattr(value, name)
    ]


def _struct_items(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """
    What msgspec takes from a struct: wire names, no UNSET, and no defaults
    where the struct leaves them out.
    """
    defaults = value.__struct_defaults__
    required = len(value.__struct_fields__) - len(defaults)
    omit = value.__struct_config__.omit_defaults
    for index, (name, wire) in enumerate(
        zip(
            value.__struct_fields__,
            value.__struct_encode_fields__,
            strict=True,
        )
    ):
        item = getattr(value, name)
        if omit and index >= required:
            default = defaults[index - required]
            made_empty = type(item) is getattr(default, "factory", None)
            if item is default or (made_empty and not item):
                continue
        if item is not msgspec.UNSET:
            yield wire, item


_AS_THEY_ARE = frozenset({bool, float, NoneType})

_Rule = Callable[[_Walk, Any], Any]

# str and int stand before Enum because orjson looks at them first.
_RULES: tuple[tuple[type | tuple[type, ...], _Rule], ...] = (
    (str, _Walk.text),
    (int, _Walk.integer),
    (Enum, lambda walk, value: walk.copy(value.value)),
    (float, lambda _, value: float.__float__(value)),
    (Decimal, _Walk.decimal),
    ((date, time), _Walk.moment),
    (timedelta, _Walk.duration),
    (UUID, lambda _, value: UUID.__str__(value)),
    (
        (bytes, bytearray, memoryview),
        lambda _, value: b64encode(bytes(value)).decode(),
    ),
    (dict, lambda walk, value: walk.members(value, list(dict.items(value)))),
    ((list, tuple, set, frozenset), _Walk.elements),
    (msgspec.Struct, _Walk.struct),
    ((orjson.Fragment, msgspec.Raw), _Walk.encoded),
)
