# SPDX-License-Identifier: MIT
"""
What is wrong with which events: the part of a 400 that names indexes.
"""

from __future__ import annotations

from ringamp.collector import bodies
from ringamp.collector.bodies import Body
from ringamp.collector.fields import (
    Event,
    invalid_fields,
    is_forbidden_device,
    is_forbidden_id,
)
from ringamp.collector.losses import Loss
from ringamp.collector.settings import Limits, Settings

NEED_NO_ID = frozenset({"$groupidentify"})
"""Events about a group, not a user: published clients send no id."""

IDS = {"user_id": is_forbidden_id, "device_id": is_forbidden_device}
"""The two ids, and what each may not be."""


class Findings:
    """
    The faults of events, by field, and the ids that were removed.

    Args:
        min_id_length: Characters of the shortest id, of this request.

        settings: How strict to be.

        limits: Of the API.
    """

    def __init__(
        self, min_id_length: int, settings: Settings, limits: Limits
    ) -> None:
        self._settings = settings
        self._shortest = 0 if limits.short_ids == "take" else min_id_length
        self._removes = limits.short_ids == "remove"
        self._invalid: dict[str, list[int]] = {}
        self._missing: dict[str, list[int]] = {}
        self._lengths: dict[str, list[int]] = {}
        self.losses: list[Loss] = []

    def __bool__(self) -> bool:
        """
        Say whether anything is wrong.
        """
        return bool(self._invalid or self._missing or self._lengths)

    def told(self) -> Body:
        """
        Return the body that tells.
        """
        last = 1 if self._settings.first_error_only else None
        families = [
            {
                field: sorted(indexes)[:last]
                for field, indexes in family.items()
            }
            for family in (self._invalid, self._missing, self._lengths)
        ]
        return bodies.bad_events(*families)

    def look_at(self, event: Event, index: int) -> None:
        """
        Check one event. An id that is only removed is removed here.
        """
        for field in set(invalid_fields(event, self._settings.max_depth)):
            self._invalid.setdefault(field, []).append(index)
        if event.get("event_type") is None:
            self._missing.setdefault("event_type", []).append(index)
        given = [field for field in IDS if event.get(field) is not None]
        if not given and str(event.get("event_type")) not in NEED_NO_ID:
            for field in IDS:
                self._missing.setdefault(field, []).append(index)
        self._look_at_ids(event, index, given)

    def _look_at_ids(self, event: Event, index: int, given: list[str]) -> None:
        longest = self._settings.max_id_length
        wrong = []
        for field in given:
            value = event[field]
            if type(value) is not str:
                continue  # Found among the fields already.
            if self._settings.forbid_ids and IDS[field](value):
                self._invalid.setdefault(field, []).append(index)
            elif len(value) < self._shortest or (
                longest is not None and len(value) > longest
            ):
                wrong.append(field)
        spare = self._removes and len(given) > len(wrong)
        for field in wrong:
            if spare and len(event[field]) < self._shortest:
                del event[field]
                self.losses.append(Loss("short id", field))
            else:
                self._lengths.setdefault(field, []).append(index)
