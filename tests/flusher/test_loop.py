# SPDX-License-Identifier: MIT
"""
The thread that sends: when it is started, when it sends, how it ends.
"""

from __future__ import annotations

import _thread
import logging
import threading
import time
from pathlib import Path

import pytest

from ringamp import MemoryTransport, Response, Status
from ringamp.flusher import loop
from ringamp.flusher.delivery import Delivery
from ringamp.flusher.exchange import PolicyExchange

TAKEN = Response(Status.SUCCESS, 200)


class Gate:
    """
    A transport whose requests wait until they are let through.
    """

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        self.sizes = []
        self.threads = []

    def send_payload(self, payload):
        """
        Wait at the gate, then take everything.
        """
        self.threads.append(threading.get_native_id())
        self.sizes.append(len(payload.events))
        self.entered.release()
        self.open.wait(30)
        return TAKEN


@pytest.fixture
def starts(monkeypatch):
    """
    The threads that were started by `_thread`.
    """
    seen = []
    start = _thread.start_new_thread

    def count(*args):
        seen.append(args)
        return start(*args)

    monkeypatch.setattr(_thread, "start_new_thread", count)
    return seen


def event(number=0, **more):
    """
    Make an event that carries a number.
    """
    return {
        "event_type": "t",
        "user_id": "somebody",
        "event_id": number,
        **more,
    }


def until(condition):
    """
    Wait until *condition* holds.
    """
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.002)


def test_the_first_event_starts_the_one_thread(make_client, starts):
    """
    Not `init`, not a flush of nothing, not options; and no second one.
    """
    client = make_client(MemoryTransport())
    client.flush().result(0)
    client.stats()
    assert starts == []

    for number in range(50):
        client.log_event(event(number)).result(30)

    assert len(starts) == 1


def test_racing_first_events_start_one_thread(make_client, starts):
    """
    Whoever comes first decides, and nobody's event waits for a second one.
    """
    transport = MemoryTransport()
    client = make_client(transport)
    begin = threading.Barrier(8)
    receipts = []

    def log():
        begin.wait()
        receipts.append(client.log_event(event()))

    threads = [threading.Thread(target=log) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {r.result(30).status for r in receipts} == {Status.SUCCESS}
    ours = [args for args in starts if "ringamp." in args[0].__module__]
    assert len(ours) == 1


def test_without_a_thread_events_are_sent_at_the_end(
    make_client, monkeypatch, caplog
):
    """
    As at interpreter exit, where none can be started any more.
    """
    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    transport = MemoryTransport()
    client = make_client(transport, log_level="ERROR")

    with caplog.at_level(logging.ERROR, "ringamp"):
        receipts = [client.log_event(event(n)) for n in range(10)]
        client.shutdown(30)

    assert {r.result(0).status for r in receipts} == {Status.SUCCESS}
    assert [e["event_id"] for e in transport.events] == list(range(10))
    assert "cannot start the thread" in caplog.text


def refuse(*args):
    """
    Start no thread.
    """
    raise RuntimeError("can't start new thread")


def test_a_flush_without_a_thread_sends_by_itself(make_client, monkeypatch):
    """
    Who waits for it at interpreter exit would wait for ever.
    """
    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    transport = MemoryTransport([500])
    client = make_client(transport, retry_timeouts=[5])
    receipts = [client.log_event(event(n)) for n in range(10)]

    flush = client.flush()

    assert flush.done()
    assert {r.result(0).status for r in receipts} == {Status.SUCCESS}


def test_a_flush_without_a_thread_has_an_end(make_client, monkeypatch):
    """
    A service that is away costs *shutdown_timeout_millis*, not for ever.
    """
    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    client = make_client(
        MemoryTransport([500] * 9),
        retry_timeouts=[60_000],
        shutdown_timeout_millis=100,
    )
    client.log_event(event())
    began = time.monotonic()

    flush = client.flush()

    assert time.monotonic() - began < 30
    assert not flush.done()


def test_a_thread_that_could_not_be_started_is_tried_again(
    make_client, monkeypatch
):
    """
    After so many events more.
    """
    start = _thread.start_new_thread
    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    client = make_client(MemoryTransport())
    receipt = client.log_event(event())
    monkeypatch.setattr(_thread, "start_new_thread", start)

    for number in range(loop.THREADLESS_RETRY - 1):
        client.log_event(event(number))
    assert receipt.response is None
    client.log_event(event())

    assert receipt.result(30).status is Status.SUCCESS


@pytest.mark.usefixtures("patient")
def test_what_is_logged_together_travels_together(make_client):
    """
    The first event lingers for company; nobody is sent alone.
    """
    transport = MemoryTransport()
    client = make_client(transport)
    for _ in range(5):
        for number in range(100):
            client.log_event(event(number))
        client.flush().result(30)

    assert len(transport.requests) == 5
    assert len(transport.events) == 500


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("options", "count", "more"),
    [
        ({}, 2000, {}),
        ({"max_cached_events": 50}, 50, {}),
        ({}, 500, {"event_properties": {"x": "y" * 2000}}),
        ({"upload_interval_in_sec": 86_400}, 16_000, {}),
        ({"upload_interval_in_sec": 60, "max_cached_events": 9}, 9, {}),
    ],
    ids=["count", "cached", "bytes", "interval", "interval cached"],
)
def test_a_full_batch_lingers_no_longer(make_client, options, count, more):
    """
    However long the linger or the interval is.
    """
    client = make_client(MemoryTransport(), **options)

    receipts = [client.log_event(event(n, **more)) for n in range(count)]

    assert receipts[0].result(30).status is Status.SUCCESS


