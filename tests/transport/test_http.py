# SPDX-License-Identifier: MIT
"""
HTTPTransport on the wire: whatever a server does is a response.
"""

from __future__ import annotations

import socket
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringamp.options import Options
from ringamp.status import Response, Status
from ringamp.transport.classify import BODY_CAP
from ringamp.transport.connections import TimedSocket
from ringamp.transport.http import HTTPTransport
from ringamp.transport.payload import LIBRARY, Envelope, Payload

KEY = "0123456789abcdef0123456789abcdef"


def is_silent(response, *secrets):
    """
    Is neither the key nor any of *secrets* in what a log would show?
    """
    return not any(word in repr(response) for word in (KEY, *secrets))


def test_a_success_is_delivered_with_its_body(serve, post):
    """
    A 200 comes back as success, with the JSON object of the service.
    """
    assert post(serve().url) == Response(Status.SUCCESS, 200, {"code": 200})


def test_the_request_is_what_the_service_wants(serve, post):
    """
    A POST with JSON, its length, and the library as user agent.
    """
    server = serve()

    post(server.url, event={"event_type": "ü"})

    head, body = server.requests[0]
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /2/httpapi HTTP/1.1"
    assert "Content-Type: application/json" in lines
    assert f"User-Agent: {LIBRARY}" in lines
    assert f"Content-Length: {len(body)}" in lines
    assert (
        body
        == (
            f'{{"api_key":"{KEY}","events":[{{"event_type":"ü"}}],'
            '"options":{"min_id_length":5}}'
        ).encode()
    )


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_body_may_be_any_bytes(serve, kind):
    """
    Bytes, a bytearray and a memoryview travel alike, without a copy by us.
    """
    server = serve()
    transport = HTTPTransport(Options.build(server_url=server.url))

    response = transport.send_payload(
        Payload(server.url, kind(b"x" * 100_000), {}, [], 5)
    )

    transport.close()
    assert response.status is Status.SUCCESS
    assert server.requests[0][1] == b"x" * 100_000


