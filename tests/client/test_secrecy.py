# SPDX-License-Identifier: MIT
"""
The API key is in no log line, repr, receipt or traceback.
"""

from __future__ import annotations

import gc
import logging
import traceback

import pytest

import ringamp
from ringamp import Response, Status
from ringamp.client import Client
from ringamp.collector import Fault
from ringamp.transport.payload import Payload

KEY = "5ec2e75ec2e75ec2e75ec2e75ec2e7ab"


def test_the_log_at_its_loudest_does_not_have_it(event, collector, caplog):
    """
    Every kind of failure, at the level of VERBOSE.
    """
    body = {"code": 400, "error": f"Invalid API key: {KEY}"}
    for fault in (
        Fault(status=500),
        Fault(reset="before"),
        Fault(half=True),
        Fault(status=413),
        Fault(status=429),
        Fault(indexes=[0]),
        Fault(status=400, body=body),
    ):
        collector.faults.add(fault)

    def fail(payload, next):
        if payload.extra:
            raise LookupError(payload)
        next(payload)

    def on_delivery(events, response):
        raise ValueError(events)

    with caplog.at_level(logging.DEBUG):
        client = Client("loud").init(
            KEY,
            server_url=collector.url,
            log_level="VERBOSE",
            retry_timeouts=[1] * 9,
            on_delivery=on_delivery,
        )
        client.add_event_middleware(fail)
        client.log_event(event(), "fail")
        receipts = [client.log_event(event(n)) for n in range(4)]
        client.log_event({"event_type": "t"})
        client.shutdown()

    assert len(caplog.records) > 4
    assert KEY not in caplog.text
    assert KEY not in repr([receipt.response for receipt in receipts])


def test_no_repr_has_it(make_client, event, collector):
    """
    Walk through everything that can be reached from a client.
    """
    client = Client("walked").init(KEY, server_url=collector.url)
    client.log_event(event()).result(30)
    payloads = []

    class Keeps:
        def send_payload(self, payload):
            payloads.append(payload)
            return Response(Status.SUCCESS, 200)

    other = Client("other").init(KEY, transport_class=Keeps())
    other.log_event(event()).result(30)
    todo, seen = [client, other, payloads], {}
    while todo:
        thing = todo.pop()
        if id(thing) in seen or not is_ours(thing):
            continue
        seen[id(thing)] = thing
        todo += gc.get_referents(thing)
        if type(thing).__module__.startswith("ringamp"):
            assert KEY not in repr(thing), type(thing)
    client.shutdown()
    other.shutdown()

    assert any(isinstance(t, Payload) for t in seen.values())
    assert len(seen) > 50


def is_ours(thing):
    """
    Whether an object, or a container, that may lead to ours.
    """
    module = type(thing).__module__.partition(".")[0]
    return module in {"ringamp", "builtins", "collections"} and not isinstance(
        thing, type | type(gc)
    )


@pytest.mark.parametrize("key", [f"{KEY}\t{KEY}", f"{KEY}\n", None, 5, ""])
def test_a_wrong_key_is_not_shown(key):
    """
    Neither in the message nor in the locals that a traceback would print.
    """
    with pytest.raises(ringamp.OptionsError) as caught:
        ringamp.init(key)

    assert KEY not in str(caught.value)
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_wrong_option_does_not_show_the_key():
    """
    The error of another option is raised with the key at hand.
    """
    with pytest.raises(ringamp.OptionsError) as caught:
        ringamp.init(KEY, buffer_bytes="much")

    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_no_traceback_has_it(event, collector):
    """
    Of what user code raises where the key is at hand: neither the receipt
    nor the frames that an error reporter would print, locals included.
    """
    shown = []

    def fail(payload):
        raise LookupError(payload)

    class Reports(ringamp.HTTPTransport):
        def send_payload(self, payload):
            try:
                return fail(payload)
            except LookupError as error:
                shown.append(error)
                raise

    class Retries(ringamp.BaseRetry):
        def send_events_with_retry(self, events):
            try:
                return self.send_events(events)
            except LookupError as error:
                shown.append(error)
                raise

    for retry in (None, Retries):
        client = Client("reports").init(
            KEY,
            server_url=collector.url,
            transport_class=Reports,
            retry_class=retry,
            retry_timeouts=[],
        )
        response = client.log_event(event()).result(30)
        client.shutdown()
        assert "LookupError" in response.error
        assert KEY not in repr(response)

    assert len(shown) == 3
    for error in shown:
        report = traceback.TracebackException.from_exception(
            error, capture_locals=True
        )
        assert KEY not in "".join(report.format())


def test_it_travels_in_the_body_alone(event, collector):
    """
    Not in the URL, not in a header: proxies write both down.
    """
    seen = []

    class Looks(ringamp.HTTPTransport):
        def send_payload(self, payload):
            seen.append((payload.url, dict(payload.headers), payload.body))
            return super().send_payload(payload)

    client = Client("looks").init(
        KEY, server_url=collector.url, transport_class=Looks
    )
    client.log_event(event()).result(30)
    client.shutdown()

    ((url, headers, body),) = seen
    assert KEY not in url + repr(headers)
    assert body.count(KEY.encode()) == 1
    assert KEY not in repr(collector.ledger.requests())


def test_a_flush_and_a_callback_do_not_have_it(event, collector):
    """
    Where the service quotes it in its answer, it is blotted out for all.
    """
    body = {"code": 400, "error": f"Invalid API key: {KEY}", "key": KEY}
    collector.faults.add(Fault(status=400, body=body))
    told = []
    client = Client("quoted").init(
        KEY,
        server_url=collector.url,
        on_delivery=lambda events, response: told.append(
            (list(events), response)
        ),
    )
    client.log_event(event())
    response = client.flush().result(30)
    client.shutdown()

    assert response.error.startswith("Invalid API key")
    assert KEY not in repr(response) + repr(told)
    assert len(told) == 1


@pytest.mark.parametrize("retry", [None, ringamp.BaseRetry])
def test_an_exception_that_quotes_the_body_does_not_tell_it(
    event, caplog, retry
):
    """
    A transport that trips over the bytes it was given raises them: the
    words in log and receipt have no key, and not a megabyte of events.
    """

    class Quotes:
        def send_payload(self, payload):
            payload.body.decode("ascii")

    client = Client("quotes").init(
        KEY,
        transport_class=Quotes,
        retry_class=retry,
        retry_timeouts=[],
        log_level="VERBOSE",
    )
    with caplog.at_level(logging.DEBUG):
        fields = event(event_properties={"x": "\N{SNOWMAN}" * 10_000})
        response = client.log_event(fields).result(30)
        client.shutdown()

    assert "UnicodeDecodeError" in response.error
    assert KEY not in response.error
    assert KEY not in caplog.text
    assert len(response.error) < 600
    assert len(caplog.text) < 5000
