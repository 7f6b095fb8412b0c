# SPDX-License-Identifier: MIT
"""
Clients that leave the sending to a relay: no thread, no socket, and all that
they log is in the file.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from pathlib import Path

import pytest
from wreckage import drain, event, numbers, open_spool

from ringamp import MemoryTransport, Status
from ringamp.buffer.adoption import LiveOutlet, OrphanOutlet, adopt
from ringamp.client import Client
from ringamp.flusher.handover import EVERYTHING, HANDED_OVER, Handover
from ringamp.options import Options
from ringamp.transport.payload import Envelope

KEY = "0123456789abcdef"


class Never:
    """
    A transport that is asked by nobody.
    """

    made = 0

    def __init__(self):
        type(self).made += 1

    def send_payload(self, payload):
        """
        Fail the test.
        """
        raise AssertionError("something was sent")


@pytest.fixture
def client(tmp_path):
    """
    A client of a relay that there is not.
    """
    made = Client("handover").init(
        KEY, spool_dir=tmp_path, delivery="relay", transport_class=Never
    )
    yield made
    made.shutdown(0)


@pytest.fixture
def spool(tmp_path):
    """
    The spool that a relay of that client would open.
    """
    opened = open_spool(tmp_path, Envelope(KEY, Options()).project)
    yield opened
    opened.close()


def tasks():
    """
    Count the threads of this process, as the kernel does.
    """
    return len(list(Path("/proc/self/task").iterdir()))


def sockets():
    """
    Count the open sockets of this process.
    """
    gc.collect()  # Those that earlier tests have left to it.
    paths = Path("/proc/self/fd").iterdir()
    return sum(os.path.realpath(path).find("socket:") >= 0 for path in paths)


def take(spool, **how):
    """
    Adopt the one ring there is.
    """
    (ring_id,) = spool.ring_ids()
    return adopt(spool, ring_id, b"lib/1", **how)


def test_it_has_neither_thread_nor_socket(client):
    """
    However much is logged; not even a transport is made.
    """
    before = tasks(), sockets()

    for number in range(1000):
        client.log_event(event(number))
    client.flush()

    assert (tasks(), sockets()) == before
    assert Never.made == 0
    assert client.stats().pending == 1000


def test_receipts_are_answered_at_once(client):
    """
    What becomes of the event is the relay's business; nobody waits for it
    here.
    """
    receipt = client.log_event(event())

    assert receipt.status is Status.QUEUED
    assert receipt.result(0) == HANDED_OVER
    assert receipt.response.error.startswith("in the spool; a relay or")


def test_a_flush_is_done_at_once(client):
    """
    With and without events before it: where they are, nothing hurries them.
    """
    assert client.flush().result(0).status is Status.SKIPPED

    client.log_event(event())
    assert client.flush().result(0) == HANDED_OVER


def test_a_relay_finds_all_while_it_lives(client, spool):
    """
    The consumer's lock is free, and events come out as they are logged.
    """
    client.log_event(event(1))
    live = take(spool, live=True)

    assert isinstance(live, LiveOutlet)
    assert numbers(drain(live)) == [1]
    client.log_event(event(2))
    assert numbers(drain(live)) == [2]
    live.close(is_done=False)


def test_what_a_relay_did_is_counted_here(client, spool):
    """
    The sums hold: what it told is no longer pending.
    """
    for number in range(10):
        client.log_event(event(number))
    live = take(spool, live=True)
    drain(live)

    live.settled(6, 2, 1)

    stats = client.stats()
    assert (stats.logged, stats.pending) == (10, 1)
    assert (stats.delivered, stats.rejected, stats.dropped) == (6, 2, 1)
    live.close(is_done=False)


def test_a_shutdown_leaves_what_is_there(client, spool):
    """
    At once, as an orphan; later events are refused.
    """
    client.log_event(event(1))
    begin = time.monotonic()

    client.shutdown()

    assert time.monotonic() - begin < 4
    assert client.log_event(event(2)).status is Status.DROPPED
    orphan = take(spool, live=False)
    assert isinstance(orphan, OrphanOutlet)
    assert numbers(drain(orphan)) == [1]
    orphan.close(is_done=True)


def test_a_shutdown_of_an_empty_ring_leaves_nothing(client, spool):
    """
    The relay has sent all: the file is removed.
    """
    client.log_event(event())
    live = take(spool, live=True)
    drain(live)
    live.close(is_done=False)

    client.shutdown()

    assert spool.ring_ids() == []


def test_a_full_ring_drops_and_counts(tmp_path):
    """
    Without a relay nothing makes room, and nobody waits for it: as the
    option *on_full* says.
    """
    client = Client("full").init(
        KEY, spool_dir=tmp_path, delivery="relay", buffer_bytes=1 << 16
    )
    receipts = [client.log_event(event(n, k="x" * 1000)) for n in range(100)]

    dropped = [one for one in receipts if one.status is Status.DROPPED]
    stats = client.stats()
    assert 30 < len(dropped) < 70
    assert stats.dropped == len(dropped)
    assert stats.logged == stats.dropped + stats.pending == 100
    client.shutdown()


def test_a_blocked_caller_waits_for_the_relay(tmp_path, spool):
    """
    With on_full="block" a caller goes on when the relay has made room, and
    not for longer than it may.
    """
    client = Client("blocked").init(
        KEY,
        spool_dir=tmp_path,
        delivery="relay",
        buffer_bytes=1 << 16,
        on_full="block",
        block_timeout=10,
    )
    live = take(spool, live=True)
    relay = threading.Timer(0.2, drain, [live])
    relay.start()

    statuses = {
        client.log_event(event(n, k="x" * 1000)).status for n in range(70)
    }

    relay.join()
    assert statuses == {Status.QUEUED}
    live.close(is_done=False)
    client.shutdown()


def test_without_a_spool_the_process_sends_by_itself(tmp_path):
    """
    Where the directory cannot be used there is nothing for a relay to find:
    the events are sent from here, and one warning says so.
    """
    tmp_path.chmod(0o777)
    transport = MemoryTransport()
    with pytest.warns(RuntimeWarning, match="kept in memory alone"):
        client = Client("fallen").init(
            KEY,
            spool_dir=tmp_path,
            delivery="relay",
            transport_class=transport,
        )

    assert client.log_event(event()).result(30).status is Status.SUCCESS
    assert len(transport.events) == 1
    client.shutdown()


def test_what_stands_in_for_a_flusher():
    """
    It has nothing to wake, to hurry or to wait for.
    """
    handover = Handover()

    assert handover.wake() is handover.hurry() is handover.close(0.0) is None
    assert not handover.has_thread
    assert not handover.is_own_thread()
    assert EVERYTHING > 2**62
