# SPDX-License-Identifier: MIT
"""
The known defects of `@amplitude/analytics-node`, T1 to T16, each from a call
of the public API to what a strict service took.
"""

from __future__ import annotations

import time

import pytest
from traffic import (
    PATIENCE,
    SUCCESS,
    balances,
    event,
    log_all,
    numbered,
    numbers,
    outcomes,
    sizes,
    until,
)

import ringamp
from ringamp import Status
from ringamp.bindings import HEADER_SIZE
from ringamp.collector import Fault

NEVER = 60
"""Seconds of an upload interval that no test waits for."""

LINGER = 0.01
"""Seconds that an event waits for company at least."""


@pytest.mark.parametrize(
    "fault", [Fault(refuse=0.05), Fault(reset="before")], ids=lambda f: f.name
)
def test_t1_no_answer_at_all_is_retried(collector, make_client, fault):
    """
    There, a connection refused or reset before its answer dropped the batch
    without a retry. Here it is retried like a 500.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    collector.faults.add(fault)

    receipts = log_all(client, numbered(5))

    assert client.flush().result(PATIENCE).status is SUCCESS
    assert set(outcomes(receipts)) == {SUCCESS}
    assert numbers(collector) == list(range(5))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_t2_a_flush_retries(collector, make_client, status):
    """
    There, a flush used no retries: an error meanwhile dropped the events.
    Here its future is done when they are delivered.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    collector.faults.add(Fault(status=status), times=2)
    log_all(client, numbered(5))

    flushed = client.flush().result(PATIENCE)

    assert flushed.status is SUCCESS
    assert numbers(collector) == list(range(5))
    assert sizes(collector) == [5, 5, 5]


def test_t3_a_second_flush_waits_for_its_own_events(collector, make_client):
    """
    There, a flush beside another one returned at once and sent nothing.
    Here each is done when all that was logged before it has an outcome.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    collector.faults.add(Fault(delay=2))
    client.log_event(event())
    first = client.flush()
    assert until(lambda: not len(collector.faults))

    second_receipt = client.log_event(event())
    second = client.flush()

    assert not second.done()
    assert second.result(PATIENCE).status is SUCCESS
    assert first.done()
    assert second_receipt.response.status is SUCCESS


def test_t4_enough_events_trigger_an_upload(collector, make_client):
    """
    There, the queue size never did; events waited for the timer. Here
    max_cached_events of them are sent at once.
    """
    client = make_client(upload_interval_in_sec=NEVER, max_cached_events=10)

    log_all(client, numbered(9))
    assert not collector.ledger.wait_for(requests=1, timeout=0.05)
    log_all(client, numbered(1))

    assert collector.ledger.wait_for(events=10)


def test_t5_events_travel_together(collector, make_client):
    """
    There, each event cost a turn of the event loop. Here what is logged in
    a burst leaves in few requests, however long the burst.
    """
    client = make_client()

    began = time.monotonic()
    receipts = log_all(client, numbered(6000))
    client.flush().result(PATIENCE)
    took = time.monotonic() - began

    assert set(outcomes(receipts)) == {SUCCESS}
    # A machine that is busy makes the burst a long one.
    assert len(sizes(collector)) <= 60 + took / LINGER


def test_t6_one_413_halves_once(collector, make_client):
    """
    There, each oversized part halved the size again, down to fractions.
    Here a limit that a half fits is met by halving once.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    collector.faults.add(Fault(status=413))

    receipts = log_all(client, numbered(401))
    client.flush()

    assert set(outcomes(receipts)) == {SUCCESS}
    assert sizes(collector) == [401, 200, 201]


def test_t7_events_that_share_an_insert_id_each_have_an_outcome(
    collector, make_client
):
    """
    There, the first result removed both, and the other one's promise never
    settled. Here each event has its place; the service drops the repeat.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    collector.faults.add(Fault(indexes=(0,)))

    receipts = log_all(client, [event(insert_id="same")] * 3)
    client.flush()

    assert outcomes(receipts) == [Status.INVALID, SUCCESS, SUCCESS]
    assert collector.ledger.summary().accepted == 1
    assert collector.ledger.summary().duplicates == 1


def test_t9_a_throttled_id_holds_nobody_else(collector, make_client):
    """
    There, one throttled event set the timer of all to 30 s. Here the events
    of others, of the same batch or new, go at once.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    collector.faults.add(Fault(users=("loud-1",)))

    loud = client.log_event(event("loud-1"))
    same = client.log_event(event("quiet-1"))
    client.flush()
    assert same.result(PATIENCE).status is SUCCESS
    new = log_all(client, [event("quiet-2"), event("quiet-1")])
    client.flush()

    assert set(outcomes(new)) == {SUCCESS}
    assert loud.response is None
    assert client.stats().held == 1
    assert sizes(collector) == [2, 1, 2]


