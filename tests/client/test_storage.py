# SPDX-License-Identifier: MIT
"""
Where a client's ring lives: in a file of the spool, or in memory alone where
there is no spool to be had.
"""

from __future__ import annotations

import os
import time

import pytest
from descriptors import descriptors
from forking import fork
from wreckage import drain, open_spool, project_of

from ringamp import MemoryTransport, Status
from ringamp.bindings import HEADER_SIZE
from ringamp.buffer.adoption import adopt
from ringamp.client import Client
from ringamp.clock import SystemClock
from ringamp.collector import Fault
from ringamp.options import Options
from ringamp.storage import Storage

KEY = "0123456789abcdef0123456789abcdef"

NEVER = 60
"""Seconds of an upload interval that no test waits for."""


@pytest.fixture
def spool_dir(tmp_path):
    """
    The path of a spool that is not there yet.
    """
    return tmp_path / "spool"


def files(path):
    """
    List the files below a directory, by the folder they are in.
    """
    return sorted(
        one.relative_to(path).parts[1]
        for one in path.rglob("*")
        if one.is_file()
    )


def rings(path):
    """
    List the ring files below a directory.
    """
    return list(path.rglob("*.ring"))


def left_in(path, url=None):
    """
    Adopt what is left in a spool; return its events.
    """
    spool = open_spool(path, project_of(KEY, url))
    found = []
    for ring_id in spool.ring_ids():
        orphan = adopt(spool, ring_id, b"lib/1", live=False)
        if orphan is not None:
            found += drain(orphan)
            orphan.close(is_done=True)
    spool.close()
    return found


def test_without_a_spool_nothing_is_on_disk(tmp_path, monkeypatch):
    """
    That is the default.
    """
    monkeypatch.chdir(tmp_path)
    storage = Storage(Options(), bytes(16), SystemClock())

    assert (storage.spool, storage.file, storage.fault) == (None, None, None)
    assert storage.region.capacity == Options().buffer_bytes
    assert list(tmp_path.iterdir()) == []
    storage.close(is_done=True)
    storage.abandon()


def test_what_is_logged_is_in_the_file(make_client, event, spool_dir):
    """
    Before it is sent, and under a name that no API key is in.
    """
    client = make_client(
        spool_dir=spool_dir, upload_interval_in_sec=NEVER, buffer_bytes=2**17
    )
    client.log_event(event(1))

    (ring,) = rings(spool_dir)
    assert b'"Checkout"' in ring.read_bytes()
    assert ring.stat().st_size == HEADER_SIZE + 2**17
    assert client.stats().buffer_capacity == 2**17
    for path in spool_dir.rglob("*"):
        assert KEY not in str(path)
    assert KEY.encode() not in ring.read_bytes()


def test_a_normal_day_leaves_nothing(make_client, event, spool_dir):
    """
    Sent, delivered, shut down: no file is left, and no descriptor.
    """
    before = descriptors()
    client = make_client(
        spool_dir=spool_dir, transport_class=MemoryTransport()
    )
    for number in range(100):
        client.log_event(event(number))

    client.shutdown()

    assert client.stats().delivered == 100
    assert files(spool_dir) == []
    assert descriptors() == before


def test_a_second_init_leaves_nothing_of_the_first(
    make_client, event, spool_dir, collector
):
    """
    It is sent, its file removed; the new one has a file of its own.
    """
    client = make_client(spool_dir=spool_dir, upload_interval_in_sec=NEVER)
    client.log_event(event(1))
    (first,) = rings(spool_dir)

    client.init(KEY, server_url=collector.url, spool_dir=spool_dir)

    (second,) = rings(spool_dir)
    assert first != second
    assert collector.ledger.summary().accepted == 1


def test_two_clients_share_a_spool(make_client, event, spool_dir, collector):
    """
    Of one project or of two: each sends its own.
    """
    clients = [make_client(spool_dir=spool_dir) for _ in range(2)]
    clients[0].init(
        "another-key", server_url=collector.url, spool_dir=spool_dir
    )

    for client in clients:
        assert client.log_event(event()).result(30).status is Status.SUCCESS

    assert len(rings(spool_dir)) == 2
    assert len(list(spool_dir.iterdir())) == 2


