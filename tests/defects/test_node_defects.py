# SPDX-License-Identifier: MIT
"""
The known defects of the legacy Node SDK, L1 to L16, each from a call of the
public API to what a strict service took.
"""

from __future__ import annotations

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
from ringamp.collector.bodies import FAMILIES


def test_l1_an_outage_longer_than_the_first_retry_loses_nothing(
    collector, make_client
):
    """
    There, any failed connection ended the retries, so an outage longer than
    the first of them lost the events. Here it costs retries and no event.
    """
    client = make_client(retry_timeouts=ringamp.Options().retry_timeouts)
    collector.refuse(1.5)

    receipts = log_all(client, numbered(20))

    assert set(outcomes(receipts)) == {SUCCESS}
    assert numbers(collector) == list(range(20))
    assert client.stats().retries >= 2


def test_l2_a_burst_is_cut_into_requests_the_service_takes(
    collector, make_client
):
    """
    There, whatever was logged in one tick was one request. Here none has
    more than 2000 events.
    """
    client = make_client(upload_interval_in_sec=60)

    receipts = log_all(client, numbered(4500))
    flushed = client.flush().result(PATIENCE)

    assert flushed.status is SUCCESS
    assert set(outcomes(receipts)) == {SUCCESS}
    assert sizes(collector) == [2000, 2000, 500]


def test_l3_events_that_all_wait_make_no_empty_request(
    collector, make_client, monkeypatch
):
    """
    There, an empty list was posted for events that had all been put aside,
    and its 400 was told their callers. Here nothing is posted for them, and
    their receipts tell what became of them.
    """
    # Long enough to look at what waits meanwhile, on a busy machine too.
    monkeypatch.setattr("ringamp.retry.ordered.HOLD", 3.0)
    client = make_client()
    collector.faults.add(Fault(users=("user-1",)))
    first = client.log_event(event())
    assert until(lambda: client.stats().held == 1)

    later = log_all(client, numbered(3))
    assert until(lambda: client.stats().held == 4)

    assert sizes(collector) == [1]
    assert later[0].response is None
    assert set(outcomes([first, *later])) == {SUCCESS}
    assert 0 not in sizes(collector)
    assert "400" not in collector.ledger.summary().statuses


@pytest.mark.usefixtures("short_hold")
def test_l4_a_clean_drain_leaves_every_count_at_zero(collector, make_client):
    """
    There, pruned events were subtracted twice, and a negative count lifted
    the cap. Here nothing is pending, held or in the buffer after a 400, a
    429 and a 500, and the counts add up.
    """
    client = make_client(upload_interval_in_sec=60)
    collector.faults.add(Fault(indexes=(1, 3)))
    collector.faults.add(Fault(users=("user-2",)))
    collector.faults.add(Fault(status=500))

    receipts = log_all(client, numbered(8) + numbered(8, "user-2"))
    client.flush().result(PATIENCE)

    stats = client.stats()
    ended = outcomes(receipts)
    assert ended.count(Status.INVALID) == 2
    assert ended.count(SUCCESS) == 14
    assert (stats.delivered, stats.rejected, stats.dropped) == (14, 2, 0)
    assert (stats.pending, stats.held, stats.buffer_used) == (0, 0, 0)
    assert balances(stats)


def test_l5_the_last_retry_is_the_last(collector, make_client):
    """
    There, no retry was ever the last, and what was left after halving went
    round again. Here two retries are two, the second is announced as last,
    and then all events have their outcome.
    """
    asked = []
    client = make_client(
        upload_interval_in_sec=60,
        retry_timeouts=[1, 1],
        on_retry=lambda _, number, is_last: asked.append((number, is_last)),
    )
    collector.faults.add(Fault(status=500), times=None)

    receipts = log_all(client, numbered(16))
    client.flush()

    assert set(outcomes(receipts)) == {Status.FAILED}
    assert sizes(collector) == [16, 16, 16]
    assert asked == [(1, False), (2, True)]
    assert client.stats().dropped == 16


def test_l5_halving_ends_with_single_events(collector, make_client):
    """
    A service that finds everything too large is asked once about each part:
    16 events in 31 requests, whatever the number of retries.
    """
    client = make_client(upload_interval_in_sec=60, retry_timeouts=[1, 1])
    collector.faults.add(Fault(status=413), times=None)

    receipts = log_all(client, numbered(16))
    client.flush()

    assert set(outcomes(receipts)) == {Status.PAYLOAD_TOO_LARGE}
    assert sorted(sizes(collector)) == sorted(
        [16] + [8] * 2 + [4] * 4 + [2] * 8 + [1] * 16
    )


@pytest.mark.parametrize("raises", [True, False])
def test_l7_a_callback_that_fails_stops_nothing(
    collector, make_client, raises
):
    """
    There, an exception in onRetry, or none given, stopped one id for ever.
    Here the retry goes on, and so do later events.
    """

    def fail(*_):
        raise KeyError("onRetry")

    client = make_client(on_retry=fail if raises else None)
    collector.faults.add(Fault(status=500))

    first = client.log_event(event())
    assert first.result(PATIENCE).status is SUCCESS
    later = log_all(client, numbered(3))

    assert set(outcomes(later)) == {SUCCESS}
    assert client.stats().callback_errors == int(raises)


