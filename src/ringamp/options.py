# SPDX-License-Identifier: MIT
"""
What the user may choose: `Options`, `LogLevel` and `check_api_key`.

`Options.build` is the only door: it takes the names of this library and the
camelCase ones of the Node SDK, and checks every value by one row of the table
in `ringamp.option_rules`. A wrong name or value raises `OptionsError`, which
names the option, what was given and what is allowed, and shows neither the
query nor the user part of a URL.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from ringamp.errors import OptionsError
from ringamp.events.plan import IngestionMetadata, Plan
from ringamp.option_rules import (
    AUTO,
    MAY_BE_NONE,
    RULES,
    LogLevel,
    name_of,
)
from ringamp.protocols import OnDelivery, OnRetry

__all__ = ["LogLevel", "Options", "check_api_key"]

_URLS: Mapping[tuple[str, bool], str] = {
    ("US", False): "https://api2.amplitude.com/2/httpapi",
    ("US", True): "https://api2.amplitude.com/batch",
    ("EU", False): "https://api.eu.amplitude.com/2/httpapi",
    ("EU", True): "https://api.eu.amplitude.com/batch",
}

_MAX_EVENTS = 2000

# HTTP V2 refuses 1 MB and more of JSON with a 413, batch 20 MB. A megabyte is
# taken as the smaller of its two meanings, 10**6 bytes, and 1% stays free for
# whatever else the service may count, such as the request's headers.
_MAX_BYTES = 10**6 * 99 // 100
_MAX_BATCH_BYTES = 20 * 10**6 * 99 // 100

_RETRY_TIMEOUTS = tuple(
    float(100 * 2**exponent) for exponent in range(6) for _ in range(2)
)


class Options(
    msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True
):
    """
    The options of one instance. Made by `Options.build`, which checks them.

    The names that end in *_millis* and *retry_timeouts* are milliseconds, as
    in the Node SDK; *upload_interval_in_sec* and *block_timeout* are seconds.
    *log_level* holds what applies: WARN where only *debug* was given.
    *buffer_bytes* is the number given, rounded up to a power of two.
    """

    debug: bool = False
    strict: bool = False
    log_level: LogLevel = LogLevel.NONE
    max_cached_events: int = 16000
    retry_timeouts: tuple[float, ...] = _RETRY_TIMEOUTS
    opt_out: bool = False
    retry_class: Any = None
    transport_class: Any = None
    server_url: str | None = None
    server_zone: Literal["US", "EU"] = "US"
    use_batch: bool = False
    upload_interval_in_sec: float = 0
    min_id_length: int = 5
    request_timeout_millis: float = 10000
    on_retry: OnRetry | None = None
    plan: Plan | None = None
    ingestion_metadata: IngestionMetadata | None = None
    max_retries: int | None = None
    buffer_bytes: int = 32 * 2**20
    on_full: Literal["drop", "block"] = "drop"
    block_timeout: float | None = None
    on_delivery: OnDelivery | None = None
    compression: Literal["gzip"] | None = None
    concurrent_uploads: int = 1
    spool_dir: str | None = None
    max_spool_bytes: int = 2**30
    delivery: Literal["thread", "relay"] = "thread"
    shutdown_timeout_millis: float = 5000

    @classmethod
    def build(
        cls, given: Mapping[str, Any] | None = None, /, **kwargs: Any
    ) -> Options:
        """
        Check what the user gave and fill in the rest.

        Args:
            given: Option names, in either spelling, and their values.

            **kwargs: The same.

        Returns:
            The options of an instance.

        Raises:
            OptionsError:
                A name is unknown or given twice, a value is not allowed, or
                it asks for what this release does not have yet.
        """
        if given is not None and not isinstance(given, Mapping):
            raise OptionsError(
                f"options: {type(given).__name__} given; allowed is a"
                " mapping of option names to values"
            )
        checked: dict[str, Any] = {}
        spelled: dict[str, str] = {}
        for spelling, value in (*(given or {}).items(), *kwargs.items()):
            name = name_of(spelling)
            if name in spelled:
                raise OptionsError(
                    f"option {name}: given twice, as {spelled[name]} and as"
                    f" {spelling}"
                )
            spelled[name] = spelling
            if value is not None or name not in MAY_BE_NONE:
                checked[name] = RULES[name].check(name, value)
        _derive(checked)
        return cls(**checked)

    @property
    def url(self) -> str:
        """
        Where events go: *server_url*, or what zone and batch choose.
        """
        return self.server_url or _URLS[self.server_zone, self.use_batch]

    @property
    def spool_path(self) -> str | None:
        """
        Where the spool is: *spool_dir*, or what "auto" stands for.
        """
        if self.spool_dir != AUTO:
            return self.spool_dir
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        if runtime.startswith("/"):
            return f"{runtime}/ringamp"
        return f"/dev/shm/ringamp-{os.geteuid()}"  # noqa: S108 - 0700, checked

    @property
    def is_batch(self) -> bool:
        """
        Whether `url` is a batch endpoint, by its path.
        """
        return urlsplit(self.url).path.rstrip("/").endswith("/batch")

    @property
    def max_events(self) -> int:
        """
        Events one request may hold.
        """
        return _MAX_EVENTS

    @property
    def max_bytes(self) -> int:
        """
        Bytes the whole body of one request may have.
        """
        return _MAX_BATCH_BYTES if self.is_batch else _MAX_BYTES

    @property
    def retry_delays(self) -> tuple[float, ...]:
        """
        Seconds before each retry; empty: no retries.
        """
        return tuple(timeout / 1000 for timeout in self.retry_timeouts)

    @property
    def request_timeout(self) -> float:
        """
        Seconds one request may take.
        """
        return self.request_timeout_millis / 1000

    @property
    def shutdown_timeout(self) -> float:
        """
        Seconds that exit may wait.
        """
        return self.shutdown_timeout_millis / 1000


def check_api_key(value: object) -> str:
    """
    Take *value* as an API key.

    Args:
        value: What the user gave.

    Returns:
        The key.

    Raises:
        OptionsError: It cannot be one. The message does not show it.
    """
    allowed = "allowed is a string of printable characters"
    if not isinstance(value, str):
        raise OptionsError(f"API key: {type(value).__name__} given; {allowed}")
    if not value.strip():
        raise OptionsError(f"API key: an empty string given; {allowed}")
    if not value.isprintable():
        raise OptionsError(
            "API key: a string with a line break or another control character "
            f"given; {allowed}"
        )
    return str(value)


def _derive(checked: dict[str, Any]) -> None:
    """
    Fill in what follows from several options together.
    """
    if checked.get("debug"):
        checked.setdefault("log_level", LogLevel.WARN)
    if checked.get("delivery") == "relay" and not checked.get("spool_dir"):
        raise OptionsError(
            'option delivery: "relay" given without spool_dir; allowed is'
            ' "thread", or "relay" with a spool_dir'
        )
    if (retries := checked.get("max_retries")) is None:
        return
    if "retry_timeouts" in checked:
        raise OptionsError(
            f"option max_retries: {retries} given beside retry_timeouts;"
            " allowed is one of the two"
        )
    warnings.warn(
        "The option max_retries is deprecated; use retry_timeouts instead.",
        DeprecationWarning,
        stacklevel=3,
    )
    checked["retry_timeouts"] = tuple(
        float(100 * 2**exponent) for exponent in range(retries)
    )
