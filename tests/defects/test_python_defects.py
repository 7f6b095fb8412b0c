# SPDX-License-Identifier: MIT
"""
The known defects of the Python SDK `amplitude-analytics`, P1 to P20, each
from a call of the public API to what a strict service took.
"""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from importlib import resources

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
from ringamp.collector import Fault

NEVER = 60
"""Seconds of an upload interval that no test waits for."""


def test_p1_without_retries_an_event_is_sent_once(collector, make_client):
    """
    There, no retries meant that nothing was sent and nobody was told. Here
    each event is sent once, and a failure is told.
    """
    told = []
    client = make_client(
        retry_timeouts=[], on_delivery=lambda *call: told.append(call)
    )

    assert client.log_event(event()).result(PATIENCE).status is SUCCESS
    collector.faults.add(Fault(status=500))
    failed = client.log_event(event()).result(PATIENCE)

    assert failed.status is Status.FAILED
    assert sizes(collector) == [1, 1]
    assert until(lambda: len(told) == 2)
    assert [answer.status_code for _, answer in told] == [200, 500]
    assert client.stats().dropped == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(reset="before"),
        Fault(reset="after"),
        Fault(half=True),
        Fault(reset="after", status=500),
    ],
    ids=lambda fault: fault.name,
)
def test_p2_a_broken_connection_costs_a_retry_and_no_event(
    collector, make_client, fault
):
    """
    There, a reset or a truncated answer lost the batch without a word. Here
    it is sent again, and where the service had taken it, it takes it once.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    collector.faults.add(fault)

    receipts = log_all(client, numbered(20))
    client.flush()

    assert set(outcomes(receipts)) == {SUCCESS}
    assert numbers(collector) == list(range(20))
    assert collector.ledger.check(collector.ledger.insert_ids())
    assert client.stats().delivered == 20


@pytest.mark.parametrize(
    "fault",
    [Fault(body="thanks"), Fault(body={}), Fault(body=""), Fault(html=True)],
)
def test_p3_a_success_needs_no_body(collector, make_client, fault):
    """
    There, a 200 without the expected JSON lost the batch silently. Here it
    is a success, and nothing is sent twice.
    """
    client = make_client()
    collector.faults.add(fault)

    assert client.log_event(event()).result(PATIENCE).status is SUCCESS
    assert sizes(collector) == [1]


def test_p4_a_wrong_api_key_is_told_to_every_event(
    start_collector, make_client
):
    """
    There, a wrong key was a log line and no callback. Here each event is
    rejected with the service's words, and without the key.
    """
    strict = start_collector(api_keys=frozenset({"another"}))
    told = []
    client = make_client(
        server_url=strict.url,
        upload_interval_in_sec=NEVER,
        on_delivery=lambda events, _: told.extend(events),
    )

    receipts = log_all(client, numbered(5))
    client.flush()

    answers = [receipt.result(PATIENCE) for receipt in receipts]
    assert {answer.status for answer in answers} == {Status.INVALID}
    assert "Invalid API key" in answers[0].error
    assert "0123456789abcdef" not in repr(answers)
    assert until(lambda: len(told) == 5)
    assert client.stats().rejected == 5
    assert sizes(strict) == [5]


def test_p5_a_shutdown_retries(collector, make_client):
    """
    There, the one attempt of a shutdown left failed events where nobody
    looked. Here it retries until its deadline, then counts the rest.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    collector.faults.add(Fault(status=500), times=2)

    receipts = log_all(client, numbered(5))
    client.shutdown(PATIENCE)

    assert {receipt.response.status for receipt in receipts} == {SUCCESS}
    assert numbers(collector) == list(range(5))


def test_p6_what_middleware_adds_spoils_one_event_at_most(
    collector, make_client
):
    """
    There, one value that was no JSON lost the whole batch. Here a datetime
    is sent as text, and an object that has no JSON makes its own event
    invalid.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    values = iter([datetime(2024, 1, 2, tzinfo=timezone.utc), object(), 1])

    def add(payload, go_on):
        payload.event["event_properties"] = {"n": next(values)}
        go_on(payload)

    client.add_event_middleware(add)

    receipts = log_all(client, [event()] * 3)
    client.flush()

    assert outcomes(receipts) == [SUCCESS, Status.INVALID, SUCCESS]
    assert "event_properties" in receipts[1].reason
    assert numbers(collector) == ["2024-01-02T00:00:00+00:00", 1]


def test_p7_a_number_that_json_lacks_harms_no_neighbour(
    collector, make_client
):
    """
    There, one NaN made the batch invalid JSON, refused until the retries
    were used up. Here the request is JSON, and all are taken at once.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    odd = [float("nan"), float("inf"), 1.5]

    receipts = log_all(client, [event(event_properties={"n": n}) for n in odd])
    client.flush()

    assert set(outcomes(receipts)) == {SUCCESS}
    assert numbers(collector) == [None, None, 1.5]
    assert sizes(collector) == [3]


@pytest.mark.usefixtures("short_hold")
def test_p8_all_events_that_are_due_go(collector, make_client):
    """
    There, only half of the delayed events left when their time had come.
    Here all ids whose hold has passed go together.
    """
    users = tuple(f"user-{number}" for number in range(100))
    client = make_client(upload_interval_in_sec=NEVER)
    collector.faults.add(Fault(users=users))

    receipts = log_all(client, [event(user) for user in users * 2])
    client.flush()

    assert set(outcomes(receipts)) == {SUCCESS}
    assert sizes(collector) == [200, 200]


