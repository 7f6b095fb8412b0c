# SPDX-License-Identifier: MIT
"""
Tests of `ringamp.transport.compression` on the wire: who may refuse gzip, and
what is made of it.
"""

from __future__ import annotations

import gzip
import json
import logging
import threading

import pytest
from packed import GZIP, HTML, KEY, coding, codings, payload, warnings

from ringamp import logs
from ringamp.status import Response, Status
from ringamp.transport.compression import was_read


@pytest.fixture(autouse=True)
def _fresh_log(monkeypatch, caplog):
    """
    Let lines that an earlier test wrote be written again; keep warnings.
    """
    monkeypatch.setattr(logs, "_written", {})
    caplog.set_level(logging.WARNING, "ringamp")


@pytest.mark.parametrize("status", [400, 415])
def test_a_refusal_is_answered_in_plain(
    serve, make_transport, spell, caplog, status
):
    """
    The same body goes at once as it is, its answer counts, and the client
    goes on without gzip, with one warning that shows no key.
    """
    server = serve(spell(status, HTML))
    transport = make_transport(server.url)

    responses = [transport.send_payload(payload(server.url)) for _ in range(3)]

    assert [one.status for one in responses] == [Status.SUCCESS] * 3
    assert codings(server) == [GZIP, None, None, None]
    packed, plain = (body for _, body in server.requests[:2])
    assert gzip.decompress(packed) == plain
    (line,) = warnings(caplog)
    assert f"127.0.0.1:{server.port} refuses gzip" in line
    assert KEY not in line


def test_bytes_are_those_that_were_read(serve, make_transport, spell):
    """
    What the server read from its socket is what was counted, also of a body
    that was refused; saved is what accepted ones were smaller.
    """
    server = serve(answer_of(spell, 200), answer_of(spell, 415))
    transport = make_transport(server.url)
    sizes = []
    for events in (40, 50, 60):
        asked = payload(server.url, events)
        sizes.append(len(asked.body))
        transport.send_payload(asked)

    read = [len(body) for _, body in server.requests]
    assert codings(server) == [GZIP, GZIP, None, None]
    assert transport.traffic.read() == (sum(read), sizes[0] - read[0])


def answer_of(spell, status):
    """
    Spell an answer without a body that says more.
    """
    return spell(status, b"")


HONEST = {
    "an invalid field": {"events_with_invalid_fields": {"time": [0]}},
    "a missing field": {"events_with_missing_fields": {"event_type": [0]}},
    "a short id": {"events_with_invalid_id_lengths": {"user_id": [0]}},
    "silence": {"silenced_events": [0], "silenced_devices": ["d"]},
    "a quota": {"exceeded_daily_quota_devices": {"d": 1}},
    "the key": {"error": "Invalid API key: ***"},
}
"""Answers of a service that has read the body."""


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_answer_keeps_its_meaning(
    serve, make_transport, spell, caplog, name
):
    """
    A 400 that names events, ids or the key is the service's own: nothing is
    repeated, and gzip goes on.
    """
    body = json.dumps({"code": 400, **HONEST[name]}).encode()
    server = serve(spell(400, body))
    transport = make_transport(server.url)

    response = transport.send_payload(payload(server.url))
    transport.send_payload(payload(server.url))

    assert (response.status_code, response.body) == (400, json.loads(body))
    assert codings(server) == [GZIP, GZIP]
    assert warnings(caplog) == []


VAGUE = {
    "a page": HTML,
    "nothing": b"",
    "no JSON": b'{"code":400,"error":"Invalid JSON request body"}',
    "a missing field": b'{"error":"...","missing_field":"api_key"}',
    "empty lists": b'{"events_with_invalid_fields":{},"silenced_events":[]}',
    "a list": b"[400]",
    "other words": b'{"error":{"reason":"gzip"}}',
}
"""Answers that a proxy may give as well."""


@pytest.mark.parametrize("name", VAGUE)
def test_a_vague_answer_is_asked_again(serve, make_transport, spell, name):
    """
    And where the plain body meets the same, it was not about gzip: its
    answer stands, and gzip goes on.
    """
    server = serve(*[spell(400, VAGUE[name])] * 2)
    transport = make_transport(server.url)

    response = transport.send_payload(payload(server.url))
    transport.send_payload(payload(server.url))

    assert (response.status, response.status_code) == (Status.INVALID, 400)
    assert codings(server) == [GZIP, None, GZIP]


def test_a_plain_body_that_was_read_tells_as_much(
    serve, make_transport, spell, caplog
):
    """
    A proxy that refuses gzip before events that the service refuses: the
    plain body's 400 names them, so gzip was to blame for the first.
    """
    named = b'{"events_with_invalid_fields":{"time":[0]}}'
    server = serve(spell(400, HTML), spell(400, named))
    transport = make_transport(server.url)

    response = transport.send_payload(payload(server.url))
    transport.send_payload(payload(server.url))

    assert response.body == json.loads(named)
    assert codings(server) == [GZIP, None, None]
    assert len(warnings(caplog)) == 1


