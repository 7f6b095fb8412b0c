# SPDX-License-Identifier: MIT
"""
The counts, the receipts, *on_delivery* and the collector tell one story,
whatever goes wrong.
"""

from __future__ import annotations

import collections
import random
import threading

import pytest

import ringamp
from ringamp import MemoryTransport, Status
from ringamp.collector import Collector, Fault, Settings

USERS = ["user-a", "user-b", "user-c", "user-d"]

TROUBLE = [
    (Fault(status=500), 0.1),
    (Fault(status=503, html=True), 0.05),
    (Fault(reset="before"), 0.05),
    (Fault(reset="after"), 0.05),
    (Fault(half=True), 0.05),
    (Fault(status=429), 0.05),
    (Fault(status=413), 0.1),
    (Fault(status=400, html=True), 0.05),
    (Fault(users=("user-a",)), 0.1),
    (Fault(delay=0.02), 0.2),
]

ENDS = {
    Status.SUCCESS: "delivered",
    Status.INVALID: "rejected",
    Status.PAYLOAD_TOO_LARGE: "rejected",
    Status.DROPPED: "dropped",
}


def story(stats):
    """
    The three ends of a client's events.
    """
    return collections.Counter(
        {end: getattr(stats, end) for end in ENDS.values()}
    )


@pytest.fixture(params=range(3))
def trouble(request):
    """
    A collector in trouble, and the chance it came by.
    """
    print("seed", request.param)
    settings = Settings(throttle=False)
    with Collector(settings=settings, seed=request.param) as made:
        for fault, probability in TROUBLE:
            made.faults.add(fault, None, probability)
        yield made, random.Random(request.param)


def test_under_all_troubles_at_once_everybody_tells_the_same(
    make_client, event, monkeypatch, trouble
):
    """
    Counts agree at every instant; each event has one outcome, told alike by
    its receipt, by *on_delivery* and by the collector; the events of an id
    arrive in order; none twice.
    """
    collector, chance = trouble
    monkeypatch.setattr("ringamp.retry.ordered.HOLD", 0.02)
    told = collections.Counter()
    client = make_client(
        server_url=collector.url,
        retry_timeouts=[1] * 60,
        on_delivery=lambda events, response: told.update(
            (e["event_id"], ENDS[response.status]) for e in events
        ),
    )
    seen, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            seen.append(client.stats())

    watcher = threading.Thread(target=watch)
    watcher.start()
    receipts = {}
    for number in range(3000):
        user = chance.choice(USERS)
        receipts[number] = client.log_event(event(number, user_id=user))
        if chance.random() < 0.01:
            client.flush()
            stop.wait(0.005)
    client.flush().result(30)
    client.shutdown(30)  # The callback comes after the receipts.
    stop.set()
    watcher.join()

    for stats in seen:
        assert stats.logged == sum(story(stats).values()) + stats.pending
        assert stats.pending >= 0
    by_receipt = {
        (n, ENDS[r.result(0).status]): 1 for n, r in receipts.items()
    }
    assert told == by_receipt
    ends = collections.Counter(end for _, end in by_receipt)
    assert +story(client.stats()) == ends
    assert ends["dropped"] == 0
    delivered = {n for n, end in by_receipt if end == "delivered"}
    taken = [e["event_id"] for e in collector.ledger.events()]
    assert len(taken) == len(set(taken))
    assert delivered <= set(taken)
    # A lone event is refused for good by the next fault, though it was taken:
    # the answer that said so was lost.
    faults = collector.ledger.summary().faults
    lost_answers = faults.get("reset after", 0) + faults.get("half", 0)
    assert len(taken) - len(delivered) <= min(ends["rejected"], lost_answers)
    for user in USERS:
        mine = [e["event_id"] for e in collector.ledger.events(user_id=user)]
        assert mine == sorted(mine), user


@pytest.mark.parametrize("threads", [1, 4])
def test_every_call_is_in_one_counter(make_client, event, threads):
    """
    Logged, skipped or invalid, by however many threads at once.
    """
    client = make_client(transport_class=MemoryTransport())
    client.add_event_middleware(
        lambda payload, next: payload.extra or next(payload)
    )

    def log():
        for number in range(500):
            client.log_event(event(number))
            client.log_event(event(number), "stop")
            client.log_event({"event_type": "t"})

    workers = [threading.Thread(target=log) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    client.flush().result(30)

    stats = client.stats()
    assert stats.logged == stats.delivered == 500 * threads
    assert (stats.skipped, stats.invalid) == (500 * threads, 500 * threads)


def test_requests_and_bytes_are_those_that_were_sent(
    make_client, event, collector
):
    """
    As the collector counted them, retries included.
    """
    collector.faults.add(Fault(status=500), times=2)
    collector.faults.add(Fault(indexes=[0]))
    client = make_client(upload_interval_in_sec=60, retry_timeouts=[1, 1])
    for number in range(20):
        client.log_event(event(number))
    client.flush().result(30)

    stats, summary = client.stats(), collector.ledger.summary()
    assert (stats.requests, stats.bytes_sent) == (
        summary.requests,
        summary.bytes,
    )
    assert stats.requests == 4
    assert stats.retries == 3


def test_the_buffer_is_empty_once_all_is_settled(make_client, event):
    """
    And in use before.
    """
    client = make_client(upload_interval_in_sec=60, buffer_bytes=100_000)
    for number in range(100):
        client.log_event(event(number))
    before = client.stats()
    client.flush().result(30)

    assert before.pending == 100
    assert 100 * 50 < before.buffer_used < before.buffer_capacity
    assert before.buffer_capacity == 131_072
    client.shutdown()
    assert client.stats().buffer_used == 0


def test_stats_are_values(make_client, event):
    """
    A snapshot does not change, and cannot be changed.
    """
    client = make_client()
    before = client.stats()
    client.log_event(event()).result(30)

    assert before.logged == 0
    assert client.stats() != before
    assert client.stats() == client.stats()
    with pytest.raises(AttributeError):
        before.logged = 5
    assert isinstance(before, ringamp.Stats)


def test_ids_removed_are_counted_by_id(make_client, collector):
    """
    An event that loses one id counts one.
    """
    client = make_client()
    for _ in range(3):
        client.log_event(
            {"event_type": "t", "user_id": "abc", "device_id": "device-1"}
        )
    client.log_event({"event_type": "t", "user_id": "abc"})
    client.flush().result(30)

    stats = client.stats()
    assert (stats.ids_removed, stats.logged, stats.invalid) == (3, 3, 1)


def test_the_counts_are_a_dict_as_well(make_client, event):
    """
    By the names of the fields, as a monitoring system takes them.
    """
    client = make_client()
    client.log_event(event()).result(30)

    counts = client.stats().to_dict()

    assert counts["logged"] == counts["delivered"] == 1
    assert [*counts] == [*ringamp.Stats.__struct_fields__]
