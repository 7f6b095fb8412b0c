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
    client.log_event(event()).result(5)
    payloads = []

    class Keeps:
        def send_payload(self, payload):
            payloads.append(payload)
            return Response(Status.SUCCESS, 200)

    other = Client("other").init(KEY, transport_class=Keeps())
    other.log_event(event()).result(5)
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


@pytest.mark.parametrize("key", [f"{KEY} {KEY}", f"{KEY}\n", None, 5, ""])
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
