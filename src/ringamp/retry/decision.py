# SPDX-License-Identifier: MIT
"""
The answers a retry policy can give. Values only.

Indexes are positions in the batch as it was sent. The decisions about one
batch cover every index exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from ringamp.events.ids import Ids
from ringamp.status import Response

__all__ = [
    "Attempt",
    "Decision",
    "Deliver",
    "Drop",
    "Hold",
    "Ids",
    "Policy",
    "Reject",
    "Resend",
]


class Attempt(msgspec.Struct, frozen=True):
    """
    One request as a policy sees it.

    Attributes:
        count: How many events were sent.

        number: 1 for the first try; counts only tries that were charged.

        ids: Reads the ids of the events, in sent order; decodes on demand.

        url: Where it was sent.
    """

    count: int
    number: int
    ids: Callable[[], Sequence[Ids]]
    url: str = ""


class Deliver(msgspec.Struct, frozen=True):
    """
    These events were taken by the service.
    """

    indexes: Sequence[int]


class Reject(msgspec.Struct, frozen=True):
    """
    The service refuses these for good.
    """

    indexes: Sequence[int]
    response: Response


class Drop(msgspec.Struct, frozen=True):
    """
    Give these up although the service might have taken them.
    """

    indexes: Sequence[int]
    response: Response


class Resend(msgspec.Struct, frozen=True):
    """
    Send these again, as one batch, not before *delay* seconds.

    *attempt* is the number of the next try: the same as the last one where
    the events are innocent of the failure, one more where a retry is used up.
    """

    indexes: Sequence[int]
    attempt: int
    delay: float = 0.0


class Hold(msgspec.Struct, frozen=True):
    """
    Keep these, and all that is logged later for the same ids, for *seconds*.

    Attributes:
        indexes: The events of this batch that wait.

        users: The user ids that are held.

        devices: The device ids that are held.

        seconds: How long.

        eps_threshold: Events a second the service lets one id have, if told.

        response: What the service said; the reason if they must be dropped.
    """

    indexes: Sequence[int]
    users: frozenset[str]
    devices: frozenset[str]
    seconds: float
    eps_threshold: int | None
    response: Response


Decision = Deliver | Reject | Drop | Resend | Hold


class Policy(Protocol):
    """
    A pure retry policy: a response in, decisions out.

    Attributes:
        keep_newest:
            None: while the policy waits, new events wait in the ring. A
            number: only so many of the newest are kept, older ones dropped.

        retries: How many charged retries a batch has; None for no end.
    """

    keep_newest: int | None
    retries: int | None

    def decide(
        self, attempt: Attempt, response: Response
    ) -> Sequence[Decision]:
        """
        Say what becomes of each event of *attempt*.
        """
