# SPDX-License-Identifier: MIT
"""
Transports of the user's own: how they are given, and what they may do.
"""

from __future__ import annotations

import asyncio
import logging
import threading

import orjson
import pytest

import ringamp
from ringamp import MemoryTransport, Response, Status
from ringamp.collector import Fault

TAKEN = Response(Status.SUCCESS, 200)


class Snake:
    """
    A transport as it is spelled here.
    """

    def __init__(self):
        self.payloads = []

    def send_payload(self, payload):
        """
        Take everything.
        """
        self.payloads.append(payload)
        return TAKEN


class Camel:
    """
    The same, as it is spelled in the Node SDK.
    """

    def __init__(self):
        self.payloads = []

    sendPayload = Snake.send_payload


@pytest.mark.parametrize("kind", [Snake, Camel])
@pytest.mark.parametrize("spelling", ["transport_class", "transportClass"])
def test_both_spellings_of_the_method_are_called(
    make_client, event, kind, spelling
):
    """
    Whoever comes from the Node SDK keeps the names of the transport.
    """
    transport = kind()
    client = make_client(**{spelling: transport})

    assert client.log_event(event(3)).result(30).status is Status.SUCCESS

    (payload,) = transport.payloads
    assert [e["event_id"] for e in payload.events] == [3]


def test_a_base_retry_sends_by_either_spelling(make_client, event):
    """
    A retry class of one's own with a transport of one's own.
    """
    client = make_client(transport_class=Camel, retry_class=ringamp.BaseRetry)

    assert client.log_event(event()).result(30).status is Status.SUCCESS


def test_the_body_is_the_events_and_nobody_elses(make_client, event):
    """
    What a transport does to the events it was shown changes neither the body
    nor what is sent again.
    """
    seen = []

    class Meddles(Snake):
        def send_payload(self, payload):
            payload.events[0]["event_id"] = "spoiled"
            seen.append(orjson.loads(payload.body)["events"])
            return Response(Status.FAILED, 500) if len(seen) == 1 else TAKEN

    client = make_client(transport_class=Meddles, retry_timeouts=[1])

    assert client.log_event(event(4)).result(30).status is Status.SUCCESS
    assert seen[0] == seen[1]
    assert seen[0][0]["event_id"] == 4


def test_a_transport_may_keep_what_it_was_given(make_client, event):
    """
    The room of a batch is used again, but not under a payload's feet.
    """
    transport = Snake()
    client = make_client(transport_class=transport)
    sizes = [3, 1, 4, 2, 5]
    for size in sizes:
        for number in range(size):
            client.log_event(event(number, event_type="e" * 10 * size))
        client.flush().result(30)

    kept = [[e["event_id"] for e in one.events] for one in transport.payloads]
    assert kept == [list(range(size)) for size in sizes]


def test_every_status_a_transport_may_answer_ends_the_event(
    make_client, event
):
    """
    Without a code as well: delivered, rejected or dropped, never lost sight
    of.
    """
    ends = {}
    for status in Status:
        transport = MemoryTransport([Response(status)])
        client = make_client(transport_class=transport, retry_timeouts=[])
        client.log_event(event()).result(30)
        stats = client.stats()
        ends[status] = next(
            end
            for end in ("delivered", "rejected", "dropped")
            if getattr(stats, end)
        )
        assert stats.pending == 0

    assert {s for s, end in ends.items() if end == "delivered"} == {
        Status.SUCCESS
    }
    assert {s for s, end in ends.items() if end == "rejected"} == {
        Status.INVALID,
        Status.PAYLOAD_TOO_LARGE,
    }


@pytest.mark.parametrize("junk", [None, 200, "success", {"status": "success"}])
def test_what_is_no_response_counts_as_no_answer(
    make_client, event, caplog, junk
):
    """
    Dropped once retries are used up; the error names what was returned.
    """

    class Junk(Snake):
        def send_payload(self, payload):
            super().send_payload(payload)
            return junk

    transport = Junk()
    client = make_client(
        transport_class=transport, retry_timeouts=[1, 1], log_level="WARN"
    )

    with caplog.at_level(logging.WARNING, "ringamp"):
        response = client.log_event(event()).result(30)

    assert response.status is Status.SYSTEM_ERROR
    assert f"returned {type(junk).__name__}" in response.error
    assert len(transport.payloads) == 3
    assert response.error in caplog.text


def test_a_transport_that_raises_is_logged_without_its_frames(
    make_client, event, caplog
):
    """
    The words of the exception, and no traceback: its frames hold the body.
    """
    transport = MemoryTransport([LookupError("of mine")])
    client = make_client(
        transport_class=transport, retry_timeouts=[1], log_level="VERBOSE"
    )

    with caplog.at_level(logging.DEBUG, "ringamp"):
        assert client.log_event(event()).result(30).status is Status.SUCCESS

    assert "MemoryTransport raised LookupError('of mine')" in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


def test_one_transport_may_serve_two_clients(make_client, event):
    """
    It is called by both their threads, each with its own API key's body.
    """
    transport = Snake()
    clients = [make_client(transport_class=transport) for _ in range(2)]
    for number, client in enumerate(clients):
        client.log_event(event(number)).result(30)

    assert [p.events[0]["event_id"] for p in transport.payloads] == [0, 1]


def test_it_is_called_by_a_thread_of_ringamps(make_client, event):
    """
    Never by the one that logs.
    """
    callers = []

    class Asks(Snake):
        def send_payload(self, payload):
            callers.append(threading.get_ident())
            return TAKEN

    client = make_client(transport_class=Asks)
    client.log_event(event()).result(30)

    assert callers != [threading.get_ident()]


