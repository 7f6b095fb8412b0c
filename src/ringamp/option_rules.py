# SPDX-License-Identifier: MIT
"""
What each option may hold: the table `RULES`, read by `ringamp.options`.

A rule is the allowed values in words, for the error message, and a function
that returns what to store or refuses. A new option is a new row here and a
new field of `Options`.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Mapping
from enum import IntEnum
from os import PathLike, fsencode, fspath
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from ringamp.errors import OptionsError
from ringamp.events.plan import IngestionMetadata, Plan

_KIB, _MIB, _GIB = 2**10, 2**20, 2**30
_DAY = 24 * 60 * 60

AUTO = "auto"
"""As *spool_dir*: wherever this machine keeps such files."""


class LogLevel(IntEnum):
    """
    How much the logger `ringamp` says; the numbers are the Node SDK's.
    """

    NONE = 0
    ERROR = 1
    WARN = 2
    VERBOSE = 3


class _RefusedError(Exception):
    """
    This value is not allowed.
    """


class Rule(msgspec.Struct, frozen=True):
    """
    What one option may hold: in words, and as the function that takes it.
    """

    allowed: str
    take: Callable[[Any], Any]

    def check(self, name: str, value: Any) -> Any:
        """
        Return what to store for *value*, or raise `OptionsError`.
        """
        try:
            return self.take(value)
        except _RefusedError:
            raise OptionsError(
                f"option {name}: {_shown(name, value)} given; allowed is"
                f" {self.allowed}"
            ) from None


def _shown(name: str, value: Any) -> str:
    if name == "server_url" and isinstance(value, str):
        value = re.split("[?#]", value)[0]
        value = re.sub("[^/]*@", "...@", value)
    return reprlib.repr(value)


_Value = TypeVar("_Value")


def _only(condition: bool, value: _Value) -> _Value:
    if not condition:
        raise _RefusedError
    return value


def _flag(value: Any) -> Any:
    return _only(isinstance(value, bool), value)


def _integer(low: int, high: float = math.inf) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        # True is an int to Python, and never what somebody meant as a number.
        _only(isinstance(value, int) and not isinstance(value, bool), value)
        return _only(low <= value <= high, int(value))

    return take


def _number(low: float, high: float) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        number = isinstance(value, int | float)
        _only(number and not isinstance(value, bool), value)
        # NaN compares as False, so it is refused here as well.
        return _only(low <= value <= high, value)

    return take


def _timeouts(value: Any) -> tuple[float, ...]:
    take = _number(0, 1000 * _DAY)
    return tuple(
        float(take(item))
        for item in _only(isinstance(value, list | tuple), value)
    )


def _one_of(*allowed: str) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        text = _only(isinstance(value, str), value)
        return _only(text in allowed, text)

    return take


def _log_level(value: Any) -> LogLevel:
    if isinstance(value, str):
        _only(value.upper() in LogLevel.__members__, value)
        return LogLevel[value.upper()]
    return LogLevel(_integer(LogLevel.NONE, LogLevel.VERBOSE)(value))


def _url(value: Any) -> Any:
    text = _only(isinstance(value, str), value)
    _only(text.isascii() and re.search(r"[\s\x00-\x1f\x7f]", text) is None, 0)
    try:
        parts = urlsplit(text)
        sound = parts.port != 0 and bool(parts.hostname)
    except ValueError:
        raise _RefusedError from None
    _only(sound and parts.scheme in {"http", "https"}, text)
    # A password here would end in logs; a fragment never reaches a server.
    return _only("@" not in parts.netloc and "#" not in text, text)


def _offering(*methods: str) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        offered = (getattr(value, method, None) for method in methods)
        return _only(any(map(callable, offered)), value)

    return take


def _callback(value: Any) -> Any:
    return _only(callable(value), value)


def _struct(kind: type[msgspec.Struct]) -> Callable[[Any], Any]:
    wire = dict(
        zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    )

    def take(value: Any) -> Any:
        if isinstance(value, kind):
            value = msgspec.structs.asdict(value)
        _only(isinstance(value, Mapping), value)
        fields = {wire.get(name, name): text for name, text in value.items()}
        _only(fields.keys() <= set(wire.values()), fields)
        try:
            return msgspec.convert(fields, kind)
        except msgspec.ValidationError:
            raise _RefusedError from None

    return take


def _buffer(value: Any) -> int:
    size: int = _integer(64 * _KIB, _GIB)(value)
    return 1 << (size - 1).bit_length()


def _spool_dir(value: Any) -> str:
    _only(isinstance(value, str | PathLike), value)
    path = fspath(value)
    # A path as bytes would be a PathLike's.
    _only(isinstance(path, str) and path != "" and "\0" not in path, value)
    try:
        fsencode(path)
        # Not resolved: a link must be seen, and refused, when it is opened.
        return AUTO if value == AUTO else str(Path(path).absolute())
    except (OSError, UnicodeEncodeError):
        # Relative to a directory that is gone; or text that no path is.
        raise _RefusedError from None


_BOOL = Rule("True or False", _flag)
_MILLIS = Rule(
    f"a number of milliseconds, 0 to {1000 * _DAY}", _number(0, 1000 * _DAY)
)

RULES: Mapping[str, Rule] = {
    "debug": _BOOL,
    "strict": _BOOL,
    "log_level": Rule("a LogLevel, its name or its number", _log_level),
    "max_cached_events": Rule("an int from 1", _integer(1)),
    "retry_timeouts": Rule(
        f"a list of milliseconds, each 0 to {1000 * _DAY}", _timeouts
    ),
    "opt_out": _BOOL,
    "retry_class": Rule(
        "an object or class with the method send_events_with_retry, or one of"
        " OrderedRetry, OfflineRetry and NoRetry",
        _offering("send_events_with_retry", "sendEventsWithRetry", "decide"),
    ),
    "transport_class": Rule(
        "an object or class with the method send_payload",
        _offering("send_payload", "sendPayload"),
    ),
    "server_url": Rule(
        "an http or https URL in ASCII, without user, password and fragment",
        _url,
    ),
    "server_zone": Rule('"US" or "EU"', _one_of("US", "EU")),
    "use_batch": _BOOL,
    "upload_interval_in_sec": Rule(
        f"a number of seconds, 0 to {_DAY}", _number(0, _DAY)
    ),
    "min_id_length": Rule("an int from 0 to 1024", _integer(0, 1024)),
    "request_timeout_millis": Rule(
        f"a number of milliseconds, 1 to {1000 * _DAY}",
        _number(1, 1000 * _DAY),
    ),
    "on_retry": Rule("a callable", _callback),
    "plan": Rule("a Plan, or a dict of its fields to texts", _struct(Plan)),
    "ingestion_metadata": Rule(
        "an IngestionMetadata, or a dict of its fields to texts",
        _struct(IngestionMetadata),
    ),
    "max_retries": Rule("an int from 0 to 20", _integer(0, 20)),
    "buffer_bytes": Rule(f"an int from {64 * _KIB} to {_GIB}", _buffer),
    "on_full": Rule('"drop" or "block"', _one_of("drop", "block")),
    "block_timeout": Rule(
        f"None or a number of seconds, 0 to {_DAY}", _number(0, _DAY)
    ),
    "on_delivery": Rule("a callable", _callback),
    "compression": Rule('None or "gzip"', _one_of("gzip")),
    "concurrent_uploads": Rule("an int from 1 to 16", _integer(1, 16)),
    "spool_dir": Rule('None, "auto" or the path of a directory', _spool_dir),
    "max_spool_bytes": Rule(f"an int from {_MIB}", _integer(_MIB)),
    "delivery": Rule('"thread" or "relay"', _one_of("thread", "relay")),
    "shutdown_timeout_millis": _MILLIS,
}

# None says "the default", as null does in the Node SDK.
MAY_BE_NONE = frozenset(
    {
        "block_timeout",
        "compression",
        "ingestion_metadata",
        "log_level",
        "max_retries",
        "min_id_length",
        "on_delivery",
        "on_retry",
        "plan",
        "retry_class",
        "server_url",
        "spool_dir",
        "transport_class",
    }
)


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(map(str.capitalize, tail))


_NAMES: Mapping[str, str] = {
    spelling: name for name in RULES for spelling in (_camel(name), name)
}


def name_of(spelling: object) -> str:
    """
    Find the option that is written as *spelling*, or say what is near it.
    """
    if isinstance(spelling, str) and spelling in _NAMES:
        return _NAMES[spelling]
    import difflib  # noqa: PLC0415 - for a mistake, not for every program.

    near = difflib.get_close_matches(str(spelling), _NAMES, cutoff=0.5)
    allowed = near or sorted(RULES)
    raise OptionsError(
        f"option {reprlib.repr(spelling)}: no such option; allowed is"
        f" {'for example ' * bool(near)}{', '.join(allowed)}"
    )
