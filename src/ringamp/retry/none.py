# SPDX-License-Identifier: MIT
"""
The policy of one attempt: every batch is sent once, whatever comes of it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ringamp.options import Options
from ringamp.retry.decision import (
    Attempt,
    Decision,
    Deliver,
    Drop,
    Reject,
)
from ringamp.retry.named import read_named
from ringamp.retry.ordered import check_options, is_request_level
from ringamp.status import Response, Status

_FINAL = frozenset({Status.INVALID, Status.PAYLOAD_TOO_LARGE})


class NoRetry:
    """
    Send once; deliver, reject or drop.

    Events that the service refuses by name, a batch that it refuses as a
    whole and an event too large by itself are rejected. Everything else that
    is no success is dropped: another try might have delivered it.

    Attributes:
        keep_newest: None: nothing waits.

        retries: 0.

    .. versionadded:: 0.1.0
    """

    keep_newest: int | None = None
    retries: int | None = 0

    def __init__(
        self, options: Options, rng: random.Random | None = None
    ) -> None:
        # Both are what every policy is given; one attempt needs neither.
        check_options(type(self).__name__, options)
        del rng

    def __repr__(self) -> str:
        return "<NoRetry>"

    def decide(
        self, attempt: Attempt, response: Response
    ) -> Sequence[Decision]:
        """
        Say what becomes of each event of *attempt*.
        """
        everyone = range(attempt.count)
        if not attempt.count:
            return []
        if response.status is Status.SUCCESS:
            return [Deliver(everyone)]
        if _is_final(attempt, response):
            return [Reject(everyone, response)]
        refused = read_named(attempt, response.body).refused
        rest = tuple(index for index in everyone if index not in refused)
        decisions: list[Decision] = []
        if refused:
            decisions.append(Reject(tuple(sorted(refused)), response))
        if rest:
            decisions.append(Drop(rest, response))
        return decisions


def _is_final(attempt: Attempt, response: Response) -> bool:
    """
    Would every other try of this batch end the same way?
    """
    if response.status not in _FINAL:
        return False
    if attempt.count == 1:
        return not read_named(attempt, response.body).held
    if response.status is Status.PAYLOAD_TOO_LARGE:
        return False
    if response.status_code not in (0, 400):
        return True
    return is_request_level(response) and not read_named(
        attempt, response.body
    )