def test_a_subclass_of_the_http_transport_is_the_road_to_the_service(
    make_client, event, collector
):
    """
    With headers of one's own, for example.
    """
    sent = []

    class Stamped(ringamp.HTTPTransport):
        def send_payload(self, payload):
            payload.headers = {**payload.headers, "X-Mine": "1"}
            sent.append(payload.headers)
            return super().send_payload(payload)

    collector.faults.add(Fault(status=500))
    client = make_client(transport_class=Stamped, retry_timeouts=[5])

    assert client.log_event(event()).result(30).status is Status.SUCCESS
    assert [headers["X-Mine"] for headers in sent] == ["1", "1"]
    assert collector.ledger.summary().accepted == 1


ENDS = [SystemExit(3), asyncio.CancelledError(), KeyboardInterrupt()]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
@pytest.mark.parametrize("where", ["transport", "on_retry", "on_delivery"])
def test_user_code_cannot_end_the_thread_that_sends(
    make_client, event, end, where
):
    """
    `sys.exit` in a callback, or a cancelled task in a transport, counts as
    any other exception: the events after it are sent.
    """
    calls = []

    def fail(*args):
        calls.append(args)
        if len(calls) == 1:
            raise end

    class Ends(Snake):
        def send_payload(self, payload):
            super().send_payload(payload)
            if where == "transport":
                fail()
            failing = where == "on_retry" and len(self.payloads) == 1
            return Response(Status.FAILED, 500) if failing else TAKEN

    client = make_client(
        transport_class=Ends,
        retry_timeouts=[1],
        on_retry=fail if where == "on_retry" else None,
        on_delivery=fail if where == "on_delivery" else None,
    )

    for number in range(3):
        response = client.log_event(event(number)).result(30)
        assert response.status is Status.SUCCESS
    assert calls
    assert client.stats().delivered == 3
    assert client.stats().callback_errors == (where != "transport")


def a_class(signature):
    """
    Make a class of transports whose constructor takes these arguments.
    """
    space = {"TAKEN": TAKEN}
    exec(
        "class Made:\n"
        f"    def __init__(self{signature}):\n"
        "        Made.given = dict(locals())\n"
        "    def send_payload(self, payload):\n"
        "        return TAKEN\n",
        space,
    )
    return space["Made"]


@pytest.mark.parametrize(
    ("signature", "name"),
    [
        ("", None),
        (", options", "options"),
        (", options=None", "options"),
        (", whatever", "whatever"),
        (", *args", "args"),
        (", answers=()", None),
        (", **more", None),
        (", *, options=None", None),
    ],
)
def test_a_class_is_made_with_the_options_where_it_takes_them(
    make_client, event, signature, name
):
    """
    By a first argument that is called *options*, or that must be given.
    """
    made = a_class(signature)
    client = make_client(transport_class=made, buffer_bytes=1 << 17)

    assert client.log_event(event()).result(30).status is Status.SUCCESS
    given = made.given.pop(name, None)
    if name == "args":
        (given,) = given
    assert (given and given.buffer_bytes) == (name and 1 << 17)


def test_the_transport_for_tests_may_be_given_as_a_class(make_client, event):
    """
    It takes everything.
    """
    client = make_client(transport_class=MemoryTransport)

    assert client.log_event(event()).result(30).status is Status.SUCCESS


class NodeAnswer:
    """
    A response as an object with the Node SDK's names.
    """

    def __init__(self, status, code, body=None):
        self.status = status
        self.statusCode = code
        self.body = body


NODE_ANSWERS = [
    ({"status": "success", "statusCode": 200}, Status.SUCCESS, 200),
    ({"statusCode": 200, "body": {"code": 200}}, Status.SUCCESS, 200),
    ({"status": "invalid", "statusCode": 403}, Status.INVALID, 403),
    ({"status": "failed", "status_code": 500}, Status.FAILED, 500),
    ({"status": "SystemError"}, Status.SYSTEM_ERROR, 0),
    (NodeAnswer("success", 200), Status.SUCCESS, 200),
    (NodeAnswer(Status.SUCCESS, 204, {}), Status.SUCCESS, 204),
]


@pytest.mark.parametrize(("answer", "status", "code"), NODE_ANSWERS)
@pytest.mark.parametrize("seam", ["transport", "retry"])
def test_an_answer_with_the_names_of_node_is_understood(  # noqa: PLR0917
    make_client, event, answer, status, code, seam
):
    """
    As an object or a mapping, of a transport and of a retry class.
    """

    class Own:
        def sendPayload(self, payload):
            return answer

        def sendEventsWithRetry(self, events):
            return answer

    own = {f"{seam}_class": Own()}
    client = make_client(retry_timeouts=[], **own)

    response = client.log_event(event()).result(30)

    assert (response.status, response.status_code) == (status, code)


def test_the_body_of_such_an_answer_names_its_events(make_client, event):
    """
    Node's SDK spells the service's names anew; the event that is named is
    rejected, and the other is sent again.
    """
    answers = [
        {
            "status": "invalid",
            "statusCode": 400,
            "body": {"eventsWithInvalidFields": {"time": [0]}},
        },
        {"status": "success", "statusCode": 200},
    ]

    class Own:
        def sendPayload(self, payload):
            return answers.pop(0)

    client = make_client(upload_interval_in_sec=60, transport_class=Own())
    receipts = [client.log_event(event(number)) for number in range(2)]
    client.flush().result(30)

    assert [r.result(0).status for r in receipts] == [
        Status.INVALID,
        Status.SUCCESS,
    ]
