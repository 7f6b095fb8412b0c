# SPDX-License-Identifier: MIT
"""
How strict the collector is: the limits of the two APIs and what is ours.
"""

from __future__ import annotations

import msgspec

HTTP_V2_PATH = "/2/httpapi"
BATCH_PATH = "/batch"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """
    The limits of one API; None lifts a limit.

    Attributes:
        max_events: Events in a request; more is a 413.

        max_bytes: A request's JSON stays below this, unpacked; else a 413.

        eps: Events a second that one user or device may have; then a 429.

        window: Seconds over which *eps* is averaged.

        refuse_short_ids:
            Whether an id below *min_id_length* is a 400 that names the event.
            Otherwise the id is removed, and only an event left with neither
            id is refused.
    """

    max_events: int | None = 2000
    max_bytes: int | None = 1_000_000
    eps: int | None = 30
    window: float = 30.0
    refuse_short_ids: bool = True


HTTP_V2 = Limits()
"""
The HTTP V2 API. Its documentation says "a recent window" for the average
without a number; 30 s is the batch API's, and how long clients are to wait.
"""

BATCH = Limits(max_bytes=20_000_000, eps=1000, refuse_short_ids=False)
"""The batch API: clients report that it does not refuse short ids."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """
    Everything that may be configured about the answers.

    Attributes:
        api_keys: The keys that exist; empty: any key does.

        http_v2: Limits of `/2/httpapi`.

        batch: Limits of `/batch`.

        throttle: False: no events a second and no daily quota are enforced.

        daily_quota: Events of one id in 24 hours, in steps of an hour.

        max_id_length: Characters of a user_id or device_id.

        dedupe: Whether a repeated insert_id is dropped.

        dedupe_memory: How many insert_ids are remembered for that.

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
    throttle: bool = True
    daily_quota: int | None = 500_000
    max_id_length: int = 1024
    dedupe: bool = True
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
        return {HTTP_V2_PATH: self.http_v2, BATCH_PATH: self.batch}.get(path)


LIMITLESS = Limits(max_events=None, max_bytes=None, eps=None)
"""No limits at all; short ids are still refused."""

LENIENT = Settings(
    http_v2=LIMITLESS, batch=LIMITLESS, throttle=False, daily_quota=None
)
"""Only what makes no sense is refused."""
