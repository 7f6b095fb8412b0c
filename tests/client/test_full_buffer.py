# SPDX-License-Identifier: MIT
"""
No room in the ring: drop and count, or wait.
"""

from __future__ import annotations

import threading
import time

from ringamp import Status
from ringamp.collector import Fault

DOWN = "http://127.0.0.1:9/2/httpapi"


def fill(client, event):
    """
    Log until there is no room.
    """
    receipts = []
    while not receipts or receipts[-1].status is Status.QUEUED:
        receipts.append(client.log_event(event(len(receipts))))
    return receipts


def test_what_finds_no_room_is_dropped_and_counted(
    make_client, event, collector
):
    """
    The receipt says so at once; what was queued is delivered, exactly.
    """
    collector.faults.add(Fault(delay=0.3))
    client = make_client(buffer_bytes=1 << 16)
    receipts = fill(client, event)
    receipts += [client.log_event(event(n)) for n in range(500)]

    client.flush().result(10)

    queued = [r for r in receipts if r.status is Status.QUEUED]
    dropped = [r for r in receipts if r.status is Status.DROPPED]
    assert len(queued) + len(dropped) == len(receipts)
    assert "full" in dropped[0].reason
    stats = client.stats()
    assert (stats.delivered, stats.dropped) == (len(queued), len(dropped))
    assert stats.logged == len(receipts)
    assert collector.ledger.summary().accepted == len(queued)


def test_a_full_ring_does_not_slow_the_caller(make_client, event):
    """
    Dropping is as quick as logging: it never blocks.
    """
    client = make_client(server_url=DOWN, buffer_bytes=1 << 16)
    fill(client, event)
    slowest = 0.0
    for number in range(2000):
        began = time.perf_counter()
        client.log_event(event(number))
        slowest = max(slowest, time.perf_counter() - began)

    assert slowest < 0.5


def test_blocking_waits_for_room_and_loses_nothing(
    make_client, event, collector
):
    """
    More events than fit, from several threads, through a tiny ring.
    """
    client = make_client(buffer_bytes=1 << 16, on_full="block")

    def log(first):
        for number in range(first, first + 2000):
            assert client.log_event(event(number)).status is Status.QUEUED

    threads = [
        threading.Thread(target=log, args=(first,))
        for first in (0, 2000, 4000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    client.flush().result(10)

    stats = client.stats()
    assert (stats.delivered, stats.dropped) == (6000, 0)
    assert collector.ledger.summary().accepted == 6000


def test_blocking_ends_with_its_timeout(make_client, event):
    """
    Then the event is dropped and counted like any other.
    """
    client = make_client(
        server_url=DOWN,
        buffer_bytes=1 << 16,
        on_full="block",
        block_timeout=0.1,
    )
    began = time.monotonic()

    receipts = fill(client, event)

    assert 0.1 <= time.monotonic() - began < 5
    assert receipts[-1].status is Status.DROPPED
    assert client.stats().dropped == 1


def test_a_callback_on_the_flushers_thread_never_blocks_itself(
    make_client, event, collector
):
    """
    It is the thread that makes room; waiting for itself would be for ever.
    """
    inner = []

    def log_more(events, response):
        if not inner:
            inner.extend(fill(client, event))

    client = make_client(
        buffer_bytes=1 << 16, on_full="block", on_delivery=log_more
    )
    client.log_event(event()).result(5)
    client.flush().result(10)

    assert inner[-1].status is Status.DROPPED
    assert client.stats().pending == 0


def test_a_shutdown_frees_a_blocked_caller(make_client, event):
    """
    Who waits for room that never comes is turned away.
    """
    client = make_client(
        server_url=DOWN, buffer_bytes=1 << 16, on_full="block"
    )
    receipts = []

    def log():
        receipts.extend(fill(client, event))

    thread = threading.Thread(target=log)
    thread.start()
    while client.stats().buffer_used < (1 << 16) - 1000:
        time.sleep(0.005)
    client.shutdown(0.1)
    thread.join(5)

    assert not thread.is_alive()
    assert receipts[-1].status is Status.DROPPED
    assert client.stats().pending == 0
