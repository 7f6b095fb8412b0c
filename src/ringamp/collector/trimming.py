# SPDX-License-Identifier: MIT
"""
An event as the service keeps it: long text cut off, groups too many left out.

The service does this after its 200, so that the sender never hears of it.
"""

from __future__ import annotations

from typing import Any

from ringamp.collector.fields import PROPERTIES, Event
from ringamp.collector.losses import Loss
from ringamp.collector.settings import Settings


def trim(event: Event, settings: Settings) -> list[Loss]:
    """
    Trim *event*, which is changed, and return what got lost.
    """
    losses = [
        Loss("long text", field, cut)
        for field in PROPERTIES
        if (cut := _cut(event.get(field), settings.max_string))
    ]
    groups = event.get("groups")
    if type(groups) is dict:
        event["groups"], lost = _track(groups, settings)
        losses += lost
    kind = event.get("event_type")
    if event.get("group_properties") and kind != "$groupidentify":
        losses.append(Loss("group properties", str(kind)))
    return losses


def _cut(holder: Any, limit: int | None) -> int:
    """
    Cut the texts in *holder* down to *limit*; return how many were longer.
    """
    if limit is None or not holder:
        return 0
    cut = 0
    holders = [holder]
    while holders:
        inner = holders.pop()
        places: Any = ()
        if type(inner) is dict:
            places = inner.items()
        elif type(inner) is list:
            places = enumerate(inner)
        for place, value in places:
            if type(value) is not str:
                holders.append(value)
            elif len(value) > limit:
                # No key is added, so the walk goes on undisturbed.
                inner[place] = value[:limit]
                cut += 1
    return cut


def _track(
    groups: dict[str, Any], settings: Settings
) -> tuple[dict[str, Any], list[Loss]]:
    """
    Return the groups that are tracked, the first ones, and what is not.
    """
    kinds = list(groups)[: settings.max_group_types]
    left = settings.max_groups
    tracked = {}
    missed = 0
    for kind in kinds:
        given = groups[kind]
        names = given if type(given) is list else [given]
        kept = names[:left]
        missed += len(names) - len(kept)
        if left is not None:
            left -= len(kept)
        if kept or not names:
            tracked[kind] = kept if type(given) is list else given
    untold = len(groups) - len(kinds)
    losses = []
    if untold:
        losses.append(Loss("group types", list(groups)[len(kinds)], untold))
    if missed:
        losses.append(Loss("groups", kinds[-1], missed))
    return tracked, losses
