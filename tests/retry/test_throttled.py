# SPDX-License-Identifier: MIT
"""
OrderedRetry about 429s: whom they hold, and whom they do not.
"""

from __future__ import annotations

import pytest

from ringamp.retry.decision import Hold, Resend
from ringamp.retry.ordered import OrderedRetry
from ringamp.status import Response, Status

BATCH_URL = "https://api2.amplitude.com/batch"


@pytest.fixture
def policy(batch):
    """
    The policy with the default options.
    """
    return batch.policy(OrderedRetry)


def throttled(retry_after=None, **body):
    """
    A 429 with this body.
    """
    return Response(Status.RATE_LIMIT, 429, body, "slow", retry_after)


def test_innocent_users_are_not_held(policy, batch):
    """
    A 429 that names one user holds that user and lets everyone else go on
    without charging them a retry.
    """
    response = throttled(
        throttled_users={"a": 31}, throttled_events=[0], eps_threshold=10
    )

    decisions = policy.decide(batch.attempt("a", "b", "a", number=5), response)

    assert decisions == [
        Hold((0, 2), frozenset("a"), frozenset(), 30.0, 10, response),
        Resend((1,), attempt=5, delay=0.0),
    ]


def test_t9_a_hold_names_ids_of_this_batch_only(policy, batch):
    """
    Ids that no event of the batch has are not held.
    """
    response = throttled(
        throttled_users={"a": 1, "stranger": 1},
        throttled_devices={"other": 2},
    )

    (hold, _) = policy.decide(batch.attempt("a", "b"), response)

    assert (hold.users, hold.devices) == (frozenset("a"), frozenset())


@pytest.mark.parametrize(
    ("ids", "users", "devices"),
    [(("a", "d"), {"a"}, set()), ((None, "d"), set(), {"d"})],
)
def test_a_throttled_event_holds_its_own_id(
    policy, batch, ids, users, devices
):
    """
    By index alone, the user is held, or the device where there is no user.
    """
    attempt = batch.attempt(ids, ("b", "e"))

    (hold, rest) = policy.decide(attempt, throttled(throttled_events=[0]))

    assert (hold.users, hold.devices) == (users, devices)
    assert rest == Resend((1,), 1, 0.0)


def test_a_named_device_is_enough(policy, batch):
    """
    The user of an event whose device is named is not held as well.
    """
    response = throttled(throttled_events=[0], throttled_devices={"d": 40})

    (hold, rest) = policy.decide(
        batch.attempt(("a", "d"), ("a", "e")), response
    )

    assert (hold.users, hold.devices) == (frozenset(), {"d"})
    assert rest == Resend((1,), 1, 0.0)


@pytest.mark.parametrize(
    ("asked", "where", "seconds"),
    [
        (None, {}, 30.0),
        (None, {"url": BATCH_URL}, 15.0),
        (20.0, {}, 30.0),
        (20.0, {"url": BATCH_URL}, 20.0),
        (120.0, {}, 120.0),
    ],
)
def test_a_hold_is_as_long_as_the_api_wants(
    policy, batch, asked, where, seconds
):
    """
    30 s, 15 s on the batch URLs, or more where the service asks for it.
    """
    attempt = batch.attempt("a", **where)

    (hold,) = policy.decide(
        attempt, throttled(asked, throttled_users={"a": 1})
    )

    assert hold.seconds == seconds


def test_ids_over_their_daily_quota_are_rejected_by_id(policy, batch):
    """
    Quota is final for all of an id's events, and outranks throttling.
    """
    response = throttled(
        exceeded_daily_quota_users={"a": 500001},
        exceeded_daily_quota_devices={"d": 500001},
        throttled_users={"a": 31, "c": 31},
    )
    attempt = batch.attempt("a", ("b", "d"), "c", "e")

    decisions = policy.decide(attempt, response)

    assert batch.read(decisions) == [
        ("Reject", [0, 1]),
        ("Hold", [2]),
        ("Resend", [3]),
    ]
    assert decisions[1].users == frozenset("c")


@pytest.mark.parametrize(
    "name", ["constructor", "toString", "__class__", "keys", "get"]
)
def test_l8_an_id_is_looked_up_in_the_answer_alone(policy, batch, name):
    """
    A user named like something every object has is no one special.
    """
    response = throttled(
        exceeded_daily_quota_users={"a": 1}, throttled_users={"b": 1}
    )

    decisions = policy.decide(batch.attempt("a", "b", name), response)

    assert batch.read(decisions)[-1] == ("Resend", [2])


@pytest.mark.parametrize(
    "body", [{}, {"throttled_users": {"z": 1}}, {"throttled_events": [7]}]
)
def test_a_429_that_names_nobody_is_charged(policy, batch, body):
    """
    It cannot run hot: it waits and ends as a server error does.
    """
    first = policy.decide(batch.attempt("a", "b"), throttled(9.0, **body))
    last = policy.decide(batch.attempt("a", "b", number=13), throttled(**body))

    assert batch.read(first) == [("Resend", [0, 1])]
    assert first[0].attempt == 2
    assert first[0].delay >= 9.0
    assert batch.read(last) == [("Drop", [0, 1])]


def test_a_throttled_event_without_ids_is_charged(policy, batch):
    """
    There is nothing to hold it by.
    """
    response = throttled(throttled_events=[0])

    (resend,) = policy.decide(batch.attempt((None, None)), response)

    assert resend.attempt == 2
    assert resend.delay > 0
