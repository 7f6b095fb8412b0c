# SPDX-License-Identifier: MIT
"""
Tests of the sink that takes the events of every SDK: what it counts, and by
what it knows a repeat.
"""

import gzip
import json
import socket
from http.client import HTTPConnection
from time import monotonic, sleep
from urllib.parse import urlencode

import pytest

from benchmarks.peers.sink import events_in, identity
from benchmarks.peers.sink_process import capacity, running_sink
from benchmarks.workload import make_event

NAME = "watch_tutorial"
EVENTS = [
    {"event_type": NAME, "insert_id": "a", "event_properties": {"serial": 1}},
    {"event_type": NAME, "insert_id": "b", "event_properties": {"serial": 2}},
]
MIXPANEL = [
    {"event": NAME, "properties": {"$insert_id": id_, "serial": serial}}
    for id_, serial in (("a", 1), ("b", 2))
]
SEGMENT = [
    {"event": NAME, "messageId": id_, "properties": {"serial": serial}}
    for id_, serial in (("a", 1), ("b", 2))
]
POSTHOG = [
    {"event": NAME, "uuid": id_, "properties": {"serial": serial}}
    for id_, serial in (("a", 1), ("b", 2))
]
BODIES = {
    "amplitude": json.dumps({"api_key": "K", "events": EVENTS}).encode(),
    "mixpanel": urlencode({"data": json.dumps(MIXPANEL), "ip": 0}).encode(),
    "segment": json.dumps({"batch": SEGMENT, "sentAt": "now"}).encode(),
    "posthog": json.dumps({"api_key": "K", "batch": POSTHOG}).encode(),
}


def post(sink, body, path="/batch", **headers):
    """
    Post one body; give the answer.
    """
    wire = HTTPConnection("127.0.0.1", sink.port, timeout=10)
    wire.request("POST", path, body, headers)
    answer = wire.getresponse()
    said = json.loads(answer.read())
    wire.close()
    return answer.status, said


def is_refused(sink):
    """
    Whether the sink takes no connection; seldom enough for its backlog,
    where one too many would wait a second.
    """
    sleep(0.005)
    with socket.socket() as wire:
        return wire.connect_ex(("127.0.0.1", sink.port)) != 0


@pytest.mark.parametrize("whose", BODIES)
def test_events_are_found_in_every_body(whose):
    """
    The serial number and the SDK's own id, wherever that SDK puts them.
    """
    found = [identity(event) for event in events_in(BODIES[whose])]

    assert found == [("1", "a"), ("2", "b")]


def test_a_single_event_needs_no_list():
    """
    It may be bare, as mixpanel posts it, and have no id at all.
    """
    (event,) = events_in(b'data={"event":"x","properties":{"serial":7}}')

    assert identity(event) == ("7", "")


@pytest.mark.process
def test_it_counts_and_pleases_everybody():
    """
    Plain and packed bodies of every SDK are counted without a ledger, and
    the one answer has what each of them looks for.
    """
    with running_sink() as sink:
        for body in BODIES.values():
            status, said = post(sink, body)
        packed = gzip.compress(BODIES["segment"])
        post(sink, packed, **{"Content-Encoding": "gzip"})
        seen = sink.ask("/await/10/5")

        assert sink.ledger() == {}
    assert (status, said["code"], said["status"]) == (200, 200, 1)
    assert seen["count"] == 10
    assert seen["last"] > 0


@pytest.mark.process
def test_its_ledger_has_every_arrival():
    """
    An event that comes twice is there with both of its ids; a body that
    cannot be read has no events and does no harm.
    """
    with running_sink(keeps_ledger=True) as sink:
        post(sink, BODIES["amplitude"])
        post(sink, b"\0 what two processes make of one connection")
        post(sink, BODIES["mixpanel"])

        assert sink.ledger() == {"1": ["a", "a"], "2": ["b", "b"]}


@pytest.mark.process
def test_requests_may_come_in_pieces_and_together():
    """
    A head and a body that arrive byte by byte are one request, and two
    requests in one piece are two.
    """
    body = BODIES["amplitude"]
    head = f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    request = head + body

    with running_sink() as sink:
        with socket.create_connection(("127.0.0.1", sink.port)) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request:
                wire.sendall(bytes([byte]))
            wire.sendall(request + request)
            assert sink.ask("/await/6/5")["count"] == 6
        large = body + b" " * 300_000
        post(sink, large)

        assert sink.ask("/await/8/5")["count"] == 8


@pytest.mark.process
def test_a_wait_ends_with_its_time():
    """
    Who waits for events that never come is told how many there are.
    """
    with running_sink() as sink:
        began = monotonic()
        seen = sink.ask("/await/5/0.2")

    assert seen["count"] == 0
    assert monotonic() - began >= 0.2


@pytest.mark.process
def test_an_outage_refuses_and_ends():
    """
    Connections are refused at the same port, and taken again afterwards.
    """
    with running_sink() as sink:
        sink.ask("/outage/2")
        give_up = monotonic() + 60
        while not is_refused(sink):
            assert monotonic() < give_up
        while is_refused(sink):
            assert monotonic() < give_up
        post(sink, BODIES["amplitude"])

        assert sink.ask("/await/2/5")["count"] == 2


@pytest.mark.process
def test_its_capacity_is_measured_by_size():
    """
    Requests and events a second, for each number of events a request.
    """
    found = capacity(make_event(), sizes=(1, 10))

    for size, (requests, events) in found.items():
        assert events == pytest.approx(requests * size)
        assert requests > 0
    assert set(found) == {1, 10}
