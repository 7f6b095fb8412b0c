# SPDX-License-Identifier: MIT
"""
Tests of `ringamp.collector.counting`: counts that hold however bytes arrive.
"""

import asyncio
import gzip
import json
import socket
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from ringamp.clock import SystemClock
from ringamp.collector import Collector, Fault, Faults, Ledger
from ringamp.collector.counting import BUFFER_BYTES, CountingProtocol, Sink

HEAD = b"POST %b HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(scope="module")
def counting():
    """
    A counting collector.
    """
    with Collector(counting=True) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(request):
    """
    Reset the counting collector before each test that uses it.
    """
    if "counting" in request.fixturenames:
        request.getfixturevalue("counting").reset()


def upload(count, size=0):
    """
    Build a body with so many events, each with so many bytes more.
    """
    events = [{"event_type": "x", "insert_id": str(n)} for n in range(count)]
    for event in events:
        event["pad"] = "y" * size
    return json.dumps(
        {"api_key": "KEY", "events": events}, separators=(",", ":")
    ).encode()


def raw(body, path=b"/2/httpapi"):
    """
    Build a request as bytes.
    """
    return HEAD % (path, len(body)) + body


def exchange(collector, pieces, answers):
    """
    Send *pieces* one by one; return the objects of so many answers.
    """
    address = ("127.0.0.1", collector.port)
    with socket.create_connection(address, timeout=5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        got = b"".join(iter(lambda: connection.recv(65536), b""))
    assert got.count(b"HTTP/1.1 200 OK\r\n") == answers
    return [
        json.loads(answer.partition(b"\r\n\r\n")[2])
        for answer in got.split(b"HTTP/1.1 ")[1:]
    ]


def test_requests_events_and_bytes_are_counted(counting, pool):
    """
    The answer and the summary tell how many events came, at both URLs.
    """
    for url in (counting.url, counting.batch_url):
        said = pool.request("POST", url, body=upload(2000, 300)).json()
        assert said["code"] == 200
        assert said["events_ingested"] == 2000
        assert said["payload_size_bytes"] == len(upload(2000, 300))
    summary = counting.ledger.summary()

    assert (summary.requests, summary.accepted) == (2, 4000)
    assert summary.bytes == 2 * len(upload(2000, 300))


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 1500), max_size=8),
)
def test_seams_do_not_matter(counting, counts, cuts):
    """
    Requests one behind the other, cut anywhere, are counted right.
    """
    stream = b"".join(raw(upload(count)) for count in counts)
    places = [0, *sorted(cut for cut in cuts if cut < len(stream))]
    pieces = [
        stream[start:stop]
        for start, stop in zip(places, [*places[1:], len(stream)], strict=True)
    ]
    said = exchange(counting, pieces, len(counts))

    assert [answer["events_ingested"] for answer in said] == counts


class Wire(asyncio.Transport):
    """
    What a protocol writes to, without a kernel that joins the reads.
    """

    written = b""

    def write(self, data):
        """
        Keep what was written.
        """
        self.written += data


def feed(pieces):
    """
    Give a protocol exactly these reads; return what it counted in all.
    """
    sink = Sink(Ledger(), Faults(), SystemClock(), 0.0)
    state = ServerState()
    protocol = CountingProtocol(None, state, {"sink": sink}, object())
    wire = Wire()
    protocol.connection_made(wire)
    for piece in pieces:
        room = protocol.get_buffer(-1)
        room[: len(piece)] = piece
        protocol.buffer_updated(len(piece))
    summary = sink.ledger.summary()

    assert wire.written.count(b"200 OK") == summary.requests
    return summary.requests, summary.accepted


def test_every_cut_is_harmless():
    """
    Two requests in two reads, cut at every byte, and in reads of one byte,
    are two requests with all their events.
    """
    stream = raw(upload(2)) + raw(upload(1), b"/batch")
    singles = [stream[n : n + 1] for n in range(len(stream))]

    assert feed(singles) == (2, 3)
    for cut in range(1, len(stream)):
        assert feed([stream[:cut], stream[cut:]]) == (2, 3), cut


