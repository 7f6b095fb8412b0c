# SPDX-License-Identifier: MIT
"""
OrderedRetry, row by row of its table.
"""

from __future__ import annotations

import pytest

from ringamp.retry.decision import Drop, Hold, Resend
from ringamp.retry.ordered import RULES, OrderedRetry
from ringamp.status import Response, Status
from ringamp.transport.classify import classify


@pytest.fixture
def policy(batch):
    """
    The policy with the default options.
    """
    return batch.policy(OrderedRetry)


def invalid(**body):
    """
    A 400 with this body.
    """
    return Response(Status.INVALID, 400, body, body.get("error"))


def test_every_status_has_a_row(policy, batch):
    """
    Whatever a transport may answer, each index is decided once.
    """
    assert set(RULES) == set(Status)
    for status in Status:
        decisions = policy.decide(batch.attempt(*"abc"), Response(status))
        indexes = sorted(i for d in decisions for i in d.indexes)
        assert indexes == [0, 1, 2]


@pytest.mark.parametrize("status", Status)
def test_l3_a_batch_without_events_needs_no_decision(policy, batch, status):
    """
    Nothing sent, nothing to decide, and nothing to send.
    """
    assert policy.decide(batch.attempt(), Response(status)) == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"x":1}'])
def test_p3_a_success_is_delivered_whatever_its_body(policy, batch, body):
    """
    A 200 whose body nobody can read is delivered.
    """
    decisions = policy.decide(batch.attempt("a", "b"), classify(200, body))

    assert batch.read(decisions) == [("Deliver", [0, 1])]


def test_l9_all_index_lists_are_read(policy, batch):
    """
    Fields, missing fields, id lengths and silenced events are rejected; the
    rest goes again at once, uncharged.
    """
    response = invalid(
        events_with_invalid_fields={"time": [0], "ip": [0, 1]},
        events_with_missing_fields={"event_type": [2]},
        events_with_invalid_id_lengths={"user_id": [3]},
        silenced_events=[4],
    )

    decisions = policy.decide(batch.attempt(*"abcdefg", number=3), response)

    assert batch.read(decisions) == [
        ("Reject", [0, 1, 2, 3, 4]),
        ("Resend", [5, 6]),
    ]
    assert decisions[0].response is response
    assert decisions[1] == Resend((5, 6), attempt=3, delay=0.0)


def test_silenced_devices_are_rejected_by_id(policy, batch):
    """
    A silenced device's events are rejected, listed by index or not.
    """
    attempt = batch.attempt(("a", "d1"), ("b", "d2"), (None, "d1"))

    decisions = policy.decide(attempt, invalid(silenced_devices=["d1"]))

    assert batch.read(decisions) == [("Reject", [0, 2]), ("Resend", [1])]


def test_a_400_that_names_all_rejects_all(policy, batch):
    """
    Nothing is left to resend.
    """
    response = invalid(silenced_events=[0, 1])

    decisions = policy.decide(batch.attempt("a", "b"), response)

    assert batch.read(decisions) == [("Reject", [0, 1])]


def test_a_400_may_throttle_too(policy, batch):
    """
    Silenced events are rejected and throttled ones wait, from one body.
    """
    response = invalid(
        silenced_events=[0],
        throttled_devices={"d2": 50},
        throttled_events=[1],
        eps_threshold=30,
    )
    attempt = batch.attempt(("a", "d1"), ("b", "d2"), ("c", "d3"))

    decisions = policy.decide(attempt, response)

    assert batch.read(decisions) == [
        ("Reject", [0]),
        ("Hold", [1]),
        ("Resend", [2]),
    ]
    assert decisions[1] == Hold(
        (1,), frozenset(), frozenset({"d2"}), 30.0, 30, response
    )


@pytest.mark.parametrize(
    "indexes", [[99], [-1], [True], ["0"], [0.0], [None], [[0]], {"a": 1}, 0]
)
def test_a_400_without_a_usable_index_is_halved(policy, batch, indexes):
    """
    Indexes out of range or of no integer type name nobody.
    """
    response = invalid(events_with_invalid_fields={"time": indexes})

    decisions = policy.decide(batch.attempt(*"abc", number=2), response)

    assert decisions == [Resend(range(1), 2, 0.0), Resend(range(1, 3), 2, 0.0)]


@pytest.mark.parametrize("body", [b"<html>", b"", b"null"])
def test_a_foreign_400_is_halved_and_one_alone_is_rejected(
    policy, batch, body
):
    """
    A proxy's page names nobody; the end is a rejected single event.
    """
    response = classify(400, body)

    many = policy.decide(batch.attempt("a", "b"), response)
    alone = policy.decide(batch.attempt("a"), response)

    assert batch.read(many) == [("Resend", [0]), ("Resend", [1])]
    assert batch.read(alone) == [("Reject", [0])]


