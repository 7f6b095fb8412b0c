# SPDX-License-Identifier: MIT
"""
OfflineRetry: wait for the network, however long.
"""

from __future__ import annotations

import pytest

from ringamp.retry.offline import OfflineRetry
from ringamp.status import Response, Status
from ringamp.transport.classify import classify


@pytest.fixture
def policy(batch):
    """
    The policy, with a table of retries that it must not use.
    """
    return batch.policy(
        OfflineRetry, retry_timeouts=[100], max_cached_events=700
    )


@pytest.mark.parametrize(
    "response",
    [
        Response(Status.TIMEOUT),
        Response(Status.SYSTEM_ERROR),
        classify(500),
        classify(302),
        classify(429),
    ],
)
def test_l16_an_outage_is_probed_on_a_growing_timer(policy, batch, response):
    """
    Nothing is dropped for an outage; the timer grows to a minute and stays.
    """
    number, delays = 1, []
    for _ in range(40):
        attempt = batch.attempt("a", "b", number=number)
        (resend,) = policy.decide(attempt, response)
        assert resend.indexes == range(2)
        number = resend.attempt
        delays.append(resend.delay)

    assert 1 <= delays[0] <= 1.5
    assert 8 <= delays[3] <= 12
    assert all(40 <= delay <= 60 for delay in delays[6:])


def test_l16_a_413_is_still_split(policy, batch):
    """
    What waited goes out in requests that fit.
    """
    decisions = policy.decide(batch.attempt("a", "b"), classify(413))

    assert batch.read(decisions) == [("Resend", [0]), ("Resend", [1])]


def test_other_answers_mean_what_they_mean_elsewhere(policy, batch):
    """
    Delivered, rejected and held as by OrderedRetry.
    """
    attempt = batch.attempt("a", "b", number=50)

    assert batch.read(policy.decide(attempt, classify(200))) == [
        ("Deliver", [0, 1])
    ]
    assert batch.read(policy.decide(attempt, classify(403))) == [
        ("Reject", [0, 1])
    ]
    assert batch.read(
        policy.decide(attempt, classify(429, b'{"throttled_users":{"a":1}}'))
    ) == [("Hold", [0]), ("Resend", [1])]


def test_the_newest_events_are_kept(policy):
    """
    The number is the option's, and there is no last retry.
    """
    assert policy.keep_newest == 700
    assert policy.retries is None