def test_l8_names_that_a_language_knows_are_users_like_others(
    collector, make_client
):
    """
    There, a user called `constructor` was over quota whenever anybody was.
    Here only the ids that the answer names are.
    """
    names = ["constructor", "__proto__", "__class__", "toString", "items"]
    client = make_client(upload_interval_in_sec=60)
    collector.faults.add(Fault(quota_users=("greedy",)))

    receipts = log_all(client, [event(name) for name in ["greedy", *names]])
    client.flush()

    assert outcomes(receipts) == [Status.RATE_LIMIT] + [SUCCESS] * len(names)
    assert client.stats().retries <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_l9_every_list_of_bad_events_is_read(collector, make_client, family):
    """
    There, two of the four lists of a 400 were not read, and a bad event
    burned the retries of all. Here those named are rejected and the others
    go on at once, though no retries are configured.
    """
    client = make_client(upload_interval_in_sec=60, retry_timeouts=[])
    collector.faults.add(Fault(indexes=(0, 2), family=family, field="user_id"))

    receipts = log_all(client, numbered(5))
    client.flush()

    assert [status is SUCCESS for status in outcomes(receipts)] == [
        False,
        True,
        False,
        True,
        True,
    ]
    assert sizes(collector) == [5, 3]
    assert client.stats().rejected == 2


def test_l10_what_waits_for_a_throttled_id_is_bounded(collector, make_client):
    """
    There, events were put aside without a look at the cap. Here a throttled
    id may keep a part of the memory waiting; what is beyond it is dropped,
    counted and told, and other ids go on.
    """
    client = make_client(on_full="block")
    collector.faults.add(Fault(users=("user-1",)))
    client.log_event(event())
    assert until(lambda: client.stats().held == 1)

    text = {"text": "x" * 50_000}
    receipts = log_all(client, [event(event_properties=text)] * 200)
    other = client.log_event(event("user-2"))

    assert other.result(PATIENCE).status is SUCCESS
    stats = client.stats()
    assert 100 < stats.held < 200
    assert stats.dropped == 201 - stats.held
    assert receipts[-1].result(PATIENCE).status is Status.DROPPED
    assert balances(stats)


def test_l10_an_event_without_ids_is_told_invalid(collector, make_client):
    """
    There, events with two empty ids vanished and resolved as a success.
    Here each is INVALID at once, counted, and nothing is sent for it.
    """
    client = make_client()

    receipts = log_all(client, [event("", device_id="")] * 3)
    client.flush().result(PATIENCE)

    assert {receipt.status for receipt in receipts} == {Status.INVALID}
    assert receipts[0].reason
    assert client.stats().invalid == 3
    assert sizes(collector) == []


def test_l11_a_null_id_is_no_id(collector, make_client):
    """
    There, a null user_id made the event invalid or crashed. Here the device
    alone will do, and with neither the event is invalid.
    """
    client = make_client()

    receipt = client.log_event(event(None, device_id="device-1"))
    neither = client.log_event(event(None))

    assert receipt.result(PATIENCE).status is SUCCESS
    (taken,) = collector.ledger.events(device_id="device-1")
    assert taken.get("user_id") is None
    assert neither.status is Status.INVALID


def test_l12_a_slow_request_blocks_no_other_instance(collector, make_client):
    """
    There, one slow request held all others. Here an instance waits for its
    own alone, callers wait for none, and a deadline ends it.
    """
    slow, quick = make_client(), make_client()
    collector.faults.add(Fault(delay=60))
    stuck = slow.log_event(event())
    assert until(lambda: not len(collector.faults))

    assert set(outcomes(log_all(quick, numbered(5)))) == {SUCCESS}
    assert slow.log_event(event()).status is Status.QUEUED
    assert stuck.response is None


@pytest.mark.parametrize(("code", "word"), [(403, "invalid"), (502, "failed")])
def test_l13_an_ordinary_error_is_named_in_the_log(
    collector, make_client, caplog, code, word
):
    """
    There, every 4xx and 5xx was an unknown error in the log. Here the line
    has the class, the HTTP status and the number of events.
    """
    client = make_client(log_level=ringamp.LogLevel.WARN)
    collector.faults.add(Fault(status=code))

    client.log_event(event()).result(PATIENCE)

    line = caplog.messages[0]
    assert f"{word} (HTTP {code})" in line
    assert "1 events" in line


def test_l16_a_network_that_returns_is_noticed_without_new_events(
    collector, make_client, monkeypatch
):
    """
    There, the offline handler posted its whole backlog as one request, and
    moved only when a new event came. Here a timer probes, requests keep
    their limits, and nothing is lost.
    """
    monkeypatch.setattr("ringamp.retry.offline.PROBES", (0.05, 0.1))
    client = make_client(retry_class=ringamp.OfflineRetry, retry_timeouts=[])
    collector.refuse(0.3)

    receipts = log_all(client, numbered(4500))

    assert set(outcomes(receipts)) == {SUCCESS}
    assert numbers(collector) == list(range(4500))
    assert max(sizes(collector)) <= 2000


def test_l16_a_backlog_too_large_is_cut(collector, make_client):
    """
    There, a 413 for the backlog changed nothing. Here it is halved.
    """
    client = make_client(
        retry_class=ringamp.OfflineRetry, upload_interval_in_sec=60
    )
    collector.faults.add(Fault(status=413))

    receipts = log_all(client, numbered(10))
    client.flush()

    assert set(outcomes(receipts)) == {SUCCESS}
    assert sizes(collector) == [10, 5, 5]