def test_t10_middleware_that_raises_costs_one_event(collector, make_client):
    """
    There, a plugin that threw once stopped everything for ever. Here the
    one event is invalid, and the next is unaffected.
    """
    client = make_client()

    def fail(payload, go_on):
        if payload.extra == "bad":
            raise LookupError("plugin")
        go_on(payload)

    client.add_event_middleware(fail)

    good = client.log_event(event())
    bad = client.log_event(event(), "bad")
    next_one = client.log_event(event())

    assert bad.status is Status.INVALID
    assert "LookupError" in bad.reason
    assert outcomes([good, next_one]) == [SUCCESS, SUCCESS]
    assert client.stats().middleware_errors == 1


@pytest.mark.parametrize("through_middleware", [False, True])
def test_t11_what_was_logged_is_what_is_sent(
    collector, make_client, through_middleware
):
    """
    There, changing properties after the call changed what was sent. Here
    the event is as it was, and middleware's changes are not the caller's.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    if through_middleware:

        def change(payload, go_on):
            payload.event["event_properties"]["cart"].append("middleware")
            go_on(payload)

        client.add_event_middleware(change)
    mine = event(event_properties={"cart": ["book"]})

    client.log_event(mine)
    mine["event_properties"]["cart"].append("later")
    mine["user_id"] = "somebody else"
    client.flush().result(PATIENCE)

    added = ["middleware"] if through_middleware else []
    (taken,) = collector.ledger.events(user_id="user-1")
    assert taken["event_properties"] == {"cart": ["book", *added]}
    assert mine["event_properties"] == {"cart": ["book", "later"]}


def test_t12_no_event_inherits_what_another_said(collector, make_client):
    """
    There, user properties piled up in the client and reached the events of
    other users. Here a client remembers nothing of anybody.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    plan = ringamp.Identify().set("plan", "pro")

    client.identify("user-1", "device-1", plan)
    client.set_group("company", "acme", user_id="user-1")
    client.log_event(event("user-2"))
    client.flush().result(PATIENCE)

    (taken,) = collector.ledger.events(user_id="user-2")
    assert taken.keys() == {
        "event_type",
        "user_id",
        "time",
        "insert_id",
        "library",
    }


def test_t13_what_is_stored_is_written_once(make_client, tmp_path):
    """
    With a storage there, every event rewrote the whole stored queue. Here an
    event is written behind those that are stored, in the one file there is.
    """
    client = make_client(
        upload_interval_in_sec=86_400,
        spool_dir=tmp_path,
        buffer_bytes=1 << 17,
    )

    def stored():
        """
        Read what is stored, up to its last byte that is not zero.
        """
        (ring,) = (path for path in tmp_path.rglob("*") if path.is_file())
        return ring.read_bytes()[HEADER_SIZE:].rstrip(b"\0")

    first, *others = numbered(100)
    log_all(client, [first])
    before = stored()
    for number, one in enumerate(others, start=2):
        log_all(client, [one])
        after = stored()
        assert after.startswith(before)
        assert after.count(b"Checkout") == number
        before = after

    assert len(before) < 100 * 100
    client.flush().result(PATIENCE)


def test_t14_a_shutdown_drains_and_then_refuses(collector, make_client):
    """
    There was no way to end a client. Here a shutdown sends what was logged
    and refuses what comes later; a second one is harmless.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    log_all(client, numbered(50))

    client.shutdown(PATIENCE)
    late = client.log_event(event())
    client.shutdown(PATIENCE)

    assert numbers(collector) == list(range(50))
    assert late.status is Status.DROPPED
    assert balances(client.stats())


@pytest.mark.usefixtures("short_hold")
@pytest.mark.parametrize(
    ("fault", "first"),
    [
        pytest.param(Fault(users=("user-1",)), None, id="throttled user"),
        pytest.param(Fault(devices=("dev-1",)), None, id="throttled device"),
        pytest.param(
            Fault(
                family="silenced_events",
                indexes=(0,),
                devices=("dev-1",),
            ),
            Status.INVALID,
            id="silenced device",
        ),
    ],
)
def test_t15_whom_an_answer_names_is_heeded(
    collector, make_client, fault, first
):
    """
    There, silenced devices and throttled ids were parsed and ignored. Here
    the former are rejected and the latter wait; the other goes on.
    """
    client = make_client(upload_interval_in_sec=NEVER, retry_timeouts=[])
    collector.faults.add(fault)

    named = client.log_event(event("user-1", device_id="dev-1"))
    other = client.log_event(event("user-2", device_id="dev-2"))
    client.flush()

    assert other.result(PATIENCE).status is SUCCESS
    assert named.result(PATIENCE).status is (first or SUCCESS)
    assert sizes(collector) == ([2, 1] if first else [2, 1, 1])


def test_t16_a_stalled_answer_ends_in_time(collector, make_client):
    """
    There was no timeout, so a stalled socket stopped all sending. Here the
    request ends, is sent again, and the service takes its events once.
    """
    client = make_client(request_timeout_millis=1000)
    collector.faults.add(Fault(delay=60))

    receipts = log_all(client, numbered(5))

    assert set(outcomes(receipts)) == {SUCCESS}
    assert client.stats().retries >= 1
    assert sorted(numbers(collector)) == list(range(5))
    assert collector.ledger.summary().duplicates >= 1
