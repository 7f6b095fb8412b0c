# SPDX-License-Identifier: MIT
"""
Odd answers of the service, and what *on_delivery* is told of each.
"""

from __future__ import annotations

import collections

import pytest

from ringamp import Status
from ringamp.collector import Fault

FAMILIES = (
    "events_with_invalid_fields",
    "events_with_missing_fields",
    "events_with_invalid_id_lengths",
)


def log(client, event, count):
    """
    Log so many events, flush, and give the statuses of their outcomes.
    """
    receipts = [client.log_event(event(number)) for number in range(count)]
    client.flush().result(30)
    return [receipt.result(0).status for receipt in receipts]


@pytest.fixture
def told():
    """
    How often *on_delivery* was told of each event, by its end.
    """
    return collections.Counter()


@pytest.fixture
def client(make_client, told):
    """
    A client that sends only when flushed, and quickly retries.
    """
    return make_client(
        upload_interval_in_sec=60,
        retry_timeouts=[5] * 6,
        on_delivery=lambda events, response: told.update(
            (e["event_id"], response.status) for e in events
        ),
    )


TAKEN = {
    "200 with a page": Fault(status=200, html=True),
    "200 with nothing": Fault(status=200, body=""),
    "200 with a list": Fault(status=200, body="[1, 2]"),
    "200 that says 400": Fault(status=200, body={"code": 400, "error": "no"}),
    "202": Fault(status=202),
    "204": Fault(status=204, body=""),
}


@pytest.mark.parametrize("name", TAKEN)
def test_the_http_status_comes_first(client, event, collector, told, name):
    """
    2xx is delivered, whatever the body is or says.
    """
    collector.faults.add(TAKEN[name])

    assert log(client, event, 5) == [Status.SUCCESS] * 5
    assert client.stats().requests == 1
    assert told == {(n, Status.SUCCESS): 1 for n in range(5)}


REQUEST_LEVEL = {
    "missing field": {
        "error": "Request missing required field",
        "missing_field": "api_key",
    },
    "api key": {"error": "Invalid API key"},
    "no body": {"error": "Missing request body"},
    "path": {"error": "Invalid request path"},
}


@pytest.mark.parametrize("name", REQUEST_LEVEL)
def test_what_is_wrong_with_the_request_is_asked_once(
    client, event, collector, told, name
):
    """
    No part of the batch can succeed: all are rejected with the words.
    """
    body = {"code": 400, **REQUEST_LEVEL[name]}
    collector.faults.add(Fault(status=400, body=body), times=None)

    assert log(client, event, 5) == [Status.INVALID] * 5
    assert client.stats().requests == 1
    assert told == {(n, Status.INVALID): 1 for n in range(5)}


def test_all_families_in_one_answer(client, event, collector, told):
    """
    Whoever is named anywhere is rejected, once; the rest is delivered.
    """
    body = {
        "code": 400,
        "error": "Invalid field values on some events",
        **{
            family: {"some_field": [number, 0], "another": [number]}
            for number, family in enumerate(FAMILIES, 1)
        },
        "silenced_events": [4, 0],
    }
    collector.faults.add(Fault(status=400, body=body))

    statuses = log(client, event, 8)

    assert statuses == [Status.INVALID] * 5 + [Status.SUCCESS] * 3
    assert client.stats().rejected == 5
    assert told == dict.fromkeys(enumerate(statuses), 1)


ABSURD = {
    "beyond the end": {"events_with_invalid_fields": {"a": [99, -1, 5]}},
    "no numbers": {"events_with_invalid_fields": {"a": ["0", None, 1.5]}},
    "no lists": {"events_with_invalid_fields": {"a": 7}},
    "texts": {"events_with_invalid_fields": "0"},
    "bools": {"events_with_invalid_fields": {"a": [True, False]}},
    "nulls": {
        "events_with_invalid_fields": None,
        "silenced_events": None,
        "throttled_users": None,
    },
}


@pytest.mark.parametrize("status", [400, 429])
@pytest.mark.parametrize("name", ABSURD)
def test_absurd_lists_cost_no_event(client, event, collector, name, status):
    """
    Indexes that are none are not followed: the innocent are delivered.
    """
    body = {"code": status, "error": "odd", **ABSURD[name]}
    collector.faults.add(Fault(status=status, body=body))

    assert log(client, event, 5) == [Status.SUCCESS] * 5
    assert collector.ledger.summary().accepted == 5


def test_troubles_in_a_row_are_one_trip(client, event, collector, told):
    """
    A batch that meets one after the other ends as if it had met each alone.
    """
    for fault in (
        Fault(status=500),
        Fault(status=413),
        Fault(indexes=[0]),
        Fault(reset="after"),
        Fault(status=429),
        Fault(half=True),
    ):
        collector.faults.add(fault)

    statuses = log(client, event, 20)

    assert statuses.count(Status.SUCCESS) == 19
    assert statuses.count(Status.INVALID) == 1
    assert collector.ledger.summary().accepted == 19
    assert told == dict.fromkeys(enumerate(statuses), 1)


@pytest.mark.parametrize("ends", ["retries", "shutdown", "403"])
def test_dropped_and_refused_events_are_told_as_well(
    client, event, collector, told, ends
):
    """
    *on_delivery* hears of every event that was in the ring.
    """
    fault = Fault(status=403) if ends == "403" else Fault(status=500)
    collector.faults.add(fault, times=None)
    for number in range(6):
        client.log_event(event(number))
    if ends != "shutdown":
        client.flush().result(30)
    client.shutdown(0)

    assert sorted(number for number, _ in told) == list(range(6))
    assert set(told.values()) == {1}
    assert client.stats().delivered == 0


def test_on_delivery_may_log_and_may_keep_the_events(
    make_client, event, collector
):
    """
    Later batches do not write over what it was shown; what it logs is sent.
    """
    kept = []

    def keep(events, response):
        kept.append(events)
        if len(kept) < 5:
            client.log_event(event(len(kept)))

    client = make_client(on_delivery=keep)
    client.log_event(event(0))
    assert collector.ledger.wait_for(events=5)
    client.shutdown()

    assert [events[0]["event_id"] for events in kept] == [0, 1, 2, 3, 4]
    assert len({events[0]["insert_id"] for events in kept}) == 5
