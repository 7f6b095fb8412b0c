# SPDX-License-Identifier: MIT
"""
The reason of an INVALID receipt names the field, wherever it is and whichever
lane the event takes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

import pytest

from ringamp import Event, Status
from ringamp.collector import Fault

ODD = object()


def nested(depth):
    """
    A dict in a dict, so many times.
    """
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


REASONS = {
    "in properties": ({"event_properties": {"a": ODD}}, "event_properties.a"),
    "in a list": ({"event_properties": {"a": [0, ODD]}}, "a[1]"),
    "in a tuple": ({"user_properties": {"a": (ODD,)}}, "user_properties.a[0]"),
    "in a set": ({"groups": {"a": {ODD}}}, "groups.a"),
    "in an unknown field": ({"brand_new": ODD}, "brand_new"),
    "in a plan": ({"plan": {"branch": ODD}}, "plan.branch"),
    "a key": ({"event_properties": {("a",): 1}}, "event_properties"),
    "user_id": ({"user_id": 1.5}, "user_id"),
    "user_id bytes": ({"user_id": b"somebody"}, "user_id"),
    "user_id bool": ({"user_id": True}, "user_id"),
    "device_id": ({"user_id": None, "device_id": {}}, "device_id"),
    "time bool": ({"time": True}, "time: bool"),
    "time nan": ({"time": math.nan}, "time: float"),
    "time inf": ({"time": math.inf}, "time: float"),
    "time list": ({"time": [1]}, "time: list"),
    "insert_id": ({"insert_id": 1.5}, "insert_id: float"),
    "insert_id bool": ({"insert_id": False}, "insert_id: bool"),
    "library": ({"library": 7}, "library: int"),
    "event_type bytes": ({"event_type": b"t"}, "event_type: bytes"),
    "event_type empty": ({"event_type": ""}, "event_type: ''"),
    "too deep": ({"event_properties": nested(5000)}, "event_properties"),
}

LANES = {
    "direct": ({}, 0),
    "defaults": ({"ingestion_metadata": {"source_name": "s"}}, 0),
    "middleware": ({}, 1),
    "chain": ({}, 2),
}


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", REASONS)
def test_the_reason_names_the_field(make_client, event, name, lane):
    """
    The event is counted once, in every lane, and the next one is unaffected.
    """
    fields, words = REASONS[name]
    options, length = LANES[lane]
    client = make_client(**options)
    for _ in range(length):
        client.add_event_middleware(lambda payload, next: next(payload))

    receipt = client.log_event(event(**fields))

    assert receipt.status is Status.INVALID
    assert words in receipt.reason
    stats = client.stats()
    assert (stats.invalid, stats.logged, stats.skipped) == (1, 0, 0)
    assert client.log_event(event()).status is Status.QUEUED


def test_a_cycle_is_an_invalid_event(make_client, event):
    """
    It cannot be JSON; nothing overflows.
    """
    client = make_client()
    loop = {}
    loop["self"] = loop

    receipt = client.log_event(event(event_properties=loop))

    assert receipt.status is Status.INVALID
    assert "event_properties" in receipt.reason
    assert client.log_event(event()).result(30).status is Status.SUCCESS


def test_a_reason_is_short_whatever_it_quotes(make_client, event):
    """
    It ends in a log line: a value of megabytes is not repeated there.
    """
    receipt = make_client().log_event(event(user_id=["x" * 1_000_000]))

    assert receipt.status is Status.INVALID
    assert len(receipt.reason) < 500


@pytest.mark.parametrize("size", [980_000, 989_000, 990_000, 1_000_000])
def test_either_it_fits_a_request_or_it_is_invalid(
    make_client, event, collector, size
):
    """
    Around the limit of 1 MB: what is logged is taken by the service, what
    would not be is refused here.
    """
    client = make_client()

    receipt = client.log_event(event(event_properties={"x": "y" * size}))

    if receipt.status is Status.INVALID:
        assert str(size)[:2] in receipt.reason
        assert size > 985_000
    else:
        assert receipt.result(30).status is Status.SUCCESS
        assert size < 990_000
    assert set(collector.ledger.summary().statuses) <= {"200"}


@pytest.mark.parametrize("as_event", [False, True])
def test_the_service_may_still_refuse_what_was_fine_here(
    make_client, event, collector, as_event
):
    """
    Then the receipt has its answer, with the names the service gave.
    """
    collector.faults.add(Fault(indexes=(0,), field="price"))
    fields = event()
    if as_event:
        fields = Event("Checkout", user_id="datamonster")
    client = make_client()

    receipt = client.log_event(fields)

    assert receipt.status is Status.QUEUED
    response = receipt.result(30)
    assert (response.status, response.status_code) == (Status.INVALID, 400)
    assert response.body["events_with_invalid_fields"] == {"price": [0]}
    assert client.stats().rejected == 1


def test_recursion_limits_are_not_ours_to_change(make_client, event):
    """
    A deep event is refused in a shallow and in a deep stack alike.
    """
    client = make_client()

    def sink(depth):
        if depth:
            return sink(depth - 1)
        return client.log_event(event(event_properties=nested(600)))

    shallow = sink(0)
    deep = sink(sys.getrecursionlimit() // 2)

    assert shallow.status is deep.status


class Unreadable(Mapping):
    """
    A mapping that cannot be read, as of a session that was closed.
    """

    def __getitem__(self, name):
        raise LookupError("of mine")

    def __iter__(self):
        return iter(["event_type"])

    def __len__(self):
        return 1


@pytest.mark.parametrize("length", [0, 1])
def test_what_cannot_be_read_is_an_invalid_event(make_client, event, length):
    """
    Whatever it raises stays here.
    """
    client = make_client()
    for _ in range(length):
        client.add_event_middleware(lambda payload, next: next(payload))

    receipt = client.log_event(Unreadable())

    assert receipt.status is Status.INVALID
    assert receipt.reason == (
        "event: Unreadable cannot be read: LookupError('of mine')"
    )
    assert client.stats().invalid == 1