def test_a_spool_keeps_to_the_upload_interval(
    make_client, event, spool_dir, collector
):
    """
    Looking for what others left does not send our own before its time.
    """
    client = make_client(spool_dir=spool_dir, upload_interval_in_sec=NEVER)
    client.log_event(event())
    time.sleep(0.3)

    assert collector.ledger.summary().requests == 0
    client.flush().result(30)
    assert collector.ledger.summary().accepted == 1


def test_what_is_out_of_time_at_shutdown_is_left(
    make_client, event, spool_dir, collector
):
    """
    On disk, for the next process; who waits is told so, and it counts as
    pending.
    """
    collector.faults.add(Fault(status=503), times=1000)
    client = make_client(spool_dir=spool_dir, retry_timeouts=[10_000])
    receipts = [client.log_event(event(number)) for number in range(10)]
    begin = time.monotonic()

    client.shutdown(0.3)

    assert time.monotonic() - begin < 8
    assert {receipt.status for receipt in receipts} == {Status.QUEUED}
    stats = client.stats()
    assert (stats.pending, stats.spooled, stats.dropped) == (10, 10, 0)
    assert files(spool_dir) != []


def test_retries_used_up_go_to_the_backlog(
    make_client, event, spool_dir, collector, until
):
    """
    Instead of being dropped, and from there to the service when it is back.
    """
    collector.faults.add(Fault(status=503), times=3)
    client = make_client(spool_dir=spool_dir, retry_timeouts=[10])

    receipt = client.log_event(event())

    answer = receipt.result(30)
    assert answer.status is Status.QUEUED
    assert "kept in the spool's backlog" in answer.error
    until(lambda: collector.ledger.summary().accepted == 1)
    until(lambda: "backlog" not in files(spool_dir))
    stats = client.stats()
    assert (stats.spooled, stats.recovered_delivered) == (1, 1)
    assert stats.logged == stats.pending == 1


def test_refused_events_are_dead_letters(
    make_client, event, spool_dir, collector
):
    """
    In a file of the day; the receipt says what the service said.
    """
    collector.faults.add(Fault(status=403))
    client = make_client(spool_dir=spool_dir)

    assert client.log_event(event(7)).result(30).status_code == 403

    client.shutdown()
    assert files(spool_dir) == ["dead-letters"]
    (page,) = (path for path in spool_dir.rglob("*.ndjson"))
    assert '"event_id":7' in page.read_text()


def test_a_child_has_a_ring_of_its_own(make_client, event, spool_dir):
    """
    What the parent logged is the parent's; the child's is in another file,
    and outlives the child.
    """
    client = make_client(spool_dir=spool_dir, upload_interval_in_sec=NEVER)
    client.log_event(event(1))
    pid = fork()
    if pid == 0:
        code = 1
        try:
            client.log_event(event(2))
            code = 0 if len(rings(spool_dir)) == 2 else 2
        finally:
            os._exit(code)

    assert os.waitpid(pid, 0)[1] == 0
    left = left_in(spool_dir, client.options.url)
    assert [one["event_id"] for one in left] == [2]
    assert client.stats().pending == 1


def test_a_child_does_not_keep_a_dead_parents_ring(spool_dir, event):
    """
    A parent that is gone left an orphan, though its child lives.
    """
    ready, stay = os.pipe(), os.pipe()
    pid = fork()
    if pid == 0:
        client = Client("parent").init(
            KEY, spool_dir=spool_dir, upload_interval_in_sec=NEVER
        )
        client.log_event(event(1))
        if fork() == 0:
            os.close(stay[1])
            os.write(ready[1], b"x")
            os.read(stay[0], 1)
        os._exit(0)
    os.waitpid(pid, 0)
    os.read(ready[0], 1)
    try:
        assert [one["event_id"] for one in left_in(spool_dir)] == [1]
    finally:
        for fd in (*ready, *stay):
            os.close(fd)


def test_auto_is_a_directory_of_ours(
    make_client, event, monkeypatch, spool_dir
):
    """
    Below XDG_RUNTIME_DIR, made when it is missing.
    """
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(spool_dir))
    client = make_client(spool_dir="auto", transport_class=MemoryTransport())

    assert client.log_event(event()).result(30).status is Status.SUCCESS
    assert len(rings(spool_dir / "ringamp")) == 1