@pytest.mark.parametrize(
    "body",
    [
        {"error": "Request missing required field", "missing_field": "events"},
        {"error": "Invalid API key: abc"},
        {"error": "invalid api KEY"},
        {"error": "Missing request body"},
        {"error": "Invalid request path"},
    ],
)
def test_p4_a_request_level_400_rejects_all_with_its_response(
    policy, batch, body
):
    """
    What no part of the batch can mend is rejected, and told.
    """
    response = invalid(**body)

    decisions = policy.decide(batch.attempt(*"abc"), response)

    assert batch.read(decisions) == [("Reject", [0, 1, 2])]
    assert decisions[0].response is response


def test_named_events_go_before_request_level_words(policy, batch):
    """
    Where both are told only the named are rejected: the next answer tells.
    """
    response = invalid(
        missing_field="event_type",
        events_with_missing_fields={"event_type": [1]},
    )

    decisions = policy.decide(batch.attempt("a", "b"), response)

    assert batch.read(decisions) == [("Reject", [1]), ("Resend", [0])]


@pytest.mark.parametrize("code", [401, 402, 403, 404, 405, 415, 451, 499])
def test_p17_other_4xx_are_rejected_whatever_they_say(policy, batch, code):
    """
    A 403 is no list of indexes and no reason to try again.
    """
    response = classify(code, b'{"silenced_events":[0]}')

    decisions = policy.decide(batch.attempt("a", "b"), response)

    assert batch.read(decisions) == [("Reject", [0, 1])]


@pytest.mark.parametrize(("count", "middle"), [(2, 1), (5, 2), (2000, 1000)])
def test_t6_a_413_is_halved_for_this_batch_alone(policy, batch, count, middle):
    """
    Two whole-numbered halves, uncharged; nothing of it is remembered.
    """
    attempt = batch.attempt(*["a"] * count, number=4)

    for _ in range(3):
        decisions = policy.decide(attempt, classify(413))

        assert decisions == [
            Resend(range(middle), 4, 0.0),
            Resend(range(middle, count), 4, 0.0),
        ]


def test_a_413_for_one_event_rejects_it(policy, batch):
    """
    What cannot be split is refused, with the response.
    """
    decisions = policy.decide(batch.attempt("a"), classify(413))

    assert batch.read(decisions) == [("Reject", [0])]


@pytest.mark.parametrize(
    "response",
    [
        classify(500),
        classify(502, b"<html>"),
        classify(503),
        classify(408),
        classify(302),
        Response(Status.TIMEOUT),
        Response(Status.SYSTEM_ERROR, 0, None, "connection refused"),
    ],
)
def test_l1_t1_t2_failures_are_retried_by_the_table(policy, batch, response):
    """
    Server errors, timeouts and network errors alike send the whole batch
    again, on every road and every retry, until the table is used up.
    """
    delays = [0.1, 0.1, 0.2, 0.2, 0.4, 0.4, 0.8, 0.8, 1.6, 1.6, 3.2, 3.2]

    for number, entry in enumerate(delays, start=1):
        attempt = batch.attempt("a", "b", number=number)
        (resend,) = policy.decide(attempt, response)
        assert resend.indexes == range(2)
        assert resend.attempt == number + 1
        assert entry <= resend.delay <= 1.5 * entry
    attempt = batch.attempt("a", "b", number=13)

    assert policy.decide(attempt, response) == [Drop(range(2), response)]


def test_retry_after_is_the_floor_of_a_delay(policy, batch):
    """
    A 503 that asks for a time gets it.
    """
    response = classify(503, b"", {"Retry-After": "12"})

    (resend,) = policy.decide(batch.attempt("a"), response)

    assert 12 <= resend.delay <= 12.05


def test_p1_without_retries_a_batch_is_still_sent_once(batch):
    """
    An empty table drops after the first answer, not before it.
    """
    policy = batch.policy(OrderedRetry, retry_timeouts=[])

    delivered = policy.decide(batch.attempt("a"), classify(200))
    failed = policy.decide(batch.attempt("a"), classify(500))

    assert policy.retries == 0
    assert batch.read(delivered) == [("Deliver", [0])]
    assert batch.read(failed) == [("Drop", [0])]


@pytest.mark.parametrize("status", ["SKIPPED", "QUEUED", "DROPPED"])
def test_what_a_transport_gives_up_is_dropped(policy, batch, status):
    """
    A custom transport may say that it sent nothing.
    """
    decisions = policy.decide(batch.attempt("a"), Response(Status[status]))

    assert batch.read(decisions) == [("Drop", [0])]


def test_new_events_wait_in_the_ring(policy):
    """
    The default policy drops no older event for a newer one.
    """
    assert policy.keep_newest is None
    assert repr(policy) == "<OrderedRetry: 12 retries>"
