# SPDX-License-Identifier: MIT
"""
Whatever a server answers, every batch comes to an end or waits.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringamp.options import Options
from ringamp.retry.decision import Attempt, Hold, Ids, Resend
from ringamp.retry.none import NoRetry
from ringamp.retry.offline import OfflineRetry
from ringamp.retry.ordered import OrderedRetry
from ringamp.status import Response, Status
from ringamp.transport.classify import classify

NAMES = st.sampled_from(["a", "b", "c", "d", "constructor"])
IDS = st.builds(Ids, st.none() | NAMES, st.none() | NAMES)
INDEX = st.integers(-2, 12) | st.booleans() | st.none() | NAMES | st.floats()
LISTS = st.lists(INDEX, max_size=6) | st.none() | st.integers()
BY_FIELD = st.dictionaries(NAMES, LISTS, max_size=3)
BY_ID = st.dictionaries(NAMES, st.integers(), max_size=3)
ANYTHING = LISTS | BY_FIELD | BY_ID | st.text(max_size=3)
BODY = st.dictionaries(
    st.sampled_from(
        [
            "events_with_invalid_fields",
            "events_with_missing_fields",
            "events_with_invalid_id_lengths",
            "silenced_events",
            "silenced_devices",
            "throttled_events",
            "throttled_users",
            "throttled_devices",
            "exceeded_daily_quota_users",
            "exceeded_daily_quota_devices",
            "eps_threshold",
            "missing_field",
            "error",
        ]
    ),
    ANYTHING | BY_FIELD | BY_ID,
    max_size=5,
)
CODE = st.sampled_from([0, 200, 302, 400, 403, 408, 413, 429, 500, 503])
RESPONSE = st.builds(
    lambda response, body: Response(
        response.status, response.status_code, body, response.error
    ),
    st.builds(classify, CODE),
    st.none() | BODY,
)
# A loaded machine is no finding.
RELAXED = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
POLICIES = {cls.__name__: cls for cls in (OrderedRetry, OfflineRetry, NoRetry)}


def make(name, **options):
    """
    Make a seeded policy by its name.
    """
    return POLICIES[name](Options.build(**options), random.Random(1))


@pytest.mark.parametrize("name", POLICIES)
@RELAXED
@given(st.lists(IDS, max_size=9), st.integers(1, 20), RESPONSE)
def test_any_answer_decides_each_event_once(name, ids, number, response):
    """
    Each index is in exactly one decision; an uncharged resend is smaller
    than what was sent, and a charged one waits; a hold names its events.
    """
    attempt = Attempt(len(ids), number, lambda: ids)

    decisions = make(name).decide(attempt, response)

    indexes = [index for d in decisions for index in d.indexes]
    assert sorted(indexes) == list(range(len(ids)))
    for decision in decisions:
        assert len(decision.indexes) > 0
        if isinstance(decision, Resend):
            is_charged = decision.attempt == number + 1
            assert is_charged or decision.attempt == number
            assert is_charged == (decision.delay > 0)
            assert is_charged or len(decision.indexes) < len(ids)
        if isinstance(decision, Hold):
            assert decision.seconds >= 15
            assert all(
                ids[index].user_id in decision.users
                or ids[index].device_id in decision.devices
                for index in decision.indexes
            )


@RELAXED
@given(st.lists(IDS, min_size=1, max_size=9), st.data())
def test_a_stubborn_server_is_not_hammered(ids, data):
    """
    Against a server that answers whatever it likes, every event ends or is
    held, after a bounded number of requests.
    """
    policy = make("OrderedRetry", retry_timeouts=[100, 200])
    waiting = [(ids, 1)]
    ended = 0
    requests = 0
    while waiting:
        who, number = waiting.pop()
        requests += 1
        response = data.draw(RESPONSE)
        attempt = Attempt(len(who), number, lambda who=who: who)
        for decision in policy.decide(attempt, response):
            if isinstance(decision, Resend):
                part = [who[index] for index in decision.indexes]
                waiting.append((part, decision.attempt))
            else:
                ended += len(decision.indexes)

    assert ended == len(ids)
    # A tree whose leaves are events, each node at most 1 + 2 charged tries.
    assert requests <= 2 * len(ids) * 3


@pytest.mark.parametrize("code", [400, 413])
def test_bisection_finds_one_bad_event_in_few_requests(code):
    """
    Among 2000 events one bad one costs a score of requests, and itself only.
    """
    policy = make("OrderedRetry")
    waiting = [range(2000)]
    rejected, delivered, requests = [], 0, 0
    while waiting:
        batch = waiting.pop()
        requests += 1
        who = [Ids("a", None)] * len(batch)
        attempt = Attempt(len(who), 1, lambda who=who: who)
        response = classify(code if 1234 in batch else 200)
        for decision in policy.decide(attempt, response):
            part = [batch[index] for index in decision.indexes]
            if isinstance(decision, Resend):
                waiting.append(part)
            elif response.status is Status.SUCCESS:
                delivered += len(part)
            else:
                rejected += part

    assert rejected == [1234]
    assert delivered == 1999
    assert requests <= 2 * 11 + 1


def test_l5_retries_are_counted_not_repeated():
    """
    16 events and two retries are three requests, not twenty-one.
    """
    policy = make("OrderedRetry", retry_timeouts=[100, 100])
    number, requests = 1, 0
    while True:
        requests += 1
        attempt = Attempt(16, number, lambda: [Ids("a", None)] * 16)
        (decision,) = policy.decide(attempt, classify(500))
        if not isinstance(decision, Resend):
            break
        number = decision.attempt

    assert requests == 3
    assert len(decision.indexes) == 16
