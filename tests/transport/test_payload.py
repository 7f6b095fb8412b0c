# SPDX-License-Identifier: MIT
"""
Envelope, Payload and LazyEvents.
"""

from __future__ import annotations

import orjson
import pytest

from ringamp.buffer.batch import LazyEvents
from ringamp.options import Options
from ringamp.redaction import redact
from ringamp.transport.payload import (
    LIBRARY,
    Envelope,
    Payload,
)

KEY = "0123456789abcdef0123456789abcdef"


def envelope(**options):
    """
    Make an envelope with the test's key.
    """
    return Envelope(KEY, Options.build(**options))


def test_the_envelope_is_the_documented_body():
    """
    Head, events and tail make the JSON the service wants, and no more.
    """
    made = envelope(min_id_length=1)

    assert made.head == b'{"api_key":"' + KEY.encode() + b'","events":['
    assert made.tail == b'],"options":{"min_id_length":1}}'
    assert made.overhead == len(made.wrap([]))
    assert orjson.loads(made.wrap([b'{"a":1}', b"{}"])) == {
        "api_key": KEY,
        "events": [{"a": 1}, {}],
        "options": {"min_id_length": 1},
    }


def test_joined_events_are_wrapped_as_they_are():
    """
    Events that are joined already make the same body.
    """
    made = envelope()

    assert made.wrap(b"{},{}") == made.wrap([b"{}", b"{}"])


def test_a_key_is_escaped():
    """
    Quotes in a key cannot break the body.
    """
    made = Envelope('a"b\\', Options.build())

    assert orjson.loads(made.wrap([]))["api_key"] == 'a"b\\'


def test_no_repr_shows_the_key():
    """
    Neither envelope nor payload nor events show what is in the body.
    """
    made = envelope(server_url="http://h:1/p?token=secret")
    payload = made.payload([{"event_type": KEY}])

    shown = repr([made, payload, payload.events])

    assert KEY not in shown
    assert "secret" not in shown
    assert f"<Payload http://h:1/p: 1 events, {len(payload.body)} bytes>" in (
        shown
    )


def test_a_payload_of_dicts_is_ready_to_send():
    """
    The helper for users fills in everything a transport asks for.
    """
    events = [{"event_type": "ü"}, {"event_type": "b", "time": 1}]
    made = envelope(request_timeout_millis=1500)

    payload = made.payload(events)

    assert orjson.loads(payload.body)["events"] == events
    assert list(payload.events) == events
    assert payload.timeout == 1.5
    assert payload.url == "https://api2.amplitude.com/2/httpapi"
    assert payload.headers["User-Agent"] == LIBRARY
    assert LIBRARY.startswith("ringamp/")


def test_l3_a_payload_without_events_cannot_be_made():
    """
    An empty list is a mistake of the caller, not a request.
    """
    with pytest.raises(ValueError, match="at least one event"):
        envelope().payload([])


def test_l3_events_may_come_from_a_generator():
    """
    An iterable that yields nothing is no request either.
    """
    with pytest.raises(ValueError, match="at least one event"):
        envelope().payload(iter(()))


def test_lazy_events_decode_what_is_looked_at():
    """
    A broken event harms nobody who does not look at it.
    """
    body = b'{"a":1},nonsense,{"b":2}'
    events = LazyEvents(body, [0, 8, 17, 25])

    assert len(events) == 3
    assert events[0] == {"a": 1}
    assert events[-1] == {"b": 2}
    with pytest.raises(orjson.JSONDecodeError):
        events[1]


def test_lazy_events_are_a_sequence():
    """
    Slices are sequences again; the end is an IndexError; a look is a copy.
    """
    events = envelope().payload([{"i": i} for i in range(5)]).events
    events[0]["i"] = "changed"

    assert [event["i"] for event in events[1:4]] == [1, 2, 3]
    assert [event["i"] for event in reversed(events)] == [4, 3, 2, 1, 0]
    assert [event["i"] for event in events[::2]] == [0, 2, 4]
    assert {"i": 3} in events
    with pytest.raises(IndexError):
        events[5]


def test_lazy_events_read_a_body_assembled_in_place():
    """
    A memoryview of a larger buffer is a body, too.
    """
    buffer = memoryview(bytearray(b'xx{"a":1}yy'))[2:9]

    assert list(LazyEvents(buffer, [0, 8])) == [{"a": 1}]


def test_an_answer_loses_the_key_it_quotes():
    """
    The key is blotted out of an answer wherever it stands.
    """
    body = envelope().wrap([b"{}"])
    answer = f"bad key {KEY}, {KEY}".encode()

    assert redact(answer, body) == b"bad key ***, ***"
    assert redact(answer, memoryview(body)) == b"bad key ***, ***"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"api_key":"code"}'])
def test_an_answer_is_untouched_where_there_is_no_key(body):
    """
    A foreign body names no key, and a short one may be an ordinary word.
    """
    assert redact(b'{"code":400}', body) == b'{"code":400}'


def test_a_payload_can_be_made_by_hand():
    """
    All five parts are given and kept.
    """
    payload = Payload("http://h/", b"{}", {"A": "b"}, [], 2.0)

    assert (payload.url, payload.body) == ("http://h/", b"{}")
    assert (payload.headers, payload.timeout) == ({"A": "b"}, 2.0)
