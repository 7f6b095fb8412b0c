# SPDX-License-Identifier: MIT
"""
The counts at any instant; when things are sent; what an idle client does.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import ringamp
from ringamp import Status
from ringamp.collector import Fault


def test_the_counts_agree_at_every_instant(make_client, event, collector):
    """
    What was logged is what was delivered, rejected, dropped or is pending,
    read by another thread while events come, go, fail and find no room.
    """
    for _ in range(3):
        for fault in (
            Fault(status=500),
            Fault(indexes=[0]),
            Fault(status=403),
            Fault(delay=0.01),
        ):
            collector.faults.add(fault)
    client = make_client(buffer_bytes=1 << 16, retry_timeouts=[2, 2])
    seen, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            seen.append(client.stats())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(20_000):
        client.log_event(event(number))
        if number % 1000 == 0:
            client.flush().result(30)
    client.flush().result(30)
    stop.set()
    watcher.join()
    seen.append(client.stats())

    for stats in seen:
        settled = stats.delivered + stats.rejected + stats.dropped
        assert stats.logged == settled + stats.pending
        assert stats.pending >= 0
    assert [s.logged for s in seen] == sorted(s.logged for s in seen)
    last = seen[-1]
    assert (last.logged, last.pending) == (20_000, 0)
    assert min(last.delivered, last.rejected, last.dropped) > 0


def test_an_event_is_on_its_way_at_once(make_client, event):
    """
    With the interval 0 it waits for company no longer than a moment.
    """
    client = make_client()
    client.log_event(event()).result(30)
    began = time.monotonic()
    client.log_event(event()).result(30)

    assert time.monotonic() - began < 5


def test_an_interval_forms_batches(make_client, event, collector):
    """
    All that is logged within it travels together.
    """
    client = make_client(upload_interval_in_sec=1.5)
    began = time.monotonic()
    receipts = []
    for number in range(10):
        receipts.append(client.log_event(event(number)))
        time.sleep(0.01)

    assert receipts[-1].result(30).status is Status.SUCCESS
    assert time.monotonic() - began >= 1.5
    assert collector.ledger.summary().requests == 1


def test_many_events_do_not_wait_for_the_interval(
    make_client, event, collector
):
    """
    *max_cached_events* triggers an upload, T4.
    """
    client = make_client(upload_interval_in_sec=60, max_cached_events=100)
    receipts = [client.log_event(event(n)) for n in range(100)]

    assert receipts[-1].result(30).status is Status.SUCCESS
    assert collector.ledger.summary().accepted == 100


def test_a_full_half_of_the_ring_does_not_wait_either(make_client, event):
    """
    Large events would fill the ring before there are many.
    """
    client = make_client(upload_interval_in_sec=60, buffer_bytes=1 << 18)
    big = {"x": "y" * 2000}
    receipts = [
        client.log_event(event(n, event_properties=big)) for n in range(80)
    ]

    assert receipts[0].result(30).status is Status.SUCCESS


def test_a_client_without_events_has_no_thread(make_client):
    """
    `init` starts nothing, and neither does a flush of nothing.
    """
    before = len(list(Path("/proc/self/task").iterdir()))
    client = make_client()
    client.flush().result(0)

    assert len(list(Path("/proc/self/task").iterdir())) == before


def test_time_is_when_it_was_logged(make_client, event, collector):
    """
    Retries do not shift it.
    """
    collector.faults.add(Fault(status=500), times=2)
    client = make_client(retry_timeouts=[150, 150, 150])
    before = time.time() * 1000
    receipt = client.log_event(event())
    after = time.time() * 1000
    receipt.result(30)

    (sent,) = collector.ledger.events()
    assert before - 1 <= sent["time"] <= after


def test_named_instances_are_apart(make_client, event, collector):
    """
    One of them down does not hold up another; a name is one instance.
    """
    one = ringamp.get_instance("one")
    two = ringamp.get_instance("two")
    try:
        one.init("0123456789abcdef", server_url="http://127.0.0.1:9/")
        two.init("0123456789abcdef", server_url=collector.url)
        one.log_event(event())
        assert two.log_event(event()).result(30).status is Status.SUCCESS
        assert one.stats().pending == 1
        assert ringamp.get_instance("one") is one
    finally:
        one.shutdown(0)
        two.shutdown()


def test_an_oversized_wait_is_no_error(make_client, event):
    """
    An interval of days is a time limit like any other.
    """
    client = make_client(upload_interval_in_sec=86_400)
    client.log_event(event())

    assert client.flush().result(30).status is Status.SUCCESS