def test_gzip_may_be_cut_anywhere():
    """
    However the bytes of a packed request are spread over reads, it is one
    request with all its events; the next one may be plain.
    """
    packed = gzip.compress(upload(4), mtime=0)
    head = HEAD % (b"/batch", len(packed))
    head = head[:-2] + b"Content-Encoding: gzip\r\n\r\n"
    stream = head + packed + raw(upload(3))

    assert feed([stream[n : n + 1] for n in range(len(stream))]) == (2, 7)
    for cut in range(1, len(stream)):
        assert feed([stream[:cut], stream[cut:]]) == (2, 7), cut


@pytest.mark.parametrize("coding", ["plain", "gzip"])
@pytest.mark.parametrize("shift", range(0, 16, 3))
def test_a_mark_across_two_reads_counts_once(counting, pool, shift, coding):
    """
    Bodies of many times the buffer, in any position to it, are counted
    exactly, packed or not.
    """
    count = 3 * BUFFER_BYTES // 40
    body = b" " * shift + upload(count)
    is_packed = coding == "gzip"
    said = pool.request(
        "POST",
        counting.url,
        body=gzip.compress(body, 1) if is_packed else body,
        headers={"Content-Encoding": "gzip"} if is_packed else {},
    ).json()

    assert said["events_ingested"] == count
    assert said["payload_size_bytes"] == len(body)


def test_a_head_in_pieces_is_awaited(counting):
    """
    A head that comes byte by byte is still one head.
    """
    stream = raw(upload(3), b"/batch")
    head = stream.index(b"\r\n\r\n") + 4
    pieces = [stream[n : n + 1] for n in range(head)] + [stream[head:]]
    (said,) = exchange(counting, pieces, 1)

    assert said["events_ingested"] == 3


def test_what_is_not_plain_takes_the_ordinary_road(counting, pool):
    """
    Chunks, packed or not, and control endpoints work too, on the same
    connection.
    """
    packed = pool.request(
        "POST",
        counting.url,
        body=iter([gzip.compress(upload(7))]),
        headers={"Content-Encoding": "gzip"},
    )
    chunked = pool.request("POST", counting.url, body=iter([upload(5)]))
    summary = pool.request("GET", counting.base_url + "/_collector/summary")

    assert packed.json()["events_ingested"] == 7
    assert chunked.json()["events_ingested"] == 5
    assert summary.json()["accepted"] == 12


def test_what_is_packed_badly_counts_nothing(counting, pool):
    """
    Half a gzip, and one that would fill the memory, are answered as all is
    and counted as none.
    """
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    marks = b'"event_type":' * 80_000
    bomb = b"".join(packer.compress(marks) for _ in range(25))
    bodies = [gzip.compress(upload(7))[:-6], bomb + packer.flush()]

    said = [
        pool.request(
            "POST",
            counting.url,
            body=body,
            headers={"Content-Encoding": "gzip"},
        ).json()
        for body in bodies
    ]

    assert [one["events_ingested"] for one in said] == [0, 0]
    assert counting.ledger.summary().accepted == 0


def test_faults_are_played(counting, pool):
    """
    A planned fault is met by the next request, also where counting began.
    """
    pool.request("POST", counting.url, body=upload(1))
    counting.faults.add(Fault(status=503))
    refused = pool.request("POST", counting.url, body=upload(1))
    counting.faults.add(Fault(reset="after"))
    with pytest.raises(Exception, match="reset by peer"):
        pool.request("POST", counting.url, body=upload(4))

    assert refused.status == 503
    assert counting.ledger.summary().accepted == 5


def test_latency_delays_the_answer(pool):
    """
    The latency holds when counting, too.
    """
    with Collector(counting=True, latency_millis=60) as collector:
        start = time.monotonic()
        pool.request("POST", collector.url, body=upload(1))

        assert time.monotonic() - start >= 0.06


def test_refusal_works_when_counting():
    """
    Connections are refused and cut as usual.
    """
    with Collector(counting=True) as refusing:
        address = ("127.0.0.1", refusing.port)
        with socket.create_connection(address) as held:
            refusing.refuse(60)
            with pytest.raises(ConnectionResetError):
                held.recv(1)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
