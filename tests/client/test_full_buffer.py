# SPDX-License-Identifier: MIT
"""
No room in the ring: drop and count, or wait.
"""

from __future__ import annotations

import logging
import threading
import time

import orjson
import pytest

from ringamp import MemoryTransport, Status
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

    client.flush().result(30)

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

    assert slowest < 5


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
    client.flush().result(30)

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

    assert 0.1 <= time.monotonic() - began < 20
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
    client.log_event(event()).result(30)
    client.flush().result(30)

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
    thread.join(30)

    assert not thread.is_alive()
    assert receipts[-1].status is Status.DROPPED
    assert client.stats().pending == 0


LANES = {
    "direct": ({}, 0),
    "defaults": ({"plan": {"branch": "main"}}, 0),
    "middleware": ({}, 1),
    "chain and defaults": ({"plan": {"branch": "main"}}, 2),
}


def client_of(make_client, lane, **more):
    """
    Make a client whose events take *lane*.
    """
    options, length = LANES[lane]
    client = make_client(buffer_bytes=1 << 16, **options, **more)
    for _ in range(length):
        client.add_event_middleware(lambda payload, next: next(payload))
    return client


@pytest.mark.parametrize("lane", LANES)
def test_every_lane_drops_for_want_of_room(
    make_client, event, collector, lane
):
    """
    Counted exactly, told at once, and room is found again.
    """
    client = client_of(make_client, lane, upload_interval_in_sec=60)
    collector.faults.add(Fault(delay=0.3))
    receipts = fill(client, event)
    more = [client.log_event(event(n)) for n in range(20)]

    assert receipts[-1].status is Status.DROPPED
    assert receipts[-1].result(0).status is Status.DROPPED
    assert client.flush().result(30).status is Status.SUCCESS
    assert client.log_event(event()).status is Status.QUEUED
    client.flush().result(30)
    queued = [r for r in [*receipts, *more] if r.status is Status.QUEUED]
    stats = client.stats()
    assert stats.delivered == len(queued) + 1
    assert stats.dropped == len(receipts) + len(more) - len(queued)
    assert collector.ledger.summary().accepted == stats.delivered


@pytest.mark.parametrize("lane", LANES)
def test_every_lane_can_wait_for_room(make_client, event, collector, lane):
    """
    Three rings' worth of events, and none is dropped.
    """
    client = client_of(make_client, lane, on_full="block")

    receipts = [client.log_event(event(n)) for n in range(1500)]

    assert {r.status for r in receipts} == {Status.QUEUED}
    client.flush().result(30)
    numbers = [e["event_id"] for e in collector.ledger.events()]
    assert numbers == list(range(1500))


@pytest.mark.parametrize("on_full", ["drop", "block"])
def test_an_event_for_which_there_is_never_room_is_invalid(
    make_client, event, on_full
):
    """
    Nobody waits for it; the reason says what fits. What just fits does fit.
    """
    client = make_client(buffer_bytes=1 << 16, on_full=on_full)
    sizes = [1000, 10_000, 16_000, 30_000, 32_000, 40_000, 65_000, 70_000]

    receipts = [
        client.log_event(event(event_properties={"x": "y" * size}))
        for size in sizes
        if client.flush().result(30)
    ]

    statuses = [receipt.status for receipt in receipts]
    assert statuses[0] is Status.QUEUED
    assert statuses[-1] is Status.INVALID
    assert set(statuses) == {Status.QUEUED, Status.INVALID}
    assert statuses == sorted(statuses, key=[*statuses].index)
    assert "fit into a request and the buffer" in receipts[-1].reason


def test_a_drop_is_logged_once_not_an_event(make_client, event, caplog):
    """
    A ring that is full for a second is no reason for a thousand lines.
    """
    client = make_client(
        server_url=DOWN, buffer_bytes=1 << 16, log_level="ERROR"
    )
    with caplog.at_level(logging.ERROR, "ringamp"):
        fill(client, event)
        receipts = [client.log_event(event(number)) for number in range(900)]

    # The first failed request makes room once, at some moment.
    dropped = [one for one in receipts if one.status is Status.DROPPED]
    assert len(dropped) > 100
    assert caplog.text.count("the buffer of 65536 bytes is full") == 1
    assert client.stats().dropped == len(dropped) + 1


def test_receipts_of_dropped_events_share_one_response(
    make_client, event, until
):
    """
    Memory does not grow with what is dropped.
    """
    client = make_client(
        server_url=DOWN, buffer_bytes=1 << 16, retry_timeouts=[10**6]
    )
    client.log_event(event())
    # The one batch that leaves the ring has left it; the rest stays there.
    until(lambda: client.stats().requests == 1)
    fill(client, event)

    first, second = client.log_event(event()), client.log_event(event())

    assert first is second


def test_waiting_has_the_timeout_of_each_call(make_client, event):
    """
    Every call waits anew, none longer than it may.
    """
    client = make_client(
        server_url=DOWN,
        buffer_bytes=1 << 16,
        on_full="block",
        block_timeout=0.05,
    )
    fill(client, event)
    for _ in range(3):
        began = time.monotonic()
        receipt = client.log_event(event())
        assert receipt.status is Status.DROPPED
        assert 0.05 <= time.monotonic() - began < 20


def test_who_learns_of_an_outcome_finds_room(make_client, event):
    """
    The space of an event is free before its receipt is told: a sender that
    waits for each large event before the next never finds the ring full.
    """
    client = make_client(buffer_bytes=1 << 16)
    large = {"x": "y" * 30_000}

    for number in range(100):
        receipt = client.log_event(event(number, event_properties=large))
        assert receipt.status is Status.QUEUED, number
        assert receipt.result(30).status is Status.SUCCESS


def largest(client, event):
    """
    Make the largest event that a client's ring takes.
    """
    most = client._session.ring.max_event
    return event(x="y" * (most - len(orjson.dumps(event(x="")))))


def test_blocking_has_an_end_for_the_largest_event(make_client, event):
    """
    One that takes half of the ring waits until all of it is free, and no
    longer.
    """
    transport = MemoryTransport()
    client = make_client(
        transport_class=transport, on_full="block", buffer_bytes=1 << 16
    )
    caller = threading.Thread(
        target=lambda: [
            client.log_event(largest(client, event)) for _ in range(5)
        ],
        daemon=True,
    )
    caller.start()
    caller.join(30)

    assert not caller.is_alive()
    client.flush().result(30)
    assert client.stats().delivered == 5


def test_who_waits_for_room_does_not_wait_for_the_interval(make_client, event):
    """
    Where the ring is not half full, and the event fits nowhere: what is
    there is sent at once, and not when its interval is over.
    """
    client = make_client(
        transport_class=MemoryTransport(),
        on_full="block",
        buffer_bytes=1 << 16,
        upload_interval_in_sec=60,
    )
    client.log_event(event(x="y" * 10_000))
    client.flush().result(30)
    client.log_event(event(x="y" * 29_900))
    assert client.stats().buffer_used < 1 << 15

    receipt = client.log_event(event(x="y" * 32_000))

    assert receipt.status is Status.QUEUED
    # The second made the room; the third may have gone by now.
    assert client.stats().requests in {2, 3}
