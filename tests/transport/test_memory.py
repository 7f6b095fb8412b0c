# SPDX-License-Identifier: MIT
"""
MemoryTransport: records and plays back.
"""

from __future__ import annotations

import threading

import pytest

from ringamp.options import Options
from ringamp.protocols import Transport
from ringamp.status import Response, Status
from ringamp.transport.memory import MemoryTransport
from ringamp.transport.payload import Envelope


def payload(*types):
    """
    Make a request of events of these types.
    """
    made = Envelope("KEY", Options.build())
    return made.payload([{"event_type": name} for name in types])


def test_it_records_and_succeeds():
    """
    Without answers given every request succeeds; events are kept decoded.
    """
    transport: Transport = MemoryTransport()

    first = transport.send_payload(payload("a", "b"))
    transport.send_payload(payload("c"))

    assert (first.status, first.status_code) == (Status.SUCCESS, 200)
    assert transport.requests == [
        [{"event_type": "a"}, {"event_type": "b"}],
        [{"event_type": "c"}],
    ]
    assert [event["event_type"] for event in transport.events] == list("abc")


def test_it_plays_back_then_succeeds():
    """
    Responses, codes and exceptions come in order, then success.
    """
    own = Response(Status.TIMEOUT, 0, None, "slow")
    transport = MemoryTransport([own, 429, OSError("broken")])

    assert transport.send_payload(payload("a")) is own
    assert transport.send_payload(payload("a")).status is Status.RATE_LIMIT
    with pytest.raises(OSError, match="broken"):
        transport.send_payload(payload("a"))
    assert transport.send_payload(payload("a")).status is Status.SUCCESS
    assert len(transport.requests) == 4


def test_clear_forgets():
    """
    After clear there is nothing recorded and no answer left.
    """
    transport = MemoryTransport([500])
    transport.send_payload(payload("a"))
    transport = MemoryTransport([500, 500])
    transport.send_payload(payload("a"))

    transport.clear()

    assert transport.requests == []
    assert transport.send_payload(payload("a")).status is Status.SUCCESS


def test_the_repr_counts():
    """
    The repr shows how far the play is.
    """
    transport = MemoryTransport([500, 500])
    transport.send_payload(payload("a"))

    assert repr(transport) == "<MemoryTransport: 1 requests, 1 answers left>"


def test_close_keeps_what_was_recorded():
    """
    A closed transport still tells what it took.
    """
    transport = MemoryTransport()
    transport.send_payload(payload("a"))

    transport.close()

    assert len(transport.events) == 1


def test_threads_share_it():
    """
    Every answer is played back once, and every request is recorded.
    """
    transport = MemoryTransport([500] * 200)
    seen = []

    def send():
        seen.extend(
            transport.send_payload(payload("a")).status_code
            for _ in range(100)
        )

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(seen) == [200] * 200 + [500] * 200
    assert len(transport.requests) == 400
