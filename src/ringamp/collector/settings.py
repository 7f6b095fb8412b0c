# SPDX-License-Identifier: MIT
"""
How strict the collector is: the limits of each API and what is ours.
"""

from __future__ import annotations

from typing import Literal

import msgspec

HTTP_V2_PATH = "/2/httpapi"
BATCH_PATH = "/batch"
IDENTIFY_PATH = "/identify"
GROUP_IDENTIFY_PATH = "/groupidentify"

API_PATHS = (HTTP_V2_PATH, BATCH_PATH, IDENTIFY_PATH, GROUP_IDENTIFY_PATH)
"""The paths of the service; any other is none of its."""

WEEK = 7 * 86_400.0

ShortIds = Literal["refuse", "remove", "take"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """
    The limits of one API; None lifts a limit.

    Attributes:
        max_events: Events in a request; more is a 413.

        max_bytes: A request's JSON stays below this, unpacked; else a 413.

        max_properties: Properties in all events of a request; more is a 413.

        eps: Events a second that one user or device may have; then a 429.

        window: Seconds over which *eps* is averaged.

        short_ids:
            What becomes of an id below *min_id_length*. "refuse": a 400 that
            names the event. "remove": the id is removed, and only an event
            left with neither id is refused. "take": nothing.
    """

    max_events: int | None = 2000
    max_bytes: int | None = 1_000_000
    max_properties: int | None = None
    eps: int | None = 30
    window: float = 30.0
    short_ids: ShortIds = "refuse"


HTTP_V2 = Limits()
"""
The HTTP V2 API. Its documentation says "a recent window" for the average
without a number; 30 s is the batch API's, and how long clients are to wait.
"""

BATCH = Limits(max_bytes=20_000_000, eps=1000, short_ids="remove")
"""The batch API: clients report that it does not refuse short ids."""

IDENTIFY = Limits()
"""The identify API, for which the rules of HTTP V2 are documented to hold."""

GROUP_IDENTIFY = Limits(max_events=1024, max_properties=1024)
"""The group identify API, in groups and in their properties a request."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """
    Everything that may be configured about the answers.

    None lifts a limit.

    Attributes:
        api_keys: The keys that exist; empty: any key does.

        http_v2: Limits of `/2/httpapi`.

        batch: Limits of `/batch`.

        identify: Limits of `/identify`.

        group_identify: Limits of `/groupidentify`.

        throttle: False: no events a second and no daily quota are enforced.

        daily_quota:
            Events of one id in 24 hours, in steps of an hour. They count from
            when the id reached the events a second of an API, which is how
            the service tells a flood; where no rate is set, from the first.

        property_updates:
            Events of one user with user properties in an hour. Those beyond
            are taken, but their properties are not applied.

        max_id_length: Characters of a user_id or device_id.

        max_string:
            Characters of a text among the properties; the rest is cut off.

        max_depth: Objects and arrays around a value among the properties.

        max_group_types: Types of groups of an event; no more are tracked.

        max_groups: Groups of an event in all; no more are tracked.

        forbid_ids: Whether ids that stand for none, as "null", are refused.

        any_content_type: Whether a body may come without its type.

        dedupe: Whether a repeated insert_id is dropped.

        dedupe_seconds: How long an insert_id is remembered for that.

        dedupe_memory: How many insert_ids are.

        first_error_only:
            Name only the first failing event of each field. The two APIs'
            documentation disagrees; False names all.

        take_innocent:
            On a 429, take the events of ids that are not throttled. The
            documentation does not say; False takes none.

        silenced_devices: Devices whose events get a 400 that says so.

        forbidden_text: A body that holds one of these gets a 403.
    """

    api_keys: frozenset[str] = frozenset()
    http_v2: Limits = HTTP_V2
    batch: Limits = BATCH
    identify: Limits = IDENTIFY
    group_identify: Limits = GROUP_IDENTIFY
    throttle: bool = True
    daily_quota: int | None = 500_000
    property_updates: int | None = 1800
    max_id_length: int | None = 1024
    max_string: int | None = 1024
    max_depth: int | None = 40
    max_group_types: int | None = 5
    max_groups: int | None = 10
    forbid_ids: bool = True
    any_content_type: bool = False
    dedupe: bool = True
    dedupe_seconds: float = WEEK
    dedupe_memory: int = 5_000_000
    first_error_only: bool = False
    take_innocent: bool = False
    silenced_devices: frozenset[str] = frozenset()
    forbidden_text: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Settings(keys={len(self.api_keys)}, throttle={self.throttle})"

    def limits_of(self, path: str) -> Limits | None:
        """
        Return the limits of the API at *path*, None if there is none.
        """
        return {
            HTTP_V2_PATH: self.http_v2,
            BATCH_PATH: self.batch,
            IDENTIFY_PATH: self.identify,
            GROUP_IDENTIFY_PATH: self.group_identify,
        }.get(path)

    def with_short_ids(self, short_ids: ShortIds) -> Settings:
        """
        Return the same settings with one rule for short ids on all paths.
        """
        every = ("http_v2", "batch", "identify", "group_identify")
        limits = {
            name: msgspec.structs.replace(
                getattr(self, name), short_ids=short_ids
            )
            for name in every
        }
        return msgspec.structs.replace(self, **limits)


LIMITLESS = Limits(max_events=None, max_bytes=None, eps=None, short_ids="take")
"""No limits at all."""

LENIENT = Settings(
    http_v2=LIMITLESS,
    batch=LIMITLESS,
    identify=LIMITLESS,
    group_identify=LIMITLESS,
    throttle=False,
    daily_quota=None,
    property_updates=None,
    max_id_length=None,
    max_string=None,
    max_depth=None,
    max_group_types=None,
    max_groups=None,
    forbid_ids=False,
    any_content_type=True,
)
"""Only what makes no sense is refused; the rest is taken as it came."""
