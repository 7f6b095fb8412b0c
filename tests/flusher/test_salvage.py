# SPDX-License-Identifier: MIT
"""
What others left, sent by a client that lives: rings of dead processes and the
backlog, beside its own events.
"""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import pytest
from shelving import Switched, until
from shelving import put_file as put
from wreckage import (
    event,
    leave,
    names,
    numbers,
)

from ringamp import MemoryTransport, Response, Status
from ringamp.client import Client
from ringamp.clock import SystemClock
from ringamp.flusher import backlog_delivery, salvage

TAKEN = Response(Status.SUCCESS, 200)

WEEK_MS = 7 * 24 * 3600 * 1000


class Bodies:
    """
    A transport that keeps what is sent, byte for byte.
    """

    def __init__(self):
        self.bodies = []

    def send_payload(self, payload):
        """
        Take it.
        """
        self.bodies.append(json.loads(bytes(payload.body)))
        return TAKEN


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    """
    Look for what others left every moment.
    """
    for module in (salvage, backlog_delivery):
        monkeypatch.setattr(module, "SCAN", 0.05)


def test_what_a_dead_process_left_is_sent(start, home):
    """
    With its own insert_ids, once, beside what is logged here; then its file
    is gone.
    """
    ring_id = leave(home, [event(number) for number in range(5)])
    transport = MemoryTransport()
    client = start(transport)

    client.log_event(event(100))
    until(lambda: len(transport.events) == 6)

    assert sorted(numbers(transport.events)) == [0, 1, 2, 3, 4, 100]
    ids = [
        one["insert_id"] for one in transport.events if one["event_id"] < 100
    ]
    assert len(set(ids)) == 5
    assert all(one.startswith(f"{ring_id}-") for one in ids)
    until(lambda: ring_id not in home.ring_ids())


def test_it_is_counted_apart(start, home):
    """
    Another process has counted these as logged: the sums of this one hold
    without them.
    """
    leave(home, [event(number) for number in range(5)])
    client = start(MemoryTransport())

    client.log_event(event(100))
    until(lambda: client.stats().recovered_delivered == 5)

    stats = client.stats()
    assert (stats.adopted, stats.recovered) == (1, 5)
    assert (stats.torn, stats.holes, stats.bad_crc) == (0, 0, 0)
    until(lambda: client.stats().pending == 0)
    assert (stats.logged, client.stats().delivered) == (1, 1)


def test_a_process_that_logs_nothing_sends_nothing(start, home):
    """
    A server's master has no thread; its workers find what there is.
    """
    ring_id = leave(home, [event()])
    transport = MemoryTransport()

    client = start(transport)
    client.flush().result(30)
    client.shutdown()

    assert transport.events == []
    assert home.ring_ids() == [ring_id]


def test_many_rings_are_sent_one_after_the_other(start, home):
    """
    All of them, however many there are.
    """
    for number in range(12):
        leave(home, [event(number)])
    transport = MemoryTransport()
    client = start(transport)

    client.log_event(event(100))
    until(lambda: len(transport.events) == 13)

    until(lambda: names(home) == [".ring"])
    assert client.stats().adopted == 12


def test_many_rings_need_one_look(start, home, monkeypatch):
    """
    All that one look has found is taken up at once, empty rings too; nobody
    waits for the next look with the second one.
    """
    monkeypatch.setattr(salvage, "SCAN", 60)
    monkeypatch.setattr(backlog_delivery, "SCAN", 60)
    for number in range(12):
        leave(home, [event(number)] * (number % 2))
    client = start(MemoryTransport())

    client.log_event(event(100))
    until(lambda: client.stats().adopted == 12)

    until(lambda: names(home) == [".ring"])
    assert client.stats().recovered_delivered == 6


def test_nothing_spins_while_a_ring_waits(start, home):
    """
    For its retry, or for a throttled id, and with others behind it: the
    thread sleeps until then.
    """
    client = start(transport := Switched(), retry_timeouts=[3000, 1])
    transport.is_out = False
    client.log_event(event(100)).result(30)
    for number in range(4):
        leave(home, [event(number)])
    transport.is_out = True
    until(lambda: len(transport.requests) == 2)

    before = time.process_time()
    time.sleep(0.3)

    assert time.process_time() - before < 0.1
    assert len(transport.requests) == 2
    transport.is_out = False
    until(lambda: len(transport.events) == 5)


