# SPDX-License-Identifier: MIT
"""
The policies provided, retry classes of the user's own, and *on_retry*.
"""

from __future__ import annotations

import logging
import time

import pytest

import ringamp
from ringamp import MemoryTransport, Options, Response, Status
from ringamp.collector import Fault
from ringamp.retry.decision import Deliver

ALWAYS = {"times": None}
DOWN = Fault(status=503)


def asks(**options):
    """
    Options with an *on_retry* that keeps what it was asked.
    """
    asked = []

    def on_retry(response, number, is_last):
        asked.append((response.status_code, number, is_last))

    return asked, {"on_retry": on_retry, **options}


@pytest.mark.parametrize(
    "kind", [ringamp.OrderedRetry, ringamp.OfflineRetry, ringamp.NoRetry]
)
def test_a_policy_made_as_in_node_is_refused(kind):
    """
    `new OfflineRetryHandler(apiKey)` is how Node has it; the error says how
    it is done here.
    """
    with pytest.raises(ringamp.OptionsError) as caught:
        kind("0123456789abcdef")

    assert f"retry_class={kind.__name__}" in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)


@pytest.mark.parametrize("kind", [ringamp.OrderedRetry, ringamp.NoRetry])
@pytest.mark.parametrize("as_object", [False, True])
def test_a_policy_that_overrides_the_sending_is_called(
    make_client, event, kind, as_object
):
    """
    It is not passed over for the decisions that it inherits.
    """
    seen = []

    class Own(kind):
        def send_events_with_retry(self, events):
            seen.extend(one["event_id"] for one in events)
            return Response(Status.SUCCESS, 200)

    own = Own(Options()) if as_object else Own
    client = make_client(retry_class=own)

    response = client.log_event(event(5)).result(30)

    assert response.status is Status.SUCCESS
    assert seen == [5]


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_batch_is_tried_once_more_than_it_has_retries(
    make_client, event, collector, retries
):
    """
    An empty table means one try; *on_retry* is asked before each retry, and
    the last one is told as such.
    """
    collector.faults.add(DOWN, **ALWAYS)
    asked, options = asks(retry_timeouts=[2] * retries)
    client = make_client(**options)

    response = client.log_event(event()).result(30)

    assert response.status_code == 503
    assert collector.ledger.summary().requests == 1 + retries
    assert asked == [(503, n, n == retries) for n in range(1, retries + 1)]
    assert client.stats().retries == retries


def test_the_retries_of_a_policy_count_and_not_those_of_the_options(
    make_client, event, collector
):
    """
    A policy that was given made has a table of its own; so *on_retry* is
    told by it which retry is the last.
    """
    collector.faults.add(DOWN, **ALWAYS)
    policy = ringamp.OrderedRetry(Options.build(retry_timeouts=[2, 2]))
    asked, options = asks(retry_class=policy)
    client = make_client(**options)

    client.log_event(event()).result(30)

    assert [flag for _, _, flag in asked] == [False, True]


def test_there_is_no_last_retry_while_offline(
    make_client, event, collector, until, monkeypatch
):
    """
    However few entries *retry_timeouts* has: it is not used there.
    """
    monkeypatch.setattr("ringamp.retry.offline.PROBES", (0.01,))
    collector.faults.add(DOWN, **ALWAYS)
    asked, options = asks(retry_class=ringamp.OfflineRetry, retry_timeouts=[])
    client = make_client(**options)
    receipt = client.log_event(event())
    until(lambda: len(asked) >= 5)
    collector.faults.clear()

    assert receipt.result(30).status is Status.SUCCESS
    assert not any(flag for _, _, flag in asked)
    assert [number for _, number, _ in asked] == list(range(1, len(asked) + 1))


@pytest.mark.parametrize("answer", [None, 0, "", True])
def test_only_false_itself_ends_the_retries(
    make_client, event, collector, answer
):
    """
    A callback that forgets to answer loses no event.
    """
    collector.faults.add(DOWN, times=2)
    client = make_client(retry_timeouts=[2, 2], on_retry=lambda *args: answer)

    assert client.log_event(event()).result(30).status is Status.SUCCESS


