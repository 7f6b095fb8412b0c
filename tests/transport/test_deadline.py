# SPDX-License-Identifier: MIT
"""
The deadline of a request, whatever a server does with its time.
"""

from __future__ import annotations

import socket
import time

import pytest

from ringamp.status import Status
from ringamp.transport.sockets import TimedSocket


def test_t16_a_silent_server_ends_in_time(serve, post):
    """
    No answer at all: a Timeout after the request's own time.
    """
    server = serve(lambda line: line.hang())

    begin = time.monotonic()
    response = post(server.url, timeout=0.3)

    assert 0.2 < time.monotonic() - begin < 20
    assert (response.status, response.status_code) == (Status.TIMEOUT, 0)


@pytest.mark.parametrize("start", [0, 20, 45])
def test_a_dripping_server_ends_in_time(serve, post, start):
    """
    Bytes that keep coming, in the status line, in the headers or in the
    body, do not stretch the deadline.
    """
    data = b"HTTP/1.1 200 OK\r\nX-A: bcd\r\nContent-Length: 1000\r\n\r\n"

    def drip(line):
        line.send(data[:start])
        line.drip(data[start:] + b" " * 1000, 0.05)

    begin = time.monotonic()
    response = post(serve(drip).url, timeout=0.5)

    assert 0.4 < time.monotonic() - begin < 20
    assert response.status is Status.TIMEOUT


def test_a_server_that_does_not_read_ends_in_time(post):
    """
    A large body that nobody takes up ends by the same deadline.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = listener.getsockname()[1]
        begin = time.monotonic()

        response = post(
            f"http://127.0.0.1:{port}/",
            timeout=0.4,
            event={"event_type": "a" * 20_000_000},
        )

    assert time.monotonic() - begin < 20
    assert response.status is Status.TIMEOUT


def test_no_time_at_all_is_a_timeout(serve, post):
    """
    A payload whose time is used up is not sent.
    """
    server = serve()

    assert post(server.url, timeout=0.0).status is Status.TIMEOUT
    assert server.requests == []


def test_the_next_request_has_its_whole_time(serve, post):
    """
    A kept-alive connection does not keep the last request's deadline.
    """
    server = serve()
    post(server.url, timeout=1.0)
    time.sleep(1.1)

    assert post(server.url, timeout=30).status is Status.SUCCESS
    assert server.connections == 1


def test_each_address_has_its_share_of_the_time(serve, post, monkeypatch):
    """
    An address that swallows packets leaves time for the next one.
    """
    server = serve()
    found = socket.getaddrinfo("127.0.0.1", server.port, 0, 1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found * 2)
    real = socket.socket.connect
    asked = []

    def connect(sock, address):
        asked.append(sock.gettimeout())
        if len(asked) == 1:
            raise TimeoutError
        real(sock, address)

    monkeypatch.setattr(TimedSocket, "connect", connect, raising=False)

    assert post(server.url, timeout=40).status is Status.SUCCESS
    assert asked == [pytest.approx(20, abs=5), pytest.approx(40, abs=5)]


def test_a_server_that_drips_and_then_hangs_ends_in_time(serve, post):
    """
    Every wait is bounded by what is left, not by the whole time anew.
    """

    def drip_and_hang(line):
        line.drip(b"HTTP/1.1", 0.2)
        line.hang()

    begin = time.monotonic()
    response = post(serve(drip_and_hang).url, timeout=2.0)

    # The last byte comes after 1.6 s.
    assert 1.9 < time.monotonic() - begin < 3.2
    assert response.status is Status.TIMEOUT
