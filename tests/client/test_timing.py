# SPDX-License-Identifier: MIT
"""
When events are sent, and that nothing happens when there is nothing to send.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from ringamp import MemoryTransport, Response, Status
from ringamp.collector import Fault


def threads():
    """
    The threads of this process, as the kernel counts them.
    """
    return set(Path("/proc/self/task").iterdir())


def switches(thread):
    """
    How often *thread* was put to sleep or interrupted; None if it is not
    asleep, though it may wait for a processor.
    """
    lines = (thread / "status").read_text().splitlines()
    if not any(line.startswith("State:\tS") for line in lines):
        return None
    return sum(int(line.split()[1]) for line in lines if "_ctxt_sw" in line)


IDLE = {
    "after an event": {},
    "with an interval": {"upload_interval_in_sec": 0.02},
    "with few cached": {"max_cached_events": 1},
}


@pytest.mark.parametrize("name", IDLE)
def test_an_idle_thread_does_not_wake(make_client, event, until, name):
    """
    Whatever it did before: with nothing to send, it sleeps until the next
    event, and not a moment less.
    """
    before = threads()
    client = make_client(transport_class=MemoryTransport(), **IDLE[name])
    for number in range(3):
        client.log_event(event(number)).result(30)
    (thread,) = threads() - before
    seen = []

    def is_quiet():
        seen.append(switches(thread))
        return seen[-1] and seen[-3:] == [seen[-1]] * 3

    until(is_quiet)
    count = switches(thread)
    time.sleep(0.3)

    assert switches(thread) == count is not None


def test_a_client_that_was_shut_down_has_no_thread(make_client, event, until):
    """
    Nor has one that was replaced.
    """
    before = threads()
    client = make_client()
    client.log_event(event()).result(30)
    client.init("another-key", transport_class=MemoryTransport())
    client.log_event(event()).result(30)
    client.shutdown()

    until(lambda: len(threads() - before) == 0)


def test_steady_events_do_not_put_the_interval_off(
    make_client, event, collector
):
    """
    It runs from the first event that waits, however many follow.
    """
    client = make_client(upload_interval_in_sec=0.2)
    began = time.monotonic()
    count = requests = 0
    while requests < 4:
        assert time.monotonic() < began + 30
        client.log_event(event(count))
        count += 1
        time.sleep(0.01)
        requests = collector.ledger.summary().requests

    assert requests <= (time.monotonic() - began) / 0.2
    client.flush().result(30)
    assert collector.ledger.summary().accepted == count


def test_steady_events_do_not_put_the_linger_off(make_client, event):
    """
    Without an interval the first event is sent while others still come.
    """
    client = make_client()
    first = client.log_event(event())
    end = time.monotonic() + 30
    while first.response is None and time.monotonic() < end:
        client.log_event(event())
        time.sleep(0.001)

    assert first.response.status is Status.SUCCESS
    assert client.stats().logged < 2000


def test_retries_keep_to_their_table(make_client, event, collector):
    """
    Each wait is at least as long as its entry, and not much longer.
    """
    collector.faults.add(Fault(status=503), times=3)
    client = make_client(retry_timeouts=[100, 200, 300])
    client.log_event(event()).result(30)

    times = [note.time for note in collector.ledger.requests()]
    waits = [after - before for before, after in pairwise(times)]
    for wait, entry in zip(waits, [0.1, 0.2, 0.3], strict=True):
        assert entry <= wait < 1.5 * entry + 5


def test_a_request_has_a_deadline_as_a_whole(make_client, event, collector):
    """
    An answer that comes byte by byte ends in time, and counts as a timeout.
    """
    collector.faults.add(Fault(drip=0.5))
    client = make_client(request_timeout_millis=200, retry_timeouts=[])
    began = time.monotonic()

    response = client.log_event(event()).result(30)

    assert response.status is Status.TIMEOUT
    assert time.monotonic() - began < 10


def test_time_is_that_of_the_call_for_every_event(
    make_client, event, collector
):
    """
    Not that of the batch: events of one request keep their distance.
    """
    client = make_client(upload_interval_in_sec=60)
    marks = []
    for number in range(4):
        before = time.time() * 1000
        client.log_event(event(number))
        marks.append((before, time.time() * 1000))
        time.sleep(0.03)
    client.flush().result(30)

    for sent, (before, after) in zip(
        collector.ledger.events(), marks, strict=True
    ):
        assert before - 1 <= sent["time"] <= after + 1


def test_a_custom_transport_learns_what_is_left_of_the_deadline(
    make_client, event
):
    """
    At a shutdown a request may take no longer than the shutdown.
    """
    timeouts = []

    class Asks:
        def send_payload(self, payload):
            timeouts.append(payload.timeout)
            return Response(Status.SUCCESS, 200)

    for interval, timeout in ((0, 5), (60, 2)):
        client = make_client(
            transport_class=Asks,
            request_timeout_millis=3000,
            upload_interval_in_sec=interval,
        )
        receipt = client.log_event(event())
        if not interval:
            receipt.result(30)
        client.shutdown(timeout)
        assert receipt.result(0).status is Status.SUCCESS

    assert timeouts[0] == 3
    assert 0 < timeouts[1] <= 2
