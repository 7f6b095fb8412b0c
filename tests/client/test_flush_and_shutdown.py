# SPDX-License-Identifier: MIT
"""
`flush` and `shutdown`.
"""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from ringamp import Status
from ringamp.client import Client
from ringamp.collector import Fault


def test_flush_hurries_and_waits_for_all_before_it(
    make_client, event, collector
):
    """
    Nothing waits for the interval, and the future waits for retries.
    """
    collector.faults.add(Fault(status=500), times=2)
    client = make_client(upload_interval_in_sec=60)
    for number in range(3000):
        client.log_event(event(number))

    response = client.flush().result(30)

    assert response.status is Status.SUCCESS
    assert collector.ledger.summary().accepted == 3000
    assert client.stats().pending == 0


def test_flushes_may_overlap(make_client, event, collector, held):
    """
    T3: one asked for while another runs waits for its own events.
    """
    client = make_client(transport_class=held)
    client.log_event(event(1))
    first = client.flush()
    assert held.begun.acquire(timeout=30)
    client.log_event(event(2))
    second = client.flush()
    held.let_go.set()

    assert first.result(30).status is Status.SUCCESS
    assert second.result(30).status is Status.SUCCESS
    assert collector.ledger.summary().accepted == 2


def test_flush_tells_the_worst(make_client, event, collector):
    """
    One rejected event makes the flush's response the rejection.
    """
    collector.faults.add(Fault(indexes=[1]))
    client = make_client(upload_interval_in_sec=60)
    for number in range(3):
        client.log_event(event(number))

    assert client.flush().result(30).status is Status.INVALID


def test_flush_without_events_is_skipped(make_client):
    """
    There is nothing to wait for, before and after `init`.
    """
    assert Client("unborn").flush().result(0).status is Status.SKIPPED
    assert make_client().flush().result(0).status is Status.SKIPPED


def test_shutdown_sends_then_refuses(make_client, event, collector):
    """
    What was logged arrives; what comes later is dropped and counted.
    """
    client = make_client(upload_interval_in_sec=60)
    for number in range(5000):
        client.log_event(event(number))

    client.shutdown()
    late = client.log_event(event())

    assert collector.ledger.summary().accepted == 5000
    assert late.status is Status.DROPPED
    assert "shut down" in late.reason
    stats = client.stats()
    assert (stats.delivered, stats.dropped, stats.pending) == (5000, 1, 0)
    assert stats.logged == 5001


