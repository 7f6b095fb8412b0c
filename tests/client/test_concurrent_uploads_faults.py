# SPDX-License-Identifier: MIT
"""
What goes wrong with one of several uploads at a time: the others go on, order
per id is kept, and every event has one outcome.
"""

from __future__ import annotations

import logging
import random
import time

import pytest
from uploading import Counting, log_all, out_of_order

from ringamp import Status
from ringamp.collector import Fault
from ringamp.flusher.exchange import PolicyExchange
from ringamp.retry import ordered

SEED = random.SystemRandom().randrange(2**32)

FAULTS = [
    Fault(status=503),
    Fault(status=500, taken=True),
    Fault(reset="before"),
    Fault(reset="after"),
    Fault(half=True),
    Fault(delay=0.05),
    Fault(users=("user-003", "user-017")),
    Fault(users=("user-005",)),
    Fault(status=408),
]


@pytest.mark.parametrize("round_", range(4))
def test_faults_change_neither_order_nor_number(
    make_client, event, collector, monkeypatch, round_
):
    """
    Whatever goes wrong on the way, each event is taken, and each user's in
    the order of the calls.
    """
    seed = SEED + round_
    print("seed", seed)
    chance = random.Random(seed)
    monkeypatch.setattr(ordered, "HOLD", 0.1)
    client = make_client(
        concurrent_uploads=chance.choice([2, 4, 8]),
        retry_timeouts=[20] * 40,
        buffer_bytes=1 << 20,
        on_full="block",
    )
    receipts = []
    for burst in range(8):
        for fault in chance.sample(FAULTS, 3):
            collector.faults.add(fault, times=chance.randint(1, 3))
        receipts += [
            client.log_event(
                event(
                    1000 * burst + number,
                    user_id=f"user-{chance.randrange(40):03}",
                )
            )
            for number in range(chance.randint(1, 700))
        ]
        time.sleep(chance.random() / 30)
    flush = client.flush()

    assert flush.result(60).status is Status.SUCCESS
    assert {one.result(30).status for one in receipts} == {Status.SUCCESS}
    stats = client.stats()
    assert (stats.logged, stats.delivered) == (len(receipts),) * 2
    assert stats.buffer_used == stats.held == 0
    assert len(collector.ledger.insert_ids()) == len(receipts)
    assert out_of_order(collector) == []


def test_what_is_too_large_is_halved_on_its_track(
    make_client, event, collector
):
    """
    A 413 for the batch of each track: both halves arrive, in order.
    """
    collector.faults.add(Fault(status=413), times=4)
    client = make_client(concurrent_uploads=4, upload_interval_in_sec=60)
    receipts = log_all(client, event, 2000, users=200)

    assert client.flush().result(30).status is Status.SUCCESS
    assert {one.response.status for one in receipts} == {Status.SUCCESS}
    assert len(collector.ledger.insert_ids()) == 2000
    assert out_of_order(collector) == []


def test_one_track_that_waits_does_not_stop_what_is_ready(
    make_client, event, collector, until
):
    """
    While the batch of one track waits for its retry, those of the others
    that were taken with it arrive.
    """
    collector.faults.add(Fault(status=503))
    client = make_client(
        concurrent_uploads=4,
        retry_timeouts=[4000],
        upload_interval_in_sec=60,
    )
    receipts = log_all(client, event, 40, users=40)
    client.flush()

    def quick():
        return sum(one.response is not None for one in receipts)

    until(lambda: quick() > 20)

    assert quick() < 40
    assert {one.result(30).status for one in receipts} == {Status.SUCCESS}
    assert client.stats().retries == 1


def test_rejected_events_are_told_one_by_one(make_client, event, collector):
    """
    A 400 that names some events of some batches: these and no others.
    """
    collector.faults.add(Fault(status=400, indexes=(0, 3)), times=3)
    client = make_client(concurrent_uploads=4, upload_interval_in_sec=60)
    receipts = log_all(client, event, 200, users=100)
    worst = client.flush().result(30)

    ends = [one.result(30).status for one in receipts]

    assert worst.status is Status.INVALID
    assert ends.count(Status.INVALID) == 6
    assert ends.count(Status.SUCCESS) == 194
    taken = {one["event_id"] for one in collector.ledger.events()}
    assert taken == {
        number for number, end in enumerate(ends) if end is Status.SUCCESS
    }


