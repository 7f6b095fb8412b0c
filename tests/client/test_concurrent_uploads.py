# SPDX-License-Identifier: MIT
"""
Several uploads at a time: more of them under way, and every promise of one
kept: order per id, one outcome an event, and an end in time.
"""

from __future__ import annotations

import _thread
import logging
import random
import threading
import time
from collections import defaultdict

import pytest

from ringamp import OptionsError, Response, Status
from ringamp.collector import Fault
from ringamp.flusher.exchange import PolicyExchange
from ringamp.retry import ordered

SEED = random.SystemRandom().randrange(2**32)


class Counting:
    """
    A transport that takes everything after a moment, and knows how many are
    inside at a time, and for which users.
    """

    def __init__(self, seconds=0.02):
        self.seconds = seconds
        self.most = 0
        self.clashes = []
        self.threads = set()
        self._inside = []
        self._lock = threading.Lock()

    def send_payload(self, payload):
        """
        Take it.
        """
        users = {one["user_id"] for one in payload.events}
        with self._lock:
            self.threads.add(threading.get_ident())
            self.clashes += [other & users for other in self._inside]
            self._inside.append(users)
            self.most = max(self.most, len(self._inside))
        time.sleep(self.seconds)
        with self._lock:
            self._inside.remove(users)
        return Response(Status.SUCCESS, 200)


def log_all(client, event, count, users):
    """
    Log events of many users in turn; each knows its number.
    """
    return [
        client.log_event(event(n, user_id=f"user-{n % users:03}"))
        for n in range(count)
    ]


def out_of_order(collector):
    """
    The users whose events did not first arrive in the order they were
    logged.
    """
    numbers = defaultdict(list)
    seen = set()
    for one in collector.ledger.events():
        if one["insert_id"] not in seen:
            seen.add(one["insert_id"])
            numbers[one["user_id"]].append(one["event_id"])
    return [user for user, ids in numbers.items() if ids != sorted(ids)]


@pytest.mark.parametrize("uploads", [2, 3, 8, 16])
def test_so_many_are_under_way_and_an_id_is_in_one_of_them(
    make_client, event, uploads
):
    """
    As many as were asked for, each id in one at a time, and no more threads.
    """
    together = threading.Barrier(uploads, timeout=10)

    class Meets(Counting):
        def send_payload(self, payload):
            together.wait()
            return super().send_payload(payload)

    transport = Meets()
    client = make_client(
        transport_class=transport,
        concurrent_uploads=uploads,
        upload_interval_in_sec=60,
    )
    receipts = log_all(client, event, 1200, users=600)
    client.flush()

    assert {one.result(10).status for one in receipts} == {Status.SUCCESS}
    assert transport.most <= uploads
    assert not any(transport.clashes)
    assert len(transport.threads) == uploads


def test_one_upload_stays_one(make_client, event):
    """
    The default: a request at a time, all from one thread.
    """
    transport = Counting(0.001)
    client = make_client(transport_class=transport)

    for one in log_all(client, event, 300, users=50):
        one.result(10)

    assert (transport.most, len(transport.threads)) == (1, 1)


@pytest.mark.parametrize("given", [0, 17, 2.5, "4", True])
def test_how_many_is_checked(make_client, given):
    """
    What is not from 1 to 16 is refused by name.
    """
    with pytest.raises(OptionsError, match=r"concurrent_uploads.*1 to 16"):
        make_client(concurrent_uploads=given)


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
    assert {one.result(5).status for one in receipts} == {Status.SUCCESS}
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

    assert client.flush().result(10).status is Status.SUCCESS
    assert {one.response.status for one in receipts} == {Status.SUCCESS}
    assert len(collector.ledger.insert_ids()) == 2000
    assert out_of_order(collector) == []


def test_one_track_that_waits_does_not_stop_what_is_ready(
    make_client, event, collector
):
    """
    While the batch of one track waits for its retry, those of the others
    that were taken with it arrive.
    """
    collector.faults.add(Fault(status=503))
    client = make_client(concurrent_uploads=4, retry_timeouts=[600])
    began = time.monotonic()
    receipts = log_all(client, event, 40, users=40)
    client.flush()

    quick = 0
    while time.monotonic() < began + 0.3:
        quick = sum(one.response is not None for one in receipts)
        if quick > 20:
            break
        time.sleep(0.005)

    assert 20 < quick < 40
    assert {one.result(5).status for one in receipts} == {Status.SUCCESS}
    assert client.stats().retries == 1


def test_callbacks_come_from_one_thread(make_client, event, collector):
    """
    Whatever thread sends: `on_delivery` and `on_retry` need no lock.
    """
    callers = set()
    inside = []

    def note(*_):
        inside.append(None)
        callers.add(threading.get_ident())
        time.sleep(0.001)
        assert len(inside) == 1
        inside.pop()

    collector.faults.add(Fault(status=503), times=6)
    client = make_client(
        concurrent_uploads=8,
        retry_timeouts=[10] * 8,
        on_delivery=note,
        on_retry=note,
    )

    for one in log_all(client, event, 400, users=100):
        one.result(10)

    assert len(callers) == 1
    assert client.stats().callback_errors == 0


