# SPDX-License-Identifier: MIT
"""
NoRetry: one attempt.
"""

from __future__ import annotations

import pytest

from ringamp.retry.none import NoRetry
from ringamp.transport.classify import classify


@pytest.mark.parametrize(
    ("code", "body", "told"),
    [
        (200, b"", [("Deliver", [0, 1])]),
        (400, b'{"error":"Invalid API key"}', [("Reject", [0, 1])]),
        (400, b'{"silenced_events":[0]}', [("Reject", [0]), ("Drop", [1])]),
        (400, b'{"silenced_events":[0,1]}', [("Reject", [0, 1])]),
        (400, b"<html>", [("Drop", [0, 1])]),
        (403, b"", [("Reject", [0, 1])]),
        (413, b"", [("Drop", [0, 1])]),
        (429, b'{"throttled_users":{"a":1}}', [("Drop", [0, 1])]),
        (
            429,
            b'{"exceeded_daily_quota_users":{"b":1}}',
            [("Reject", [1]), ("Drop", [0])],
        ),
        (500, b"", [("Drop", [0, 1])]),
        (408, b"", [("Drop", [0, 1])]),
        (302, b"", [("Drop", [0, 1])]),
    ],
)
def test_every_answer_is_final(batch, code, body, told):
    """
    Delivered, refused by name or as a whole, or dropped; never sent again.
    """
    policy = batch.policy(NoRetry)

    decisions = policy.decide(batch.attempt("a", "b"), classify(code, body))

    assert batch.read(decisions) == told


@pytest.mark.parametrize("code", [400, 413])
def test_one_event_refused_alone_is_rejected(batch, code):
    """
    There is nobody else it could be about.
    """
    policy = batch.policy(NoRetry)

    decisions = policy.decide(batch.attempt("a"), classify(code))

    assert batch.read(decisions) == [("Reject", [0])]


def test_it_says_that_there_are_no_retries(batch):
    """
    What the flusher asks of a policy is there.
    """
    policy = batch.policy(NoRetry)

    assert (policy.keep_newest, policy.retries) == (None, 0)
    assert policy.decide(batch.attempt(), classify(500)) == []