def test_one_connection_serves_many_requests(serve, post):
    """
    Connections are kept alive, also over errors of the service.
    """
    server = serve(b"", b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno")

    statuses = [post(server.url).status_code for _ in range(5)]

    assert statuses == [200, 500, 200, 200, 200]
    assert server.connections == 1


def test_an_answer_that_closes_is_followed_by_a_new_connection(
    serve, post, spell
):
    """
    "Connection: close" is honoured.
    """
    server = serve(spell(headers=["Connection: close"]))

    statuses = [post(server.url).status_code for _ in range(2)]

    assert statuses == [200, 200]
    assert server.connections == 2


def test_a_connection_closed_while_idle_costs_nothing(serve, post, spell):
    """
    The server closed the idle connection: a new one is used at once.
    """

    def say_and_close(line):
        line.send(spell())
        line.close()

    server = serve(say_and_close)
    post(server.url)
    assert server.ended.acquire(timeout=5)

    response = post(server.url)

    assert response.status is Status.SUCCESS
    assert server.connections == 2


def test_a_connection_closed_under_the_request_is_replaced_once(serve, post):
    """
    The server closes a kept-alive connection as the next request arrives:
    it is repeated on a fresh one, since no byte of an answer was read.
    """
    server = serve(b"", lambda line: line.close(), b"")
    post(server.url)

    response = post(server.url)

    assert response.status is Status.SUCCESS
    assert server.connections == 2
    assert len(server.requests) == 3


def test_a_fresh_connection_that_closes_is_not_repeated(serve, post):
    """
    Only an idle connection can be stale; the rest is the policy's business.
    """
    server = serve(*[lambda line: line.close()] * 3)

    response = post(server.url)

    assert response.status is Status.SYSTEM_ERROR
    assert len(server.requests) == 1


def test_half_an_answer_on_an_old_connection_is_not_repeated(serve, post):
    """
    Once a byte of an answer was read the request is not repeated here.
    """

    def half(line):
        line.send(b"HTTP/1.1 20")
        line.close()

    server = serve(b"", half)
    post(server.url)

    response = post(server.url)

    assert response.status is Status.SYSTEM_ERROR
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(serve, post, spell, status):
    """
    A redirect is an answer of no class; nothing is sent to its target.
    """
    target = serve()
    location = f"Location: {target.url}"
    server = serve(spell(status, b"", [location]))

    response = post(server.url)

    assert response == Response(Status.UNKNOWN, status, None, f"HTTP {status}")
    assert target.requests == []


def test_an_interim_answer_takes_its_connection_along(serve, post):
    """
    After a 103 the true answer would be taken for the next request's.
    """
    early = b"HTTP/1.1 103 Early\r\n\r\n"
    server = serve(early, b"")

    first, second = post(server.url), post(server.url)

    assert first.status is Status.UNKNOWN
    assert second.status is Status.SUCCESS
    assert server.connections == 2


def test_a_continue_is_skipped(serve, post, spell):
    """
    A 100 is followed by the true answer.
    """
    server = serve(b"HTTP/1.1 100 Continue\r\n\r\n" + spell(413, b""))

    assert post(server.url).status is Status.PAYLOAD_TOO_LARGE


def test_retry_after_is_read(serve, post, spell):
    """
    The header arrives, whatever its case.
    """
    server = serve(spell(503, b"", ["retry-AFTER: 7"]))

    assert post(server.url).retry_after == 7.0


def test_l15_the_query_of_the_url_is_sent(serve, post):
    """
    A server URL's query string is part of the request.
    """
    server = serve()

    post(server.url + "?via=proxy&x=1")

    head, _ = server.requests[0]
    assert head.startswith(b"POST /2/httpapi?via=proxy&x=1 ")


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


@pytest.mark.parametrize(
    "body", [b"<html>ok</html>", b"[]", b"", b'{"no":"code"}', b"\xff\xfe"]
)
def test_p3_a_success_with_a_foreign_body_is_delivered(
    serve, post, spell, body
):
    """
    A 200 is a success whatever its body is.
    """
    response = post(serve(spell(200, body)).url)

    assert (response.status, response.error) == (Status.SUCCESS, None)


def test_t1_a_refused_connection_is_a_response(serve, post):
    """
    Nobody listens: a SystemError that names the host.
    """
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

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


def test_t16_a_silent_server_ends_in_time(serve, post):
    """
    No answer at all: a Timeout after the request's own time.
    """
    server = serve(lambda line: line.hang())

    begin = time.monotonic()
    response = post(server.url, timeout=0.3)

    assert 0.2 < time.monotonic() - begin < 2
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

    assert 0.4 < time.monotonic() - begin < 2
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

    assert time.monotonic() - begin < 3
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
    post(server.url, timeout=0.2)
    time.sleep(0.25)

    assert post(server.url, timeout=5).status is Status.SUCCESS
    assert server.connections == 1


def test_each_address_has_its_share_of_the_time(serve, post, monkeypatch):
    """
    An address that swallows packets leaves time for the next one.
    """
    server = serve()
    found = socket.getaddrinfo("127.0.0.1", server.port, 0, 1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found * 2)
    real = TimedSocket.connect
    asked = []

    def connect(sock, address):
        asked.append(sock.gettimeout())
        if len(asked) == 1:
            raise TimeoutError
        real(sock, address)

    monkeypatch.setattr(TimedSocket, "connect", connect, raising=False)

    assert post(server.url, timeout=4).status is Status.SUCCESS
    assert asked == [pytest.approx(2, abs=0.2), pytest.approx(4, abs=0.2)]


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
    suppress_health_check=[HealthCheck.function_scoped_fixture],
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
    url = server.url.replace("127", "user:pass@127") + "?secret=1"
    transport = HTTPTransport(Options.build())

    response = transport.send_payload(Payload(url, b"{}", {}, [], 5))

    transport.close()

    assert is_silent(response, "secret", "pass", "httpapi")
    assert f"127.0.0.1:{server.port}" in response.error


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

    assert time.monotonic() - begin < 2
    assert response.status is Status.TIMEOUT


def test_a_silent_handshake_ends_in_time(post):
    """
    A listener that accepts and says nothing cannot hold the handshake.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        begin = time.monotonic()

        response = post(f"https://localhost:{port}/", timeout=0.3)

    assert time.monotonic() - begin < 2
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


def test_proxies_of_the_environment_are_not_used(serve, post, monkeypatch):
    """
    The variables that name proxies change nothing.
    """
    server = serve()
    proxy = serve()
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)

    assert post(server.url).status is Status.SUCCESS
    assert proxy.requests == []


def test_close_closes_and_sending_opens_again(serve):
    """
    After close the server sees the end; a later payload is sent all the same.
    """
    server = serve()
    options = Options.build(server_url=server.url)
    transport = HTTPTransport(options)
    payload = Envelope(KEY, options).payload([{"event_type": "a"}])
    transport.send_payload(payload)

    transport.close()

    assert server.ended.acquire(timeout=5)
    assert transport.send_payload(payload).status is Status.SUCCESS
    assert server.connections == 2
    transport.close()


def test_the_repr_counts_connections(serve, post):
    """
    The repr names the host, and how many connections there are.
    """
    server = serve()
    post(server.url)

    host = f"127.0.0.1:{server.port}"
    assert repr(post.transports[0]) == (
        f"<HTTPTransport: {host}, 1 connections>"
    )
