# SPDX-License-Identifier: MIT
"""
The size of a request: halved by a 413, grown back by success.
"""

from __future__ import annotations

from ringamp.flusher.sizing import SMALLEST, SizeLimit
from ringamp.status import Status


def test_a_refusal_halves_what_was_sent():
    """
    Not the limit but the request that was refused counts: a small one that
    is refused tells more than the limit does.
    """
    limit = SizeLimit(1_000_000)

    limit.learn(Status.PAYLOAD_TOO_LARGE, 300_000)

    assert limit.value == 150_000


def test_refusals_end_at_a_floor():
    """
    A service that refuses everything does not drive the limit to nothing.
    """
    limit = SizeLimit(1_000_000)
    for _ in range(50):
        limit.learn(Status.PAYLOAD_TOO_LARGE, limit.value)

    assert limit.value == SMALLEST


def test_success_lets_the_limit_recover():
    """
    P9, T6: one 413 does not shrink requests for the life of the process.
    """
    limit = SizeLimit(1_000_000)
    limit.learn(Status.PAYLOAD_TOO_LARGE, 40_000)
    for _ in range(30):
        limit.learn(Status.SUCCESS, 40_000)

    assert limit.value == 1_000_000


def test_a_late_refusal_does_not_raise_the_limit():
    """
    A large request refused after a small one keeps the smaller limit.
    """
    limit = SizeLimit(1_000_000)
    limit.learn(Status.PAYLOAD_TOO_LARGE, 100_000)
    limit.learn(Status.PAYLOAD_TOO_LARGE, 900_000)

    assert limit.value == 50_000
