# SPDX-License-Identifier: MIT
"""
Whatever goes wrong on the way is a response, and its words are safe.
"""

from __future__ import annotations

import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringamp.options import Options
from ringamp.status import Response, Status
from ringamp.transport.classify import BODY_CAP
from ringamp.transport.http import HTTPTransport
from ringamp.transport.payload import Payload

KEY = "0123456789abcdef0123456789abcdef"


def is_silent(response, *secrets):
    """
    Is neither the key nor any of *secrets* in what a log would show?
    """
    return not any(word in repr(response) for word in (KEY, *secrets))


def test_p2_a_reset_before_the_answer_is_a_response(serve, post):
    """
    A reset while waiting for the answer is a SystemError with words.
    """
    server = serve(lambda line: line.reset())

    response = post(server.url)

    assert (response.status, response.status_code) == (Status.SYSTEM_ERROR, 0)
    assert "connection lost" in response.error


def test_p2_a_reset_while_reading_is_a_response(serve, post):
    """
    A reset in the middle of the body is a SystemError with words.
    """

    def half(line):
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        line.reset()

    response = post(serve(half).url)

    assert (response.status, response.status_code) == (Status.SYSTEM_ERROR, 0)


def test_p2_a_truncated_answer_is_a_response(serve, post):
    """
    A body shorter than announced is a SystemError, to be sent again.
    """

    def half(line):
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        line.close()

    response = post(serve(half).url)

    assert response.status is Status.SYSTEM_ERROR
    assert "cut short" in response.error


def test_p2_a_truncated_chunk_is_a_response(serve, post):
    """
    The same with a chunked body.
    """

    def half(line):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        line.send(head + b"10\r\nhalf")
        line.close()

    assert post(serve(half).url).status is Status.SYSTEM_ERROR


def test_a_413_counts_although_its_body_is_cut(serve, post):
    """
    A refused size is told by the status alone, so that it can be split.
    """

    def half(line):
        line.send(b"HTTP/1.1 413 No\r\nContent-Length: 100\r\n\r\nhalf")
        line.reset()

    response = post(serve(half).url)

    assert response.status is Status.PAYLOAD_TOO_LARGE


def test_t1_a_refused_connection_is_a_response(serve, post):
    """
    Nobody listens: a SystemError that names the host.
    """
    # Bound, so that it is nobody else's, and not listened at.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        response = post(f"http://127.0.0.1:{port}/?secret=1")

    assert (response.status, response.status_code) == (Status.SYSTEM_ERROR, 0)
    assert response.error == (
        f"connection refused (127.0.0.1:{port}): Connection refused"
    )


def test_t1_a_name_that_does_not_resolve_is_a_response(post, monkeypatch):
    """
    A DNS failure is a SystemError.
    """

    def resolve(*args):
        raise socket.gaierror(socket.EAI_NONAME, "Name not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    response = post("http://nowhere.invalid/?secret=1")

    assert response.status is Status.SYSTEM_ERROR
    assert response.error == "name does not resolve (nowhere.invalid)"


@pytest.mark.parametrize(
    "url", ["http://" + "a" * 70 + ".x/", "http://a..b/", "ftp://x/", "nope"]
)
def test_a_url_that_cannot_be_used_is_a_response(post, url):
    """
    A custom payload's bad URL is a SystemError, not an exception.
    """
    transport = HTTPTransport(Options.build())

    response = transport.send_payload(Payload(url, b"{}", {}, [], 1))

    assert response.status is Status.SYSTEM_ERROR


def test_a_body_beyond_the_cap_is_not_read(serve, post, spell):
    """
    A longer body counts as none; its connection is not used again.
    """
    server = serve(spell(400, b"x" * (BODY_CAP + 200_000)), b"")

    response = post(server.url)

    assert response == Response(Status.INVALID, 400, None, "HTTP 400")
    assert post(server.url).status is Status.SUCCESS
    assert server.connections == 2


def test_an_endless_body_is_dropped(serve, post):
    """
    A body without a length ends at the cap.
    """

    def flood(line):
        line.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not line.stopped.is_set():
            line.send(b"x" * 65536)

    assert post(serve(flood).url).status is Status.SUCCESS


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"HTTP/9 999999 x\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"\x16\x03\x01\x00\x05" * 5,
    ],
)
def test_what_is_not_http_is_a_response(serve, post, data):
    """
    Garbage of any kind raises nothing.
    """

    def say(line):
        line.send(data)
        line.close()

    response = post(serve(say).url)

    assert isinstance(response, Response)
    assert is_silent(response)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(
    st.lists(
        st.sampled_from(
            [
                *(b"HTTP/1.1 ", b"200", b"400", b" ", b"OK", b"\r\n", b"\n"),
                *(b"Content-Length: ", b"3", b"\r\n\r\n", b"abc", b"\xff"),
                *(b"Transfer-Encoding: chunked", b"0", b":", b"\x00"),
                *(b"Retry-After: ", b"Date: ", b"Mon, 99", b"\t x"),
            ]
        ),
        max_size=12,
    )
)
def test_no_answer_raises(serve, post, parts):
    """
    Any mixture of HTTP's pieces ends as a response.
    """

    def say(line):
        line.send(b"".join(parts))
        line.close()

    server = serve(say)
    response = post(server.url, timeout=2)
    server.stop()

    assert isinstance(response, Response)


def test_the_key_is_in_no_words(serve, post, spell):
    """
    A service that quotes the key back does not get it into a log.
    """
    body = f'{{"error":"Invalid API key: {KEY}","k":"{KEY}"}}'.encode()
    server = serve(spell(400, body))

    response = post(server.url)

    assert response.error == "Invalid API key: ***"
    assert is_silent(response)


def test_failures_do_not_show_the_query(serve, post):
    """
    The words of a failure name the host and nothing else of the URL.
    """
    server = serve(lambda line: line.close())
    url = server.url.replace("//", "//user:pass@") + "?secret=1"
    transport = HTTPTransport(Options.build())

    response = transport.send_payload(Payload(url, b"{}", {}, [], 5))

    transport.close()

    assert is_silent(response, "secret", "pass", "httpapi")
    assert f"127.0.0.1:{server.port}" in response.error
