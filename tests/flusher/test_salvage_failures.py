# SPDX-License-Identifier: MIT
"""
What others left, where something fails: a broken file, a service that is out,
a defect of ours, the end of this process.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest
from shelving import Switched, until
from shelving import put_file as put
from wreckage import (
    MAGIC_AT,
    OTHER_PROJECT,
    event,
    leave,
    names,
    numbers,
    open_spool,
    path_of,
    write_at,
)

from ringamp import MemoryTransport, Response, Status
from ringamp.flusher import backlog_delivery, salvage
from ringamp.flusher.adopted import AdoptedRing


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    """
    Look for what others left every moment.
    """
    for module in (salvage, backlog_delivery):
        monkeypatch.setattr(module, "SCAN", 0.05)


def test_a_ring_that_is_none_of_ours_is_put_aside(start, home, caplog):
    """
    Once, and counted; the next one is sent.
    """
    broken = leave(home, [event(1)])
    write_at(path_of(home, broken), MAGIC_AT, b"scribble")
    strange = leave(home, [event(2)])
    other = open_spool(Path(home.rings.path).parents[1], OTHER_PROJECT)
    theirs = leave(other, [event(3)])
    path_of(home, strange).write_bytes(path_of(other, theirs).read_bytes())
    other.close()
    leave(home, [event(4)])
    transport = MemoryTransport()
    client = start(transport, log_level="ERROR")

    with caplog.at_level(logging.ERROR, "ringamp"):
        client.log_event(event(100))
        until(lambda: len(transport.events) == 2)
        until(lambda: client.stats().quarantined == 2)
        time.sleep(0.2)

    assert sorted(numbers(transport.events)) == [4, 100]
    assert client.stats().quarantined == 2
    assert names(home).count(".bad") == 2
    assert "it is of another project" in caplog.text


def test_a_file_that_is_no_batch_is_put_aside(start, home):
    """
    It is counted, and keeps no other file.
    """
    folder = Path(home.rings.path).parent / "backlog"
    broken = put(home, 1, now_ms=1)
    (folder / broken).write_bytes(b"[{")
    put(home, 2)
    transport = MemoryTransport()
    client = start(transport)

    client.log_event(event(100))
    until(lambda: len(transport.events) == 3)

    assert (folder / f"{broken}.bad").exists()
    until(lambda: client.stats().quarantined == 1)


def test_nothing_is_salvaged_while_the_service_is_out(start, home):
    """
    One batch tries for all; what others left waits where it is.
    """
    leave(home, [event(number) for number in range(5)])
    put(home, 3)
    transport = Switched()
    client = start(transport, retry_timeouts=[1])

    client.log_event(event(100))
    until(lambda: client.stats().spooled == 1)
    tried = len(transport.requests)
    time.sleep(0.3)

    assert len(transport.requests) == tried
    transport.is_out = False
    until(lambda: not home.backlog.names() and names(home) == [".ring"])
    assert sorted(numbers(transport.events)) == [
        *(0, 0, 1, 1, 2, 2, 3, 4),
        100,
    ]


def test_a_failure_at_a_ring_keeps_nothing_else(
    start, home, monkeypatch, caplog
):
    """
    A defect of ours, or no memory: our own events and other rings go on, and
    this ring is left to other processes.
    """
    bad, good = sorted([leave(home, [event(1)]), leave(home, [event(2)])])
    turn = AdoptedRing.turn

    def fail(ring, timeout):
        if ring.ring_id == bad:
            raise MemoryError("no room")
        return turn(ring, timeout)

    monkeypatch.setattr(AdoptedRing, "turn", fail)
    transport = MemoryTransport()
    client = start(transport, log_level="ERROR")

    with caplog.at_level(logging.ERROR, "ringamp"):
        for number in range(100, 110):
            client.log_event(event(number)).result(30)
        until(lambda: len(transport.events) == 11)
        time.sleep(0.2)

    assert caplog.text.count("MemoryError") == 1
    assert client.stats().adopted == 2
    assert good not in home.ring_ids()
    assert bad in home.ring_ids()
    monkeypatch.undo()
    start(other := MemoryTransport()).log_event(event(200))
    until(lambda: len(other.events) == 2)


def test_a_failure_at_the_backlog_keeps_nothing_else(start, home, monkeypatch):
    """
    Our own events go on; the file is put back, and tried again later.
    """
    put(home, 3)
    delivery = backlog_delivery.BacklogDelivery
    send, failures = delivery._send, []

    def fail(one, *args):
        if not failures:
            failures.append(
                one._outlet.fill(b"", b"", max_count=1, max_bytes=1)
            )
            raise MemoryError
        return send(one, *args)

    monkeypatch.setattr(delivery, "_send", fail)
    transport = MemoryTransport()
    client = start(transport)

    client.log_event(event(100)).result(30)
    until(lambda: failures)
    client.log_event(event(101)).result(30)

    until(lambda: len(transport.events) == 5)
    until(lambda: home.backlog.names() == [])


def test_a_failure_at_the_end_loses_none_of_ours(start, home, monkeypatch):
    """
    What is left here is sent at shutdown, whatever becomes of what others
    left.
    """

    def fail(_):
        raise MemoryError

    monkeypatch.setattr(AdoptedRing, "close", fail)
    leave(home, [event(number) for number in range(9)])
    transport = MemoryTransport([503])
    client = start(transport, upload_interval_in_sec=60)
    client.log_event(event(100))
    until(lambda: transport.requests)

    client.log_event(event(101))
    client.shutdown(30)

    assert {100, 101} <= set(numbers(transport.events))
    assert client.stats().pending == 0


def test_a_shutdown_puts_back_what_others_left(start, home):
    """
    Their events are on disk, for whoever lives longer; this process does not
    wait for them.
    """
    leave(home, [event(number) for number in range(9)])
    put(home, 3)
    client = start(transport := Switched(), retry_timeouts=[60_000])
    client.log_event(event(100))
    until(lambda: transport.requests)
    begin = time.monotonic()

    client.shutdown(0.5)

    assert time.monotonic() - begin < 20
    assert transport.events == []
    start(other := MemoryTransport()).log_event(event(200))
    until(lambda: len(other.events) == 14)
    assert sorted(numbers(other.events))[-3:] == [8, 100, 200]


EVIL = [b"null", b'{"a":1},{"b":2}', b'{"a":1}]}', b"\xff", b"[]"]


@pytest.mark.parametrize("is_out", [False, True])
def test_records_that_are_no_events_spoil_nothing(start, home, is_out):
    """
    They are dead letters at once, and never in a request or in a file of the
    backlog; what is around them is delivered.
    """
    evil = [*EVIL, *EVIL]
    mixed = [one for n, other in enumerate(evil) for one in (event(n), other)]
    ring_id = leave(home, mixed, min_id_length=0)
    transport = Switched()
    transport.is_out = is_out
    client = start(transport, retry_timeouts=[1])

    client.log_event(event(100))
    if is_out:
        until(
            lambda: (
                ring_id not in home.ring_ids() or len(transport.requests) > 2
            )
        )
        transport.is_out = False
    until(lambda: len(transport.events) == 11)

    assert sorted(numbers(transport.events)) == [*range(10), 100]
    until(lambda: ring_id not in home.ring_ids())
    assert client.stats().recovered_rejected == len(evil)
    (page,) = (Path(home.rings.path).parent / "dead-letters").iterdir()
    assert page.read_bytes().count(b"is no event in JSON") == len(evil)


def test_a_ring_of_nothing_but_that(start, home):
    """
    No request is made of it, and it is gone in the end.
    """
    ring_id = leave(home, EVIL * 100, capacity=1 << 21)
    client = start(transport := MemoryTransport())

    client.log_event(event(100)).result(30)
    until(lambda: ring_id not in home.ring_ids())

    assert [len(events) for events in transport.requests] == [1]
    assert client.stats().recovered_rejected == 500


def test_what_is_put_back_in_parts_is_counted_once(start, home):
    """
    A file that was halved when this process stopped, beside one whose events
    were logged under another limit on ids: what was put back was not taken.
    """
    now = int(time.time() * 1000)
    put(home, 1, now_ms=now - 1000, min_id_length=5)
    put(home, 4, now_ms=now, min_id_length=9)
    ended = threading.Event()

    class Refuses(MemoryTransport):
        def send_payload(self, payload):
            if len(payload.events) < 4:
                return super().send_payload(payload)
            threading.Thread(target=stop).start()
            until(lambda: client.log_event(event(101)).status != "queued")
            return Response(Status.PAYLOAD_TOO_LARGE, 413)

    def stop():
        client.shutdown(30)
        ended.set()

    client = start(transport := Refuses())
    client.log_event(event(100))

    assert ended.wait(30)
    stats = client.stats()
    assert stats.recovered == stats.recovered_delivered
    start(other := MemoryTransport()).log_event(event(200))
    until(lambda: 200 in numbers(other.events))
    until(lambda: home.backlog.names() == [])
    sent = numbers(transport.events) + numbers(other.events)
    assert sorted(n for n in sent if n < 100) == [0, 0, 1, 2, 3]
