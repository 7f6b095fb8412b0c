# SPDX-License-Identifier: MIT
"""
A shutdown whose deadline passes while the thread is busy: every event has
its one end, wherever it is just then.
"""

from __future__ import annotations

import collections
import threading
import time

import pytest

from ringamp import Response, Status
from ringamp.flusher import loop
from ringamp.flusher.exchange import PolicyExchange

TAKEN = Response(Status.SUCCESS, 200)
THROTTLED = Response(
    Status.RATE_LIMIT, 429, {"throttled_users": {"throttled": 50}}
)


class Stops:
    """
    A transport that plays answers, and waits before one of them.
    """

    def __init__(self, *answers, stop_at=None):
        self.answers = collections.deque(answers)
        self.stop_at = stop_at
        self.stopped = threading.Event()
        self.go_on = threading.Event()
        self.requests = 0

    def send_payload(self, payload):
        """
        Play the next answer.
        """
        self.requests += 1
        if self.requests == self.stop_at:
            self.stop()
        return self.answers.popleft() if self.answers else TAKEN

    def stop(self):
        """
        Wait until the test lets go.
        """
        self.stopped.set()
        self.go_on.wait(30)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """
    Wait no second for what does not end anyway.
    """
    monkeypatch.setattr(loop, "GRACE", 0.02)


def event(number, user="somebody"):
    """
    Make an event that carries a number.
    """
    return {"event_type": "t", "user_id": user, "event_id": number}


def until(condition):
    """
    Wait until *condition* holds.
    """
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.002)


def test_what_waits_in_a_lane_is_told_once(make_client):
    """
    A batch of which a part went into a lane is not dropped as a whole while
    the rest is being sent: the lane is dropped by itself.
    """
    told = collections.Counter()
    transport = Stops(THROTTLED, stop_at=2)
    client = make_client(
        transport,
        upload_interval_in_sec=60,
        on_delivery=lambda events, response: told.update(
            (one["event_id"], response.error) for one in events
        ),
    )
    client.log_event(event(0, "throttled"))
    client.flush()
    until(lambda: client.stats().held == 1)
    client.log_event(event(1, "throttled"))
    client.log_event(event(2))
    client.flush()
    assert transport.stopped.wait(30)

    client.shutdown(0.05)
    transport.go_on.set()

    stats = client.stats()
    assert (stats.logged, stats.dropped, stats.pending) == (3, 3, 0)
    assert sorted(number for number, _ in told) == [0, 1, 2]
    assert set(told.values()) == {1}
    by_number = dict(told.keys())
    assert "may have taken it" in by_number[2]
    assert "not sent" in by_number[1]


NAMING = {
    "resent": {"events_with_invalid_fields": {"price": [0]}},
    "held": {
        "events_with_invalid_fields": {"price": [0]},
        "throttled_users": {"throttled": 50},
    },
}


@pytest.mark.parametrize("name", NAMING)
def test_what_comes_back_too_late_is_dropped(make_client, name):
    """
    A callback is told of the first event and does not return in time: the
    others of the answer, which were to be sent again or to wait, have an end
    all the same.
    """
    answer = Response(Status.INVALID, 400, NAMING[name])
    transport = Stops(answer)

    def dwell(events, response):
        if response.status is Status.INVALID:
            transport.stop()

    client = make_client(
        transport, upload_interval_in_sec=60, on_delivery=dwell
    )
    receipts = [client.log_event(event(n, "throttled")) for n in range(3)]
    flush = client.flush()
    assert transport.stopped.wait(30)

    client.shutdown(0.05)
    transport.go_on.set()
    ends = [receipt.result(30).status for receipt in receipts]

    assert ends == [Status.INVALID, Status.DROPPED, Status.DROPPED]
    assert flush.result(30).status is Status.INVALID
    stats = client.stats()
    assert (stats.rejected, stats.dropped, stats.pending) == (1, 2, 0)
    assert (stats.held, transport.requests) == (0, 1)


def test_a_defect_while_others_wait_costs_what_was_being_sent(
    make_client, monkeypatch
):
    """
    What waits for a throttled id is not in the hand that failed: it is sent
    in its time, and told once.
    """
    monkeypatch.setattr("ringamp.retry.ordered.HOLD", 1.5)
    post = PolicyExchange.post
    requests = []

    def fail_second(self, batch, timeout):
        requests.append(len(batch))
        if len(requests) == 2:
            raise ZeroDivisionError("ours")
        return post(self, batch, timeout)

    monkeypatch.setattr(PolicyExchange, "post", fail_second)
    client = make_client(Stops(THROTTLED), upload_interval_in_sec=60)
    held = [client.log_event(event(0, "throttled"))]
    client.flush()
    until(lambda: client.stats().held == 1)
    held.append(client.log_event(event(1, "throttled")))
    lost = client.log_event(event(2))
    client.flush()

    assert lost.result(30).status is Status.DROPPED
    assert [r.result(30).status for r in held] == [Status.SUCCESS] * 2
    stats = client.stats()
    assert (stats.delivered, stats.dropped, stats.pending) == (2, 1, 0)


def test_a_callback_does_not_wait_for_who_waits_for_it(make_client):
    """
    It shuts down just as another thread has begun to: it returns at once.
    """
    waited = []
    done = threading.Event()

    def stop(events, response):
        began = time.monotonic()
        client.shutdown(30)
        waited.append(time.monotonic() - began)
        done.set()

    client = make_client(Stops(), on_delivery=stop)
    # As the other thread does, in the first step of its shutdown.
    with client._session._closing:
        client.log_event(event(0))
        assert done.wait(30)

    assert waited[0] < 20
    client.shutdown(30)
    assert client.stats().pending == 0
