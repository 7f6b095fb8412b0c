# SPDX-License-Identifier: MIT
"""
Tests of `ringamp.transport.compression` on the wire: what is packed, and how.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import zlib
from hashlib import sha256

import pytest
from packed import GZIP, coding, codings, payload

from ringamp.status import Status
from ringamp.transport import compression
from ringamp.transport.compression import THRESHOLD, installed
from ringamp.transport.payload import Payload


@pytest.fixture(params=["isal", "zlib"])
def codec(request, monkeypatch):
    """
    Have transports pack with one of the two.
    """
    codecs = installed()
    if request.param not in codecs:
        pytest.skip("the extra `fast` is not installed")
    only = {request.param: codecs[request.param]}
    monkeypatch.setattr(compression, "installed", lambda: only)
    return only[request.param]


def of_bytes(url, body):
    """
    Make a request of this body.
    """
    return Payload(url, body, {"X-Own": "kept"}, [], 5)


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_body_travels_packed(serve, make_transport, kind):
    """
    As one gzip member that is the body, with its length and its coding in
    the head and all other headers kept, whatever kind of bytes it is.
    """
    server = serve()
    body = b"0123456789" * 500

    response = make_transport(server.url).send_payload(
        of_bytes(server.url, kind(body))
    )

    head, sent = server.requests[0]
    assert response.status is Status.SUCCESS
    assert coding(server, 0) == GZIP
    assert f"Content-Length: {len(sent)}".encode() in head
    assert b"X-Own: kept" in head
    unpacker = zlib.decompressobj(31)
    assert unpacker.decompress(sent) == body
    assert (unpacker.eof, unpacker.unused_data) == (True, b"")


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize(
    ("size", "expected"),
    [(1, None), (THRESHOLD, None), (THRESHOLD + 1, GZIP), (9_000_000, GZIP)],
)
def test_small_bodies_travel_as_they_are(
    serve, make_transport, size, expected
):
    """
    Up to 2 KiB a body is not packed; beyond it is, up to the largest of a
    batch.
    """
    server = serve()
    body = b"x" * size

    make_transport(server.url).send_payload(of_bytes(server.url, body))

    sent = server.requests[0][1]
    assert coding(server, 0) == expected
    assert (gzip.decompress(sent) if expected else sent) == body


@pytest.mark.usefixtures("codec")
def test_what_does_not_get_smaller_travels_as_it_is(serve, make_transport):
    """
    Bytes without any order, for example.
    """
    server = serve()
    body = b"".join(sha256(b"%d" % n).digest() for n in range(200))
    transport = make_transport(server.url)

    transport.send_payload(of_bytes(server.url, body))

    assert codings(server) == [None]
    assert server.requests[0][1] == body
    assert transport.traffic.read() == (len(body), 0)


def test_nobody_is_packed_for_who_did_not_ask(serve, make_transport):
    """
    The default is plain, whatever the size.
    """
    server = serve()

    make_transport(server.url, None).send_payload(payload(server.url))

    assert codings(server) == [None]


@pytest.mark.usefixtures("codec")
def test_packed_bodies_travel_over_tls(serve, make_transport, trusted_tls):
    """
    The service is reached no other way.
    """
    server = serve(tls=trusted_tls)
    asked = payload(server.url)

    response = make_transport(server.url).send_payload(asked)

    assert response.status is Status.SUCCESS
    assert gzip.decompress(server.requests[0][1]) == asked.body


def test_a_stale_connection_is_repeated_packed(serve, make_transport):
    """
    That a server closed an idle connection is not about gzip.
    """
    closed = threading.Event()

    def close(line):
        # First: the client may be done before this thread has its turn again.
        closed.set()
        line.close()

    server = serve(b"", close)
    transport = make_transport(server.url)
    transport.send_payload(payload(server.url))

    response = transport.send_payload(payload(server.url))

    assert closed.is_set()
    assert response.status is Status.SUCCESS
    assert codings(server) == [GZIP] * 3


def test_packing_lets_other_threads_run(codec):
    """
    Both codecs release the GIL: while one packs, another thread counts.
    """
    body = bytes(60_000_000)
    before = sys.getswitchinterval()
    counted, ends = [0], threading.Event()

    def count():
        while not ends.wait(0.0005):
            counted[0] += 1

    thread = threading.Thread(target=count)
    # Nobody takes the GIL away: it changes hands where it is released.
    sys.setswitchinterval(100)
    try:
        thread.start()
        start = counted[0]
        # On a busy machine the other thread may find no processor at first.
        for _ in range(50):
            codec(body)
            ran = counted[0] - start
            if ran:
                break
    finally:
        ends.set()
        sys.setswitchinterval(before)
        thread.join(30)

    assert ran > 0


@pytest.mark.parametrize("is_fast", [True, False])
def test_the_faster_codec_is_taken_where_it_is(is_fast):
    """
    The extra `fast` is found by itself, and not needed.
    """
    if is_fast:
        pytest.importorskip("isal")
    script = (
        "import sys\n"
        f"if not {is_fast}: sys.modules['isal'] = None\n"
        "from ringamp.transport.compression import Compression\n"
        "print(Compression('here', is_asked=True).codec.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )

    expected = "isal_codec" if is_fast else "zlib_codec"
    assert done.stdout.strip() == expected
