# SPDX-License-Identifier: MIT
"""
Ids that the service throttles wait; everybody else goes on, in order.
"""

from __future__ import annotations

import time

import pytest

from ringamp import Status
from ringamp.client import Client
from ringamp.collector import Collector, Fault, Limits, Settings
from ringamp.retry import ordered


@pytest.fixture(autouse=True)
def short_holds(monkeypatch):
    """
    Hold for a moment instead of 30 s.
    """
    monkeypatch.setattr(ordered, "HOLD", 0.3)
    monkeypatch.setattr(ordered, "BATCH_HOLD", 0.3)


@pytest.fixture
def long_holds(short_holds, monkeypatch):
    """
    Hold long enough for a test to look and to plan what comes next, on a
    busy machine too.
    """
    monkeypatch.setattr(ordered, "HOLD", 1.5)


def test_innocent_users_are_not_held(make_client, event, collector):
    """
    L12, T9: while one user waits, others are delivered at once, and nobody
    pays a retry.
    """
    collector.faults.add(Fault(users=("throttled",)))
    seen = []

    def note(events, response):
        # In the thread that would send what is held.
        users = {one["user_id"] for one in events}
        seen.append((users, client.stats().held))

    client = make_client(
        upload_interval_in_sec=60, retry_timeouts=[], on_delivery=note
    )
    waiting = [
        client.log_event(event(n, user_id="throttled")) for n in range(3)
    ]
    free = [client.log_event(event(n)) for n in range(3)]
    flush = client.flush()

    assert {r.result(30).status for r in free} == {Status.SUCCESS}
    assert {r.result(30).status for r in waiting} == {Status.SUCCESS}
    assert flush.result(30).status is Status.SUCCESS
    assert client.stats().held == 0
    client.shutdown(30)
    assert seen == [({"datamonster"}, 3), ({"throttled"}, 0)]


def test_later_events_of_a_held_id_queue_behind(make_client, event, collector):
    """
    The order of an id is that of its calls, however long it was held.
    """
    collector.faults.add(Fault(users=("throttled",)), times=2)
    client = make_client()
    for number in range(400):
        client.log_event(event(number, user_id="throttled"))
        client.log_event(event(number, user_id="somebody"))
        if number % 50 == 0:
            time.sleep(0.02)

    assert client.flush().result(30).status is Status.SUCCESS

    for user in ("throttled", "somebody"):
        taken = [e["event_id"] for e in collector.ledger.events(user_id=user)]
        assert taken == list(range(400)), user


@pytest.mark.usefixtures("long_holds")
@pytest.mark.parametrize(
    "split",
    [Fault(status=413), Fault(status=400, html=True)],
    ids=["413", "400"],
)
def test_what_was_released_together_comes_back_together(
    make_client, event, collector, until, split
):
    """
    Where the first half of what left a lane is throttled again, the second
    half does not overtake it.
    """
    client = make_client(upload_interval_in_sec=60)
    collector.faults.add(Fault(users=("throttled",)))
    for number in range(100):
        client.log_event(event(number, user_id="throttled"))
    flush = client.flush()
    until(lambda: client.stats().held == 100)
    collector.faults.add(split)
    collector.faults.add(Fault(users=("throttled",)))

    assert flush.result(30).status is Status.SUCCESS

    taken = [e["event_id"] for e in collector.ledger.events()]
    assert taken == list(range(100))
    assert len(collector.faults) == 0
    assert client.stats().held == 0


def test_a_daily_quota_is_final(make_client, event, collector):
    """
    L8: by the id itself, whatever it is called.
    """
    collector.faults.add(Fault(quota_users=("over-quota",)))
    client = make_client(upload_interval_in_sec=60)
    over = client.log_event(event(0, user_id="over-quota"))
    fine = client.log_event(event(1, user_id="constructor"))
    client.flush().result(30)

    assert over.result(0).status is Status.RATE_LIMIT
    assert fine.result(0).status is Status.SUCCESS
    assert client.stats().rejected == 1


def test_devices_are_held_as_users_are(make_client, event, collector):
    """
    A device without a user has a lane, too.
    """
    collector.faults.add(Fault(devices=("device-1",)))
    client = make_client(upload_interval_in_sec=60)
    held = client.log_event({"event_type": "t", "device_id": "device-1"})
    free = client.log_event({"event_type": "t", "device_id": "device-2"})
    client.flush()

    assert free.result(30).status is Status.SUCCESS
    assert held.result(30).status is Status.SUCCESS


def test_a_throttle_in_a_400_holds_as_well(make_client, event, collector):
    """
    The service may name both bad events and throttled ids in one answer.
    """
    body = {
        "code": 400,
        "error": "Invalid field values on some events",
        "events_with_invalid_fields": {"price": [0]},
        "throttled_users": {"throttled": 30},
        "throttled_events": [1],
    }
    collector.faults.add(Fault(status=400, body=body))
    client = make_client(upload_interval_in_sec=60)
    receipts = [
        client.log_event(event(0)),
        client.log_event(event(1, user_id="throttled")),
        client.log_event(event(2)),
    ]
    client.flush()

    assert [r.result(30).status for r in receipts] == [
        Status.INVALID,
        Status.SUCCESS,
        Status.SUCCESS,
    ]


def test_a_strict_limit_is_worked_off(event, monkeypatch):
    """
    An id far above its rate gets through in parts instead of drawing a 429
    for ever, and nothing is lost or doubled.
    """
    monkeypatch.setattr(ordered, "HOLD", 0.25)
    limits = Limits(max_events=2000, max_bytes=1_000_000, eps=100, window=0.2)
    with Collector(settings=Settings(http_v2=limits)) as collector:
        client = Client("flood").init(
            "0123456789abcdef", server_url=collector.url
        )
        for number in range(300):
            client.log_event(event(number, user_id="flooding"))
            if number % 10 == 0:
                client.log_event(event(number, user_id=f"user-{number}"))
        response = client.flush().result(30)
        client.shutdown()

        assert response.status is Status.SUCCESS
        taken = collector.ledger.events(user_id="flooding")
        assert [e["event_id"] for e in taken] == list(range(300))
        assert client.stats().delivered == 330


def test_what_is_held_at_shutdown_is_dropped_and_told(
    make_client, event, collector, monkeypatch
):
    """
    A hold that outlasts the deadline is no way to lose an event quietly.
    """
    monkeypatch.setattr(ordered, "HOLD", 60)
    collector.faults.add(Fault(users=("throttled",)))
    client = make_client()
    receipt = client.log_event(event(0, user_id="throttled"))
    while client.stats().held == 0:
        time.sleep(0.005)

    client.shutdown(0.2)

    assert receipt.result(0).status is Status.DROPPED
    stats = client.stats()
    assert (stats.dropped, stats.pending, stats.held) == (1, 0, 0)