def test_a_batch_that_is_given_up_makes_room_for_the_next(
    make_client, event, collector
):
    """
    False is about one batch: its events are dropped with the response that
    was asked about, and the next batch begins anew.
    """
    collector.faults.add(DOWN)
    client = make_client(retry_timeouts=[2, 2], on_retry=lambda *args: False)

    given_up = client.log_event(event(1)).result(30)
    next_one = client.log_event(event(2)).result(30)

    assert (given_up.status, given_up.status_code) == (Status.FAILED, 503)
    assert next_one.status is Status.SUCCESS
    assert client.stats().dropped == 1


def test_an_on_retry_that_raises_is_counted_and_the_retry_goes_on(
    make_client, event, collector, caplog
):
    """
    It is logged once for the kind, not once a retry.
    """
    collector.faults.add(DOWN, times=3)

    def fail(*args):
        raise LookupError("of mine")

    client = make_client(
        retry_timeouts=[2] * 3, on_retry=fail, log_level="ERROR"
    )

    with caplog.at_level(logging.ERROR, "ringamp"):
        response = client.log_event(event()).result(30)

    assert response.status is Status.SUCCESS
    assert client.stats().callback_errors == 3
    assert caplog.text.count("on_retry raised LookupError('of mine')") == 1


def test_what_costs_no_retry_asks_nobody(make_client, event, collector):
    """
    Bad events, halves of a batch and throttled ids are not *on_retry*'s.
    """
    collector.faults.add(Fault(indexes=[0]))
    collector.faults.add(Fault(status=413))
    collector.faults.add(Fault(status=400, html=True))
    asked, options = asks(retry_timeouts=[2], upload_interval_in_sec=60)
    client = make_client(**options)
    for number in range(10):
        client.log_event(event(number))
    client.flush().result(30)

    assert asked == []
    assert client.stats().delivered == 9


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_comes_no_sooner_than_the_service_asks(
    make_client, event, collector, status
):
    """
    Retry-After is heeded where it is longer than the table's entry.
    """
    collector.faults.add(Fault(status=status, headers={"Retry-After": "1"}))
    client = make_client(retry_timeouts=[1])
    began = time.monotonic()

    assert client.log_event(event()).result(30).status is Status.SUCCESS
    assert 1 <= time.monotonic() - began < 20


def test_new_events_wait_behind_a_retry(make_client, event, collector, until):
    """
    A server that is in trouble is not asked anew for every batch, and the
    order of all events is kept.
    """
    collector.faults.add(DOWN, times=3)
    client = make_client(retry_timeouts=[60] * 3)
    client.log_event(event(0))
    until(lambda: client.stats().requests)
    for number in range(1, 300):
        client.log_event(event(number))
    client.flush().result(30)

    numbers = [e["event_id"] for e in collector.ledger.events()]
    assert numbers == list(range(300))
    assert collector.ledger.summary().requests == 5


def test_offline_the_newest_are_kept_and_go_in_order(
    make_client, event, until, monkeypatch
):
    """
    Exactly *max_cached_events* survive an outage, the newest, in requests
    the service takes; those that made room are told so.
    """
    monkeypatch.setattr("ringamp.retry.offline.PROBES", (0.3,))
    told = []
    transport = MemoryTransport([Response(Status.SYSTEM_ERROR)] * 3)
    client = make_client(
        transport_class=transport,
        retry_class=ringamp.OfflineRetry,
        max_cached_events=100,
        upload_interval_in_sec=60,
        on_delivery=lambda events, response: told.append(
            (response.status, len(events))
        ),
    )
    client.log_event(event(0))
    client.flush()
    until(lambda: client.stats().requests == 1)
    receipts = [client.log_event(event(n)) for n in range(1, 501)]

    client.flush().result(30)

    taken = [e["event_id"] for e in transport.events][-100:]
    assert taken == list(range(401, 501))
    assert receipts[-1].result(0).status is Status.SUCCESS
    assert "newest" in receipts[0].result(0).error
    stats = client.stats()
    assert (stats.delivered, stats.dropped) == (100, 401)
    assert sum(n for status, n in told if status is Status.DROPPED) == 401