def test_one_that_dies_later_is_found(start, home):
    """
    By an idle client too, a moment later.
    """
    transport = MemoryTransport()
    client = start(transport)
    client.log_event(event(100)).result(30)

    leave(home, [event(1)])

    until(lambda: numbers(transport.events) == [100, 1])


def test_ids_are_judged_as_where_they_were_logged(start, home):
    """
    Each ring and file says under which limit its ids were checked; that is
    what the service is told.
    """
    leave(home, [event(1)], min_id_length=7)
    put(home, 1, min_id_length=9)
    transport = Bodies()
    client = start(transport, min_id_length=2)

    client.log_event(event(100))
    until(lambda: len(transport.bodies) == 3)

    limits = {
        body["events"][0]["event_id"]: body["options"]["min_id_length"]
        for body in transport.bodies
    }
    assert limits == {100: 2, 1: 7, 0: 9}


def test_the_backlog_is_sent_oldest_first(start, home):
    """
    And its files go, one by one.
    """
    now = int(time.time() * 1000)
    for age in (1, 3, 2):
        put(home, age, now_ms=now - age)
    transport = MemoryTransport()
    client = start(transport)

    client.log_event(event(100)).result(30)
    until(lambda: len(transport.requests) == 4)

    sizes = [len(events) for events in transport.requests]
    assert [size for size in sizes if size != 1] == [3, 2]
    assert sizes[-1] == 1
    until(lambda: home.backlog.names() == [])
    assert client.stats().recovered_delivered == 6


def test_what_the_service_refuses_is_a_dead_letter(start, home):
    """
    Of a dead process's events as of our own, and it is not sent again.
    """
    ring_id = leave(home, [event(1)])
    transport = MemoryTransport([403])
    client = start(transport, upload_interval_in_sec=60)

    client.log_event(event(100))
    until(lambda: client.stats().recovered_rejected == 1)

    folder = Path(home.rings.path).parent / "dead-letters"
    (page,) = folder.iterdir()
    assert json.loads(page.read_text())["event"]["event_id"] == 1
    until(lambda: ring_id not in home.ring_ids())


def test_old_events_are_sent_with_one_warning(start, home, caplog):
    """
    Beyond seven days the service has forgotten what it took.
    """
    put(home, 1, now_ms=int(time.time() * 1000) - 8 * WEEK_MS // 7)
    put(home, 2)
    transport = MemoryTransport()
    client = start(transport, log_level="WARN")

    with caplog.at_level(logging.WARNING, "ringamp"):
        client.log_event(event(100))
        until(lambda: len(transport.events) == 4)

    assert caplog.text.count("logged more than 7 days ago") == 1


def test_a_ring_that_is_old_is_sent_with_a_warning(home, tmp_path, caplog):
    """
    By the time of its first event.
    """

    class Later(SystemClock):
        """
        Eight days on.
        """

        @staticmethod
        def wall():
            """
            Return the time of next week.
            """
            return time.time() + 8 * 24 * 3600

    leave(home, [event(1)])
    transport = MemoryTransport()
    client = Client("later", Later())

    with caplog.at_level(logging.WARNING, "ringamp"):
        client.init(
            "a-key",
            transport_class=transport,
            spool_dir=tmp_path / "spool",
            log_level="WARN",
        )
        client.log_event(event(100))
        until(lambda: len(transport.events) == 2)

    assert "logged more than 7 days ago" in caplog.text
    client.shutdown()


def test_what_is_put_back_is_counted_when_it_has_its_end(start, home):
    """
    However often a file is tried, its events are recovered once.
    """
    put(home, 3)
    transport = Switched()
    client = start(transport, upload_interval_in_sec=60)
    client.log_event(event(100))
    until(lambda: len(transport.requests) >= 2)
    assert client.stats().recovered == 0
    transport.is_out = False

    until(lambda: client.stats().recovered_delivered == 3)

    until(lambda: client.stats().recovered == 3)