def test_a_proxy_that_comes_late_is_noticed(serve, make_transport, spell):
    """
    Bodies that went well before make no refusal honest.
    """
    good = spell()
    server = serve(good, good, spell(400, HTML))
    transport = make_transport(server.url)

    responses = [transport.send_payload(payload(server.url)) for _ in range(4)]

    assert {one.status for one in responses} == {Status.SUCCESS}
    assert codings(server) == [GZIP, GZIP, GZIP, None, None]


@pytest.mark.parametrize("status", [401, 403, 404, 408, 413, 429, 500, 503])
def test_other_answers_are_not_about_gzip(
    serve, make_transport, spell, status
):
    """
    They go to the retry policy as they are.
    """
    server = serve(spell(status, HTML))
    transport = make_transport(server.url)

    response = transport.send_payload(payload(server.url))
    transport.send_payload(payload(server.url))

    assert response.status_code == status
    assert codings(server) == [GZIP, GZIP]


def test_an_outage_behind_a_refusal_proves_nothing(
    serve, make_transport, spell, caplog
):
    """
    The plain body's failure is the answer; whether gzip is refused is asked
    again with the next.
    """
    server = serve(spell(415, b""), spell(503, b""), spell(415, b""), spell())
    transport = make_transport(server.url)

    first, second = (
        transport.send_payload(payload(server.url)) for _ in range(2)
    )

    assert (first.status, second.status) == (Status.FAILED, Status.SUCCESS)
    assert codings(server) == [GZIP, None, GZIP, None]
    assert len(warnings(caplog)) == 1


def test_a_refusal_that_reads_nothing_is_heard(serve, make_transport):
    """
    415, then a reset before the answer is complete: its status is enough.
    """

    def cut(line):
        line.send(b"HTTP/1.1 415 No\r\nContent-Length: 99\r\n\r\n<html>")
        line.close()

    server = serve(cut)
    transport = make_transport(server.url)

    response = transport.send_payload(payload(server.url))

    assert response.status is Status.SUCCESS
    assert codings(server) == [GZIP, None]


def test_both_bodies_share_one_deadline(serve, make_transport, spell):
    """
    A refusal that came late leaves the plain body what is left.
    """

    def late(line):
        line.stopped.wait(0.3)
        line.send(spell(415, b""))

    server = serve(late, lambda line: line.hang())
    asked = payload(server.url)
    asked.timeout = 2.5

    response = make_transport(server.url).send_payload(asked)

    assert response.status is Status.TIMEOUT
    assert codings(server) == [GZIP, None]


def test_an_end_between_both_bodies_blames_no_event(
    serve, make_transport, spell
):
    """
    Interrupted after the refusal, the events are not sent again, and not
    refused either: a retry may still take them.
    """
    transport = None

    def interrupted(line):
        transport._is_ending = True
        line.send(spell(415, b""))

    server = serve(interrupted)
    transport = make_transport(server.url)

    response = transport.send_payload(payload(server.url))

    assert response.status is Status.SYSTEM_ERROR
    assert codings(server) == [GZIP]


def test_threads_that_are_refused_at_once_warn_once(
    serve, make_transport, caplog
):
    """
    Each sends its own body again, none of them twice, and one line says so.
    """
    together = threading.Barrier(6)

    def refuse(line):
        together.wait(30)
        line.send(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")

    server = serve(*[refuse] * 6)
    transport = make_transport(server.url)
    bodies = [payload(server.url, 30 + number) for number in range(6)]
    responses = []

    def send(asked):
        responses.append(transport.send_payload(asked))

    threads = [threading.Thread(target=send, args=(one,)) for one in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [one.status for one in responses] == [Status.SUCCESS] * 6
    plain = [
        body
        for number, (_, body) in enumerate(server.requests)
        if coding(server, number) is None
    ]
    assert sorted(plain) == sorted(one.body for one in bodies)
    assert len(warnings(caplog)) == 1
    sent = sum(len(body) for _, body in server.requests)
    assert transport.traffic.read() == (sent, 0)


def test_what_was_read_is_told_by_status_or_body():
    """
    Every 2xx was read, whatever it says; no answer at all was not.
    """
    named, nobody = {"throttled_users": {"u": 1}}, {"throttled_users": {}}

    assert was_read(Response(Status.SUCCESS, 204))
    assert was_read(Response(Status.RATE_LIMIT, 429, named))
    assert not was_read(Response(Status.RATE_LIMIT, 429, nobody))
    assert not was_read(Response(Status.TIMEOUT))