def test_a_transport_that_raises_costs_its_batch_alone(make_client, event):
    """
    In whichever thread it raises: a response, a retry, and no thread less.
    """
    failures = iter([KeyError("a"), SystemExit(3), ValueError("b")])
    taken = []

    class Raises(Counting):
        def send_payload(self, payload):
            error = next(failures, None)
            if error is not None:
                raise error
            taken.extend(one["event_id"] for one in payload.events)
            return super().send_payload(payload)

    client = make_client(
        transport_class=Raises(0.001),
        concurrent_uploads=4,
        retry_timeouts=[1] * 9,
    )

    receipts = log_all(client, event, 100, users=50)

    assert {one.result(30).status for one in receipts} == {Status.SUCCESS}
    assert sorted(taken) == list(range(100))


def test_a_defect_of_ours_in_an_upload_loses_nothing(
    make_client, event, monkeypatch, caplog, collector
):
    """
    It is logged as critical, and the batch is sent again by the same thread.
    """
    post, failures = PolicyExchange.post, []

    def fail_twice(self, batch, timeout):
        if len(failures) < 2:
            failures.append(batch)
            raise ZeroDivisionError("ours")
        return post(self, batch, timeout)

    monkeypatch.setattr(PolicyExchange, "post", fail_twice)
    client = make_client(concurrent_uploads=4, retry_timeouts=[1, 1, 1])

    with caplog.at_level(logging.CRITICAL, "ringamp"):
        receipts = log_all(client, event, 200, users=50)
        ends = {one.result(30).status for one in receipts}

    assert ends == {Status.SUCCESS}
    assert "ZeroDivisionError" in caplog.text
    assert out_of_order(collector) == []


def test_a_throttled_user_waits_alone(
    make_client, event, collector, monkeypatch
):
    """
    A held id keeps its order; everybody else goes past it, on its own track
    too.
    """
    monkeypatch.setattr(ordered, "HOLD", 0.4)
    collector.faults.add(Fault(users=("user-001",)), times=2)
    client = make_client(concurrent_uploads=2)
    receipts = log_all(client, event, 400, users=10)
    client.flush()
    later = log_all(client, event, 400, users=10)
    others = [
        one for number, one in enumerate(receipts + later) if number % 10 != 1
    ]

    for one in others:
        assert one.result(30).status is Status.SUCCESS
    assert client.stats().held > 0
    assert client.flush().result(30).status is Status.SUCCESS
    numbers = [one["event_id"] for one in collector.ledger.events("user-001")]
    assert numbers == sorted(numbers[:40]) + sorted(numbers[40:])


@pytest.mark.parametrize("has_spool", [False, True])
def test_waiting_for_answers_costs_no_time(
    make_client, event, collector, tmp_path, has_spool
):
    """
    While some requests are under way and others failed, with events that
    wait in the ring, the thread that flushes sleeps; also once the service
    might be tried again, which waits for those answers.
    """
    tmp_path.chmod(0o700)
    collector.faults.add(Fault(status=503))
    collector.faults.add(Fault(delay=4), times=None)
    more = {"spool_dir": str(tmp_path)} if has_spool else {}
    client = make_client(
        concurrent_uploads=4,
        retry_timeouts=[] if has_spool else [500],
        **more,
    )
    log_all(client, event, 400, users=200)
    client.flush()
    assert collector.ledger.wait_for(requests=4)
    log_all(client, event, 400, users=200)
    time.sleep(1)
    used = time.thread_time(), time.process_time()
    time.sleep(0.5)
    own, all_ = time.thread_time() - used[0], time.process_time() - used[1]

    assert client.stats().pending > 0
    assert all_ - own < 0.1
    collector.faults.clear()
    assert client.flush().result(30).status is not None
