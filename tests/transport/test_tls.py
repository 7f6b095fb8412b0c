# SPDX-License-Identifier: MIT
"""
HTTPTransport over TLS: verified, bounded, kept alive.
"""

from __future__ import annotations

import socket
import time

import pytest

from ringamp.status import Status
from ringamp.transport.sockets import TimedTLSSocket


def test_tls_is_verified(serve, post, untrusted_tls):
    """
    A certificate nobody vouches for ends the request before it is sent.
    """
    server = serve(tls=untrusted_tls)

    response = post(server.url)

    assert response.status is Status.SYSTEM_ERROR
    assert response.error.startswith("certificate not trusted (localhost:")
    assert server.requests == []


def test_the_name_in_a_certificate_is_checked(serve, post, trusted_tls):
    """
    A trusted certificate of another name ends the request, too.
    """
    server = serve(tls=trusted_tls)

    response = post(server.url.replace("localhost", "127.0.0.1"))

    assert response.error.startswith("certificate not trusted (127.0.0.1:")
    assert server.requests == []


def test_ssl_cert_file_names_who_is_trusted(serve, post, trusted_tls):
    """
    The standard variable is honoured, and TLS connections are kept alive.
    """
    server = serve(tls=trusted_tls)

    responses = [post(server.url) for _ in range(3)]

    assert {r.status for r in responses} == {Status.SUCCESS}
    assert server.connections == 1


def test_a_dripping_tls_server_ends_in_time(serve, post, trusted_tls):
    """
    The deadline holds over TLS.
    """
    server = serve(lambda line: line.drip(b"H" * 999, 0.05), tls=trusted_tls)

    begin = time.monotonic()
    response = post(server.url, timeout=0.6)

    assert time.monotonic() - begin < 20
    assert response.status is Status.TIMEOUT


def test_a_silent_handshake_ends_in_time(post):
    """
    A listener that accepts and says nothing cannot hold the handshake.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        begin = time.monotonic()

        response = post(f"https://localhost:{port}/", timeout=0.3)

    assert time.monotonic() - begin < 20
    assert response.status is Status.TIMEOUT


def test_plain_http_on_a_tls_port_is_a_response(serve, post):
    """
    A server that does not speak TLS is a SystemError.
    """
    server = serve()
    url = f"https://localhost:{server.port}/"
    # The server waits for the end of a head that a handshake never has.
    server.stop()

    assert post(url).status is Status.SYSTEM_ERROR


def test_a_stale_tls_connection_is_replaced(serve, post, trusted_tls):
    """
    The same repeat on a fresh connection, over TLS.
    """
    server = serve(b"", lambda line: line.reset(), b"", tls=trusted_tls)
    post(server.url)

    assert post(server.url).status is Status.SUCCESS
    assert server.connections == 2


def test_a_handshake_has_all_that_is_left(
    serve, post, trusted_tls, monkeypatch
):
    """
    The share of one address bounds connecting to it, not what follows.
    """
    server = serve(tls=trusted_tls)
    found = socket.getaddrinfo("127.0.0.1", server.port, 0, 1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found * 2)
    real = TimedTLSSocket.do_handshake
    left = []

    def shake(sock, *args):
        left.append(sock.gettimeout())
        real(sock, *args)

    monkeypatch.setattr(TimedTLSSocket, "do_handshake", shake)

    assert post(server.url, timeout=40).status is Status.SUCCESS
    assert left == [pytest.approx(40, abs=10)]