def test_p9_requests_grow_back_after_a_413(collector, make_client):
    """
    There, one 413 made all later requests small. Here each success lets the
    limit grow, until a batch goes in one request again.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    collector.faults.add(Fault(status=413))
    batch = [event(event_properties={"n": "x" * 1000})] * 400

    rounds = []
    for _ in range(4):
        receipts = log_all(client, batch)
        client.flush()
        assert set(outcomes(receipts)) == {SUCCESS}
        rounds.append(sizes(collector)[sum(map(len, rounds)) :])

    assert rounds[0] == [400, 200, 200]
    assert rounds[-1] == [400]


def test_p10_middleware_may_log_and_wait_for_others_who_do(
    collector, make_client
):
    """
    There, a plugin ran under a lock: logging inside it was a deadlock, and
    threads stood in line. Here it may log, and two run at once.
    """
    client = make_client()
    together = threading.Barrier(2, timeout=PATIENCE)

    def add(payload, go_on):
        if payload.extra == "first":
            together.wait()
            client.log_event(event(event_properties={"n": 2}))
        go_on(payload)

    client.add_event_middleware(add)
    threads = [
        threading.Thread(
            target=client.log_event,
            args=(event(event_properties={"n": 1}), "first"),
            daemon=True,
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    client.flush().result(PATIENCE)
    assert sorted(numbers(collector)) == [1, 1, 2, 2]


def test_p11_every_kind_of_event_tells_its_outcome(collector, make_client):
    """
    There, callbacks of identify, groups and revenue were lost. Here each
    has a receipt, and on_delivery sees it.
    """
    told = []
    client = make_client(
        on_delivery=lambda events, _: told.extend(
            one["event_type"] for one in events
        )
    )
    who = {"user_id": "user-1"}
    tier = ringamp.Identify().set("tier", 1)

    receipts = [
        client.identify("user-1", None, tier),
        client.group_identify("company", "acme", tier, **who),
        client.set_group("company", "acme", **who),
        client.revenue(ringamp.Revenue(price=5), **who),
    ]

    assert set(outcomes(receipts)) == {SUCCESS}
    assert until(lambda: len(told) == 4)
    assert told == [one["event_type"] for one in collector.ledger.events()]


def test_p14_no_event_waits_for_the_next_one(make_client):
    """
    There, an event that came just when the thread ended waited for another.
    Here a lone event is sent, however it falls.
    """
    client = make_client()

    for _ in range(100):
        assert client.log_event(event()).result(PATIENCE).status is SUCCESS


@pytest.mark.parametrize(
    ("fault", "rejected"),
    [
        pytest.param(Fault(status=413), 0, id="halved"),
        pytest.param(Fault(status=400, body={}), 0, id="bisected"),
        pytest.param(Fault(indexes=(0,)), 3, id="named"),
    ],
)
def test_p14_no_part_of_a_batch_waits_for_the_next_event(
    collector, make_client, fault, rejected
):
    """
    What is to be sent again at once needs nothing new to be logged for it.
    """
    client = make_client(upload_interval_in_sec=0.05)
    collector.faults.add(fault, times=3)

    receipts = log_all(client, numbered(8))

    assert outcomes(receipts).count(SUCCESS) == 8 - rejected
    assert client.stats().rejected == rejected


def test_p17_the_innocent_are_charged_nothing(collector, make_client):
    """
    There, a 403 was retried, and a batch lost retries for the sake of one
    bad event. Here a 403 is final, and the rest of a batch keeps its tries.
    """
    client = make_client(upload_interval_in_sec=NEVER, retry_timeouts=[])
    collector.faults.add(Fault(indexes=(0,)))

    receipts = log_all(client, numbered(3))
    client.flush()
    assert outcomes(receipts) == [Status.INVALID, SUCCESS, SUCCESS]

    collector.faults.add(Fault(status=403))
    forbidden = client.log_event(event())
    client.flush()
    answer = forbidden.result(PATIENCE)
    assert (answer.status, answer.status_code) == (Status.INVALID, 403)
    assert sizes(collector) == [3, 2, 1]


def test_p18_the_end_of_one_client_is_not_that_of_another(
    collector, make_client
):
    """
    There, a shutdown opted out everybody who shared its configuration. Here
    the options given are read once and belong to nobody.
    """
    shared = {"server_url": collector.url, "min_id_length": 3}
    first, second = make_client(**shared), make_client(**shared)

    first.opt_out = True
    first.shutdown()

    assert second.log_event(event("abc")).result(PATIENCE).status is SUCCESS
    assert not second.opt_out
    assert shared == {"server_url": collector.url, "min_id_length": 3}


def test_p19_memory_is_bounded_while_the_service_is_away(
    collector, make_client
):
    """
    There, what waited for a worker was bounded by nothing. Here the buffer
    is; what has no room is dropped, counted and told at once.
    """
    client = make_client(buffer_bytes=2**16, retry_timeouts=[60_000])
    collector.faults.add(Fault(status=500), times=None)

    receipts = log_all(client, numbered(5000))

    stats = client.stats()
    dropped = [one for one in receipts if one.status is Status.DROPPED]
    assert stats.buffer_used <= stats.buffer_capacity == 2**16
    assert stats.logged == 5000
    assert len(dropped) == stats.dropped > 0
    assert "full" in dropped[0].reason
    assert balances(stats)


def test_p20_types_are_shipped_and_version_name_is_a_field():
    """
    There, type checkers saw nothing, and version_name could not be given.
    """
    assert resources.files(ringamp).joinpath("py.typed").is_file()
    named = ringamp.Event("Checkout", user_id="user-1", version_name="1.2")
    assert named.to_dict()["version_name"] == "1.2"
