# SPDX-License-Identifier: MIT
"""
HTTPTransport on the wire: what is sent, and what an answer becomes.
"""

from __future__ import annotations

import pytest

from ringamp.options import Options
from ringamp.status import Response, Status
from ringamp.transport.http import HTTPTransport
from ringamp.transport.payload import LIBRARY, Payload

KEY = "0123456789abcdef0123456789abcdef"


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