@pytest.mark.parametrize("status", [400, 413, 429, 500, 503])
def test_no_retry_gives_every_event_one_try(
    make_client, event, collector, status
):
    """
    Whatever the answer: nothing is asked twice.
    """
    collector.faults.add(Fault(status=status, html=True), **ALWAYS)
    client = make_client(
        retry_class=ringamp.NoRetry, upload_interval_in_sec=60
    )
    receipts = [client.log_event(event(n)) for n in range(5)]
    client.flush().result(30)

    assert {r.result(0).status_code for r in receipts} == {status}
    stats = client.stats()
    assert (stats.requests, stats.delivered, stats.pending) == (1, 0, 0)


@pytest.mark.parametrize("answer", [None, {}, Status.SUCCESS, 200])
def test_a_retry_class_that_answers_nonsense_drops_the_batch(
    make_client, event, answer
):
    """
    With words that name what came back.
    """

    class Nonsense(ringamp.BaseRetry):
        def send_events_with_retry(self, events):
            return answer

    client = make_client(retry_class=Nonsense)

    response = client.log_event(event()).result(30)

    assert response.status is Status.SYSTEM_ERROR
    assert f"Nonsense returned {type(answer).__name__}" in response.error
    assert client.stats().dropped == 1


def test_a_retry_class_may_keep_the_events(make_client, event):
    """
    Later batches do not write over what it was given.
    """
    kept = []

    class Keeps(ringamp.BaseRetry):
        def send_events_with_retry(self, events):
            kept.append(events)
            return Response(Status.SUCCESS, 200)

    client = make_client(retry_class=Keeps)
    for number in range(5):
        client.log_event(event(number)).result(30)

    assert [events[0]["event_id"] for events in kept] == [0, 1, 2, 3, 4]
    assert all(events[0]["insert_id"] for events in kept)


def test_a_policy_of_ones_own_that_raises_costs_its_batch(
    make_client, event, collector
):
    """
    Dropped with the words, in the background as at the shutdown, which does
    not raise.
    """

    class Broken(ringamp.OrderedRetry):
        def decide(self, attempt, response):
            raise LookupError("of mine")

    client = make_client(retry_class=Broken)
    first = client.log_event(event(1)).result(30)
    waiting = make_client(retry_class=Broken, upload_interval_in_sec=60)
    second = waiting.log_event(event(2))
    waiting.shutdown(30)

    for response in (first, second.result(0)):
        assert response.status is Status.SYSTEM_ERROR
        assert "Broken raised LookupError('of mine')" in response.error
    assert client.stats().dropped == waiting.stats().dropped == 1


HALF_DECISIONS = {
    "nothing": lambda count: None,
    "no decisions": lambda count: [None],
    "no event": lambda count: [],
    "one event too few": lambda count: [Deliver(range(count - 1))],
    "one event twice": lambda count: [Deliver(range(count)), Deliver([0])],
    "one event too many": lambda count: [Deliver(range(count + 1))],
}


@pytest.mark.parametrize("name", HALF_DECISIONS)
def test_a_policy_that_forgets_an_event_drops_the_batch(
    make_client, event, name
):
    """
    Rather than that an event has no end, or two.
    """

    class Forgets(ringamp.OrderedRetry):
        def decide(self, attempt, response):
            return HALF_DECISIONS[name](attempt.count)

    client = make_client(
        retry_class=Forgets,
        transport_class=MemoryTransport(),
        upload_interval_in_sec=60,
    )
    receipts = [client.log_event(event(n)) for n in range(3)]
    client.flush().result(30)

    assert {r.result(0).status for r in receipts} == {Status.SYSTEM_ERROR}
    assert "Forgets raised " in receipts[0].result(0).error
    stats = client.stats()
    assert (stats.dropped, stats.pending) == (3, 0)


def test_a_plain_class_is_made_without_arguments(make_client, event):
    """
    A retry class that wants nothing is given nothing.
    """

    class Plain:
        def send_events_with_retry(self, events):
            return Response(Status.SUCCESS, 200)

    client = make_client(retry_class=Plain)

    assert client.log_event(event()).result(30).status is Status.SUCCESS