def test_rejected_events_are_told_one_by_one(make_client, event, collector):
    """
    A 400 that names some events of some batches: these and no others.
    """
    collector.faults.add(Fault(status=400, indexes=(0, 3)), times=3)
    client = make_client(concurrent_uploads=4, upload_interval_in_sec=60)
    receipts = log_all(client, event, 200, users=100)
    worst = client.flush().result(10)

    ends = [one.result(10).status for one in receipts]

    assert worst.status is Status.INVALID
    assert ends.count(Status.INVALID) == 6
    assert ends.count(Status.SUCCESS) == 194
    taken = {one["event_id"] for one in collector.ledger.events()}
    assert taken == {
        number for number, end in enumerate(ends) if end is Status.SUCCESS
    }


def test_a_shutdown_waits_for_all_of_them(make_client, event, collector):
    """
    What is under way when it begins, and what is left in the ring.
    """
    collector.faults.add(Fault(delay=0.1), times=None)
    client = make_client(concurrent_uploads=8)
    receipts = log_all(client, event, 20_000, users=500)

    client.shutdown(10)

    assert {one.response.status for one in receipts} == {Status.SUCCESS}
    assert len(collector.ledger.insert_ids()) == 20_000
    assert out_of_order(collector) == []


def test_a_shutdown_ends_in_time(make_client, event, collector):
    """
    What the deadline leaves no time for is dropped and counted, also what
    several requests have in hand.
    """
    collector.faults.add(Fault(delay=8, taken=False), times=None)
    client = make_client(concurrent_uploads=4)
    receipts = log_all(client, event, 9000, users=100)
    client.flush()
    time.sleep(0.2)
    began = time.monotonic()

    client.shutdown(0.3)

    assert time.monotonic() - began < 2
    stats = client.stats()
    assert (stats.dropped, stats.pending) == (9000, 0)
    assert {one.response.status for one in receipts} == {Status.DROPPED}


def test_its_threads_end_with_the_client(make_client, event):
    """
    After a shutdown none of them is left.
    """
    before = _thread._count()
    client = make_client(transport_class=Counting(0.001), concurrent_uploads=8)
    for one in log_all(client, event, 300, users=100):
        one.result(10)
    during = _thread._count()

    client.shutdown(5)

    assert during == before + 9
    ending = time.monotonic() + 5
    while _thread._count() > before and time.monotonic() < ending:
        time.sleep(0.001)
    assert _thread._count() == before


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

    assert {one.result(10).status for one in receipts} == {Status.SUCCESS}
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
        ends = {one.result(10).status for one in receipts}

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
        assert one.result(5).status is Status.SUCCESS
    assert client.stats().held > 0
    assert client.flush().result(10).status is Status.SUCCESS
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
    collector.faults.add(Fault(delay=1.9), times=None)
    more = {"spool_dir": str(tmp_path)} if has_spool else {}
    client = make_client(
        concurrent_uploads=4,
        retry_timeouts=[] if has_spool else [500],
        **more,
    )
    log_all(client, event, 400, users=200)
    client.flush()
    time.sleep(0.5)
    log_all(client, event, 400, users=200)
    time.sleep(0.7)
    used = time.thread_time(), time.process_time()
    time.sleep(0.5)
    own, all_ = time.thread_time() - used[0], time.process_time() - used[1]

    assert client.stats().pending > 0
    assert all_ - own < 0.1
    collector.faults.clear()
    assert client.flush().result(20).status is not None


def test_ids_may_be_anything(make_client, event):
    """
    Device ids where there is no user id, in all alphabets, by dict and after
    the careful road: an id is in one request at a time.
    """
    together = []
    inside = []
    lock = threading.Lock()

    class Watches:
        def send_payload(self, payload):
            ids = {
                one.get("user_id") or one["device_id"]
                for one in payload.events
            }
            with lock:
                together.extend(ids & other for other in inside)
                inside.append(ids)
            time.sleep(0.005)
            with lock:
                inside.remove(ids)
            return Response(Status.SUCCESS, 200)

    client = make_client(transport_class=Watches(), concurrent_uploads=8)
    names = [
        "datamonster",
        "\u00e9t\u00e9-\u00e9t\u00e9",
        "\u7528\u6237\u540d\u5b57\u957f",
        "x" * 300,
    ]
    receipts = []
    for number in range(1200):
        name = f"{names[number % 4]}{number % 60}"
        made = event(number)
        del made["user_id"]
        if number % 3:
            made["user_id"] = name
        if number % 3 != 1:
            made["device_id"] = name
        if number % 5 == 0:
            made["event_properties"] = {1: "keys that are no strings"}
        receipts.append(client.log_event(made))

    assert {one.result(10).status for one in receipts} == {Status.SUCCESS}
    assert not any(together)