def test_shutdown_twice_and_by_several_threads(make_client, event, collector):
    """
    All callers return when it is over; nothing is sent twice.
    """
    collector.faults.add(Fault(delay=0.2))
    client = make_client()
    client.log_event(event())
    threads = [threading.Thread(target=client.shutdown) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    client.shutdown()

    assert client.stats().delivered == 1
    assert collector.ledger.summary().duplicates == 0


def test_a_shutdown_in_a_callback_does_not_wait_for_itself(
    make_client, event, collector
):
    """
    *on_delivery* runs on the thread that a shutdown waits for.
    """
    told = []

    def stop(events, response):
        told.append(len(events))
        client.shutdown()

    client = make_client(on_delivery=stop)
    client.log_event(event()).result(30)
    client.shutdown()

    assert told == [1]
    assert client.log_event(event()).status is Status.DROPPED


def test_shutdown_keeps_its_deadline(make_client, event, collector):
    """
    A service that does not answer costs what was allowed; the events are
    dropped, counted and told.
    """
    collector.faults.add(Fault(delay=30), times=None)
    client = make_client()
    receipts = [client.log_event(event(n)) for n in range(10)]
    began = time.monotonic()

    client.shutdown(0.3)

    assert time.monotonic() - began < 8
    assert {r.result(30).status for r in receipts} <= {
        Status.DROPPED,
        Status.SYSTEM_ERROR,
    }
    stats = client.stats()
    assert (stats.dropped, stats.pending) == (10, 0)


def test_shutdown_drops_what_waits_for_a_retry(make_client, event):
    """
    A retry that is due after the deadline is not waited for.
    """
    client = make_client(
        server_url="http://127.0.0.1:9/", retry_timeouts=[60_000]
    )
    receipt = client.log_event(event())
    while client.stats().requests == 0:
        time.sleep(0.01)

    client.shutdown(0.2)

    assert receipt.result(0).status is Status.DROPPED
    assert "deadline" in receipt.result(0).error


def test_threads_that_log_while_init_runs_lose_nothing(
    make_client, event, collector
):
    """
    Every receipt that says QUEUED is delivered, whichever session it met.
    """
    options = {
        "server_url": collector.url,
        "on_full": "block",
        "buffer_bytes": 1 << 17,
        "shutdown_timeout_millis": 30_000,
    }
    client = make_client(**options)
    receipts, stop = [], threading.Event()

    def log():
        while not stop.is_set():
            receipts.append(client.log_event(event(len(receipts))))

    threads = [threading.Thread(target=log) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        client.init("another-key", **options)
    stop.set()
    for thread in threads:
        thread.join()
    client.shutdown(30)

    queued = [r for r in receipts if r.status is Status.QUEUED]
    assert {r.result(0).status for r in queued} == {Status.SUCCESS}
    assert collector.ledger.summary().accepted == len(queued)
    assert len(queued) == len(receipts)


def test_a_flush_does_not_wait_for_later_events(make_client, event, held):
    """
    It is done when those before it are final, although later ones are not.
    """
    held.let_go.set()
    client = make_client(transport_class=held, upload_interval_in_sec=60)
    client.log_event(event(1))
    flush = client.flush()
    flush.result(30)
    held.let_go.clear()
    later = client.log_event(event(2))
    second = client.flush()

    assert flush.done()
    assert not second.done()
    assert later.response is None
    held.let_go.set()
    assert second.result(30).status is Status.SUCCESS


def test_a_flush_is_done_only_with_the_last_before_it(
    make_client, event, collector, monkeypatch
):
    """
    What overtakes a held event does not end the flush.
    """
    monkeypatch.setattr("ringamp.retry.ordered.HOLD", 0.3)
    collector.faults.add(Fault(users=("throttled",)))
    asked, seen = threading.Event(), []

    def note(events, response):
        # In the thread that would send what is held.
        asked.wait(30)
        ids = [one["event_id"] for one in events]
        seen.append((ids, held.response is None, flush.done()))

    client = make_client(upload_interval_in_sec=60, on_delivery=note)
    held = client.log_event(event(0, user_id="throttled"))
    free = client.log_event(event(1))
    flush = client.flush()
    asked.set()

    assert free.result(30).status is Status.SUCCESS
    assert flush.result(30).status is Status.SUCCESS
    assert held.result(0).status is Status.SUCCESS
    assert seen[0] == ([1], True, False)


def test_many_flushes_by_many_threads(make_client, event, collector):
    """
    Each waits for what its own thread logged before.
    """
    client = make_client()
    missing = []

    def log():
        for number in range(30):
            receipt = client.log_event(event(number))
            client.flush().result(30)
            missing.extend([] if receipt.response else [number])

    threads = [threading.Thread(target=log) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()

    assert missing == []
    assert collector.ledger.summary().accepted == 180


def test_a_cancelled_flush_harms_no_other(make_client, event, held):
    """
    Who gives up waiting cancels nothing else.
    """
    client = make_client(transport_class=held, upload_interval_in_sec=60)
    receipt = client.log_event(event())
    first, second = client.flush(), client.flush()
    assert first.cancel()
    held.let_go.set()

    assert second.result(30).status is Status.SUCCESS
    assert receipt.result(30).status is Status.SUCCESS
    assert first.cancelled()


def test_a_flush_of_settled_events_is_done_at_once(make_client, event):
    """
    There is nothing left to do: skipped.
    """
    client = make_client()
    client.log_event(event()).result(30)

    assert client.flush().result(0).status is Status.SKIPPED


def test_a_flush_after_shutdown_is_done(make_client, event):
    """
    All that there was has its outcome.
    """
    client = make_client()
    client.log_event(event())
    client.shutdown()

    assert client.flush().result(0).status is Status.SKIPPED


def test_a_flush_that_waits_learns_of_the_shutdown(make_client, event):
    """
    What is dropped at the deadline ends it; nobody waits for ever.
    """
    client = make_client(
        server_url="http://127.0.0.1:9/",
        retry_timeouts=[60_000],
        upload_interval_in_sec=60,
    )
    client.log_event(event())
    flush = client.flush()
    client.shutdown(0.1)

    assert flush.result(30).status in (Status.DROPPED, Status.SYSTEM_ERROR)


def test_shutdown_waits_for_retries(make_client, event, collector):
    """
    A service that stumbles while a process ends costs no event.
    """
    collector.faults.add(Fault(status=500))
    collector.faults.add(Fault(reset="after"))
    client = make_client(upload_interval_in_sec=60, retry_timeouts=[20] * 3)
    receipts = [client.log_event(event(n)) for n in range(10)]

    client.shutdown()

    assert {r.result(0).status for r in receipts} == {Status.SUCCESS}
    assert collector.ledger.summary().accepted == 10


def test_a_second_shutdown_waits_for_the_first(
    make_client, event, held, until
):
    """
    Whoever calls it may rely on what was logged having its outcome after.
    """
    client = make_client(transport_class=held, shutdown_timeout_millis=30_000)
    client.log_event(event())
    first = threading.Thread(target=client.shutdown)
    first.start()
    until(lambda: client.log_event(event(1)).status is Status.DROPPED)
    letting_go = threading.Timer(0.1, held.let_go.set)
    letting_go.start()

    client.shutdown()

    assert held.let_go.is_set()
    assert client.stats().pending == 0
    letting_go.join()
    first.join(30)


@pytest.mark.parametrize("timeout", [float("inf"), 1e12])
def test_a_shutdown_may_have_all_the_time_in_the_world(
    make_client, event, timeout
):
    """
    Locks know no infinite limit; whoever asks for one loses nothing.
    """
    client = make_client(upload_interval_in_sec=60)
    receipt = client.log_event(event())

    client.shutdown(timeout)

    assert receipt.result(0).status is Status.SUCCESS


def test_a_flush_can_be_awaited(make_client, event):
    """
    As in the Node SDK, by a client in each of its states.
    """

    async def flushed(client):
        return await asyncio.wait_for(client.flush(), 30)

    client = make_client()
    nothing = asyncio.run(flushed(client))
    client.log_event(event())
    something = asyncio.run(flushed(client))

    assert nothing.status is Status.SKIPPED
    assert something.status is Status.SUCCESS
    never = Client("never")
    assert asyncio.run(flushed(never)).status is Status.SKIPPED
