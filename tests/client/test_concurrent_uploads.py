# SPDX-License-Identifier: MIT
"""
Several uploads at a time: more of them under way, and every promise of one
kept: order per id, one outcome an event, and an end in time.
"""

from __future__ import annotations

import _thread
import threading
import time

import pytest
from uploading import Counting, log_all, out_of_order

from ringamp import OptionsError, Response, Status
from ringamp.collector import Fault


@pytest.mark.parametrize("uploads", [2, 3, 8, 16])
def test_so_many_are_under_way_and_an_id_is_in_one_of_them(
    make_client, event, uploads
):
    """
    As many as were asked for, each id in one at a time, and no more threads.
    """
    together = threading.Barrier(uploads, timeout=60)

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

    assert {one.result(30).status for one in receipts} == {Status.SUCCESS}
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
        one.result(30)

    assert (transport.most, len(transport.threads)) == (1, 1)


@pytest.mark.parametrize("given", [0, 17, 2.5, "4", True])
def test_how_many_is_checked(make_client, given):
    """
    What is not from 1 to 16 is refused by name.
    """
    with pytest.raises(OptionsError, match=r"concurrent_uploads.*1 to 16"):
        make_client(concurrent_uploads=given)


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
        one.result(30)

    assert len(callers) == 1
    assert client.stats().callback_errors == 0


def test_a_shutdown_waits_for_all_of_them(make_client, event, collector):
    """
    What is under way when it begins, and what is left in the ring.
    """
    collector.faults.add(Fault(delay=0.1), times=None)
    client = make_client(concurrent_uploads=8)
    receipts = log_all(client, event, 20_000, users=500)

    client.shutdown(30)

    assert {one.response.status for one in receipts} == {Status.SUCCESS}
    assert len(collector.ledger.insert_ids()) == 20_000
    assert out_of_order(collector) == []


def test_a_shutdown_ends_in_time(make_client, event, collector):
    """
    What the deadline leaves no time for is dropped and counted, also what
    several requests have in hand.
    """
    collector.faults.add(Fault(delay=60, taken=False), times=None)
    client = make_client(concurrent_uploads=4)
    receipts = log_all(client, event, 9000, users=100)
    client.flush()
    assert collector.ledger.wait_for(requests=4)
    began = time.monotonic()

    client.shutdown(0.3)

    assert time.monotonic() - began < 8
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
        one.result(30)
    during = _thread._count()

    client.shutdown(30)

    assert during == before + 9
    ending = time.monotonic() + 30
    while _thread._count() > before and time.monotonic() < ending:
        time.sleep(0.001)
    assert _thread._count() == before


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

    assert {one.result(30).status for one in receipts} == {Status.SUCCESS}
    assert not any(together)
