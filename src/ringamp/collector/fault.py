# SPDX-License-Identifier: MIT
"""
One fault: what goes wrong with a request, and what is said instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import orjson
from msgspec.structs import fields

from ringamp.collector import bodies
from ringamp.collector.bodies import Body
from ringamp.collector.fields import Event
from ringamp.collector.guard import CORS, PROTECTION

IdField = Literal["user_id", "device_id"]


TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
"""Headers by which an answer's end is told: *half* and *reset* break those."""

PLAIN_TYPES = frozenset(
    {
        "application/json",
        "application/octet-stream",
        "application/problem+json",
        "text/plain",
    }
)
"""
What a body that was given may be called. No browser runs any of these, so
that nobody can have this server say a script of theirs.
"""

NAMING = (
    *("indexes", "field", "users", "devices"),
    *("quota_users", "quota_devices"),
)
"""Parts whose values are in an answer's body."""

CLASHES = {
    "reset": ("refuse", "half", "drip", "body", "html", "indexes"),
    "refuse": ("half", "drip", "body", "html", "indexes"),
    "half": ("drip",),
    "html": ("body", "indexes"),
    "body": ("indexes",),
}
"""Parts beside which others would do nothing."""


class Fault(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """
    What goes wrong with one request. Parts may be combined.

    Without *status*, and unless the connection goes first, the request is
    dealt with as usual and only its answer suffers; with a status of 300 or
    more, nothing of it is taken. *taken* overrules both.

    Attributes:
        status: Answer this.

        body: Answer this, text or an object, instead of the right body.

        headers: Further headers of the answer, such as `Retry-After`.

        html:
            Answer a page, as a proxy would. It is one of ours: a *body* is
            never called a page, even if it looks like one.

        delay: Seconds to wait before the answer.

        drip: Seconds to wait before each byte of the answer's body.

        reset:
            Reset the connection: `before` the body is read, or `after` the
            request was dealt with, so that only the answer is lost.

        half: Send half of the answer's body, then close.

        refuse:
            Reset all connections, close the listening socket, and listen
            again after so many seconds.

        indexes: A 400 that names these, in *family* and under *field*.

        family: One of the four places where a 400 names indexes.

        field: The field that a family of indexes is told by.

        users: A 429 that throttles these users.

        devices: The same for devices.

        quota_users: A 429 that says these users used up their daily quota.

        quota_devices: The same for devices.

        taken: Whether the events are taken.
    """

    status: int | None = None
    body: str | dict[str, Any] | None = None
    headers: dict[str, str] = {}
    html: bool = False
    delay: float = 0.0
    drip: float = 0.0
    reset: Literal["before", "after"] | None = None
    half: bool = False
    refuse: float | None = None
    indexes: tuple[int, ...] = ()
    family: str = bodies.FAMILIES[0]
    field: str = "event_type"
    users: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    quota_users: tuple[str, ...] = ()
    quota_devices: tuple[str, ...] = ()
    taken: bool | None = None

    def __post_init__(self) -> None:
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"status: {self.status} is not in 200..599")
        if self.family not in bodies.FAMILIES:
            raise ValueError(f"family: {self.family!r}, not {bodies.FAMILIES}")
        for name in ("delay", "drip", "refuse"):
            seconds = getattr(self, name) or 0
            if not 0 <= seconds < math.inf:
                raise ValueError(f"{name}: {seconds} is no time to wait")
        for name, others in CLASHES.items():
            for other in others:
                if self._has(name) and self._has(other):
                    raise ValueError(f"{other}: does nothing beside {name}")
        for name in ("family", "field"):
            if self._has(name) and not self.indexes:
                raise ValueError(f"{name}: does nothing without indexes")
        check_headers(self.headers)
        for name in ("body", *NAMING):
            check_sendable(name, getattr(self, name))

    def _has(self, name: str) -> bool:
        return bool(getattr(self, name) != _DEFAULTS[name])

    @property
    def name(self) -> str:
        """
        One word for the ledger.
        """
        if self.refuse is not None:
            return "refuse"
        if self.reset is not None:
            return f"reset {self.reset}"
        for word in ("half", "drip", "html"):
            if getattr(self, word):
                return word
        if self.answers is not None:
            return str(self.answers)
        return "delay" if self.delay else "body"

    @property
    def named(self) -> dict[IdField, frozenset[str]]:
        """
        The ids a 429 names, by field.
        """
        return {
            "user_id": frozenset(self.users + self.quota_users),
            "device_id": frozenset(self.devices + self.quota_devices),
        }

    @property
    def names_ids(self) -> bool:
        """
        Whether this is for requests with certain ids only.
        """
        return any(self.named.values())

    @property
    def answers(self) -> int | None:
        """
        The status it answers with, None for that of the usual answer.
        """
        if self.status is None and self.indexes:
            return 400
        if self.status is None and self.names_ids:
            return 429
        return self.status

    @property
    def cuts(self) -> bool:
        """
        Whether the connection goes before the body is read.
        """
        return self.reset == "before" or self.refuse is not None

    @property
    def takes(self) -> bool:
        """
        Whether the request is dealt with as usual.
        """
        if self.cuts:
            return False
        if self.taken is not None:
            return self.taken
        return self.answers is None or self.answers < 300

    def concerned(self, events: Sequence[Event]) -> list[int]:
        """
        Return the indexes of the events whose ids this fault names.
        """
        named = self.named
        return [
            index
            for index, event in enumerate(events)
            if any(
                isinstance(value := event.get(field), str) and value in ids
                for field, ids in named.items()
            )
        ]

    def text(
        self, status: int, usual: Body | str, events: Sequence[Event]
    ) -> Body | str:
        """
        Return the body to answer.

        Args:
            status: What is answered.

            usual: The body of the usual answer, if there was one.

            events: What was sent.
        """
        if self.html:
            return bodies.HTML.format(status)
        if self.body is not None:
            return self.body
        if self.indexes:
            return self._naming()
        if status == 429:
            return self._throttling(events)
        if self.answers is None or status == 200:
            return usual
        if status in bodies.ERRORS:
            return bodies.refused(status)
        return f"{status}\n"

    def _naming(self) -> Body:
        if self.family == "silenced_events":
            return bodies.silenced(self.devices, self.indexes, 30)
        told = {self.field: self.indexes}
        place = bodies.FAMILIES.index(self.family)
        families = [told if place == other else {} for other in range(3)]
        return bodies.bad_events(*families)

    def _throttling(self, events: Sequence[Event]) -> Body:
        return bodies.too_many(
            30,
            self.concerned(events),
            users=dict.fromkeys(self.users, 31),
            devices=dict.fromkeys(self.devices, 31),
            quota_users=dict.fromkeys(self.quota_users, 500_001),
            quota_devices=dict.fromkeys(self.quota_devices, 500_001),
        )


_DEFAULTS = {field.name: field.default for field in fields(Fault)}


def check_headers(headers: Mapping[str, str]) -> None:
    """
    Raise a ValueError that names a header which may not be given.
    """
    for name, value in headers.items():
        lower = name.lower()
        if not TOKEN.fullmatch(name) or not VALUE.fullmatch(value):
            raise ValueError(f"headers: {name!r} cannot be sent")
        if lower in FRAMING or lower in PROTECTION or lower.startswith(CORS):
            raise ValueError(f"headers: {name!r} is the collector's own")
        kind = value.partition(";")[0].strip().lower()
        if lower == "content-type" and kind not in PLAIN_TYPES:
            allowed = ", ".join(sorted(PLAIN_TYPES))
            raise ValueError(f"headers: {name!r} is not one of {allowed}")


def check_sendable(name: str, value: Any) -> None:
    """
    Raise a ValueError if the field *name* cannot be sent as JSON.
    """
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from None