@pytest.mark.usefixtures("patient")
def test_less_than_a_batch_does_linger(make_client):
    """
    One event fewer is not sent until somebody asks.
    """
    client = make_client(MemoryTransport(), max_cached_events=50)
    receipts = [client.log_event(event(n)) for n in range(49)]

    with pytest.raises(TimeoutError):
        receipts[0].result(0.1)
    assert client.flush().result(30).status is Status.SUCCESS


def test_events_logged_during_a_request_go_with_the_next(make_client):
    """
    Nothing waits for an event after it, and they travel together.
    """
    gate = Gate()
    client = make_client(gate)
    client.log_event(event())
    assert gate.entered.acquire(timeout=30)
    receipts = [client.log_event(event(n)) for n in range(100)]
    gate.open.set()

    assert {r.result(30).status for r in receipts} == {Status.SUCCESS}
    assert gate.sizes == [1, 100]


@pytest.mark.usefixtures("patient")
def test_a_flush_during_a_request_is_not_forgotten(make_client):
    """
    What it asked for is sent when the request ends, without lingering.
    """
    gate = Gate()
    client = make_client(gate)
    client.log_event(event(1))
    client.flush()
    assert gate.entered.acquire(timeout=30)
    client.log_event(event(2))
    second = client.flush()
    gate.open.set()

    assert second.result(30).status is Status.SUCCESS


@pytest.mark.parametrize(
    ("owner", "method", "end"),
    [
        (Delivery, "next_batch", Status.SUCCESS),
        (PolicyExchange, "post", Status.DROPPED),
    ],
)
def test_a_defect_of_ours_costs_one_batch_at_most(  # noqa: PLR0917
    make_client, monkeypatch, caplog, owner, method, end
):
    """
    It is logged as critical, the thread lives on, and the counts agree.
    """
    monkeypatch.setattr(loop, "FAULT_PAUSE", 0.01)
    original = getattr(owner, method)
    failures = []

    def fail_once(self, *args):
        if not failures:
            failures.append(args)
            raise ZeroDivisionError("ours")
        return original(self, *args)

    monkeypatch.setattr(owner, method, fail_once)
    client = make_client(MemoryTransport(), log_level="ERROR")

    with caplog.at_level(logging.ERROR, "ringamp"):
        first = client.log_event(event(1))
        until(lambda: failures)
        second = client.log_event(event(2)).result(30)

    assert second.status is Status.SUCCESS
    assert first.result(30).status is end
    assert "ZeroDivisionError('ours')" in caplog.text
    stats = client.stats()
    assert stats.delivered + stats.dropped == stats.logged == 2
    assert stats.pending == 0


def test_a_request_that_outlasts_the_shutdown_is_told_once(
    make_client, monkeypatch
):
    """
    Its events are dropped at the deadline; the answer that comes later
    changes neither receipt nor counts.
    """
    monkeypatch.setattr(loop, "GRACE", 0.05)
    gate = Gate()
    told = []
    client = make_client(
        gate, on_delivery=lambda events, response: told.append(response)
    )
    receipt = client.log_event(event(1))
    assert gate.entered.acquire(timeout=30)
    waiting = client.log_event(event(2))
    client.shutdown(0.05)
    first, second = receipt.result(0), waiting.result(0)
    gate.open.set()
    (thread,) = gate.threads
    until(lambda: not Path(f"/proc/self/task/{thread}").exists())

    assert "may have taken it" in first.error
    assert "deadline" in second.error
    assert receipt.result(0) is first
    assert told == [first, second]
    stats = client.stats()
    assert (stats.delivered, stats.dropped, stats.pending) == (0, 2, 0)


def test_a_shutdown_sits_a_retry_out(make_client):
    """
    A retry that is due before the deadline is waited for, also by a thread
    that is only now asked to stop.
    """
    transport = MemoryTransport([503, 503])
    client = make_client(transport, retry_timeouts=[200, 200])
    receipt = client.log_event(event())
    until(lambda: client.stats().requests == 1)

    client.shutdown(30)

    assert receipt.result(0).status is Status.SUCCESS


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_shutdown_without_time_drops_and_tells(make_client, timeout):
    """
    Nothing is sent, nothing is lost quietly.
    """
    transport = MemoryTransport()
    client = make_client(transport, upload_interval_in_sec=60)
    receipts = [client.log_event(event(n)) for n in range(5)]

    client.shutdown(timeout)

    ends = {r.result(0).status for r in receipts}
    assert ends == {Status.DROPPED}
    assert client.stats().dropped == 5
    assert transport.events == []
