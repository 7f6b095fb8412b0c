# SPDX-License-Identifier: MIT
"""
Which connection a request travels on, and what a stale one costs.
"""

from __future__ import annotations

import select
import threading

import pytest

from ringamp.options import Options
from ringamp.status import Status
from ringamp.transport.http import HTTPTransport
from ringamp.transport.payload import Envelope

KEY = "0123456789abcdef0123456789abcdef"


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


def test_an_answer_in_chunks_keeps_the_connection(serve, post):
    """
    As proxies send them that pack or stream.
    """
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = serve(head + b'c\r\n{"code":200}\r\n0\r\n\r\n')

    responses = [post(server.url) for _ in range(2)]

    assert [one.body for one in responses] == [{"code": 200}] * 2
    assert server.connections == 1


@pytest.fixture(params=["poll", "select"])
def polling(request, monkeypatch):
    """
    What the interpreter has to look at a socket; eventlet takes `poll` away.
    """
    if request.param == "select":
        monkeypatch.delattr(select, "poll")


@pytest.mark.usefixtures("polling")
def test_an_idle_connection_is_looked_at_and_used_again(serve, post):
    """
    Nothing has come on it, so it is as good as new.
    """
    server = serve(b"")

    assert [post(server.url).status_code for _ in range(3)] == [200] * 3
    assert server.connections == 1


def test_what_follows_an_answer_is_never_the_next_one(serve, post, spell):
    """
    A server that says more than it announced is left.
    """
    server = serve(spell() + spell(500, b""), spell(400, b""))

    statuses = [post(server.url).status_code for _ in range(2)]

    assert statuses == [200, 400]
    assert server.connections == 2


@pytest.mark.usefixtures("polling")
def test_what_comes_between_requests_is_nobody_s_answer(serve, post, spell):
    """
    A server that gives notice before it closes an idle connection.
    """
    may_give, given = threading.Event(), threading.Event()

    def say_and_give_notice(line):
        line.send(spell())
        may_give.wait(30)
        line.send(spell(408, b""))
        given.set()

    server = serve(say_and_give_notice, spell(429, b""))
    assert post(server.url).status_code == 200
    may_give.set()
    assert given.wait(30)

    assert post(server.url).status_code == 429
    assert server.connections == 2


@pytest.mark.usefixtures("polling")
def test_a_connection_closed_while_idle_costs_nothing(serve, post, spell):
    """
    The server closed the idle connection: a new one is used at once.
    """

    def say_and_close(line):
        line.send(spell())
        line.close()

    server = serve(say_and_close)
    post(server.url)
    assert server.ended.acquire(timeout=30)

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
        line.stopped.wait(0.1)  # A RST may outrun what was sent before it.
        line.reset()

    server = serve(b"", half)
    post(server.url)

    response = post(server.url)

    assert response.status is Status.SYSTEM_ERROR
    assert len(server.requests) == 2


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

    assert server.ended.acquire(timeout=30)
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
