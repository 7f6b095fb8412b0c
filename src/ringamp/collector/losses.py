# SPDX-License-Identifier: MIT
"""
What the service drops, or would refuse, without a word in its answer.

A 200 does not say that a text was cut or a property not applied. These are
remarks on events that were taken; the collector keeps them to be asked for
and shows them in its terminal.
"""

from __future__ import annotations

import msgspec

KINDS = {
    "event rate": (
        "{} sends more events a second than the service takes: "
        "it would answer 429"
    ),
    "property updates": (
        "{} has more updates of its user properties an hour than the service "
        "applies: later ones may be dropped"
    ),
    "long text": "{}: what is longer than the service keeps is cut off",
    "group types": "{}: no more types of groups are tracked",
    "groups": "{}: no more groups of an event are tracked",
    "short id": "{}: an id that is too short is removed",
    "group properties": ("{}: group_properties count in $groupidentify alone"),
    "refused": "a request was refused: {}",
}
"""Each kind, and what it tells of its subject."""


class Loss(msgspec.Struct, frozen=True):
    """
    Something that got lost silently.

    Attributes:
        kind: One of `KINDS`.

        subject: What it befell: an id, or a field.

        count: How often.
    """

    kind: str
    subject: str
    count: int = 1

    def __str__(self) -> str:
        return KINDS[self.kind].format(self.subject)
