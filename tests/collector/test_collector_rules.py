# SPDX-License-Identifier: MIT
"""
Tests of `ringamp.collector.rules`: requests as a whole and limits.
"""

import gzip
import json
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uploads import BATCH, INVALID, NOW, V2, ask, event, request

from ringamp.collector.reading import events_in
from ringamp.collector.rules import answer
from ringamp.collector.settings import Limits, Settings
from ringamp.collector.state import State


def test_a_good_upload_is_taken():
    """
    A 200 counts the events and the bytes, and tells the server's time in ms.
    """
    sent = request({"api_key": "KEY", "events": [event(), event()]})
    said = answer(sent, Settings(), State(), NOW)

    assert said.status == 200
    assert said.body == {
        "code": 200,
        "events_ingested": 2,
        "payload_size_bytes": sent.size,
        "server_upload_time": 1_700_000_000_500,
    }
    assert list(said.taken) == [event(), event()]


GOOD = {"api_key": "KEY", "events": [event()]}
PACKED = {"content_encoding": "gzip"}

REQUEST_LEVEL = {
    "path": (request(GOOD, "/3/httpapi"), 400, "Invalid request path", None),
    "method": (request(GOOD, V2, "PUT"), 405, "Method Not Allowed", None),
    "gzip and more": (
        request(gzip.compress(b"{}") + b"{}", **PACKED),
        400,
        "Invalid JSON request body",
        None,
    ),
    "gzip twice": (
        request(gzip.compress(b'{"a":') + gzip.compress(b"1}"), **PACKED),
        400,
        "Invalid JSON request body",
        None,
    ),
    "damaged gzip": (
        request(
            gzip.compress(json.dumps(GOOD).encode())[:-8] + bytes(8), **PACKED
        ),
        400,
        "Invalid JSON request body",
        None,
    ),
    "another coding": (
        request(GOOD, content_encoding="br"),
        400,
        "Invalid JSON request body",
        None,
    ),
    "two codings": (
        request(GOOD, content_encoding="gzip, gzip"),
        400,
        "Invalid JSON request body",
        None,
    ),
    "2001 events in gzip": (
        request(
            gzip.compress(
                json.dumps(
                    {"api_key": "KEY", "events": [event()] * 2001}
                ).encode()
            ),
            **PACKED,
        ),
        413,
        "Payload too large",
        None,
    ),
    "empty in gzip": (
        request(gzip.compress(b""), **PACKED),
        400,
        "Missing request body",
        None,
    ),
    "empty": (request(b""), 400, "Missing request body", None),
    "not JSON": (request(b"{"), 400, "Invalid JSON request body", None),
    "NaN": (
        request(b'{"api_key": NaN}'),
        400,
        "Invalid JSON request body",
        None,
    ),
    "no object": (request([GOOD]), 400, "Invalid JSON request body", None),
    "media type": (
        request(GOOD, content_type="text/plain"),
        400,
        "Invalid JSON request body",
        None,
    ),
    "not gzip": (
        request(GOOD, content_encoding="gzip"),
        400,
        "Invalid JSON request body",
        None,
    ),
    "half a gzip": (
        request(gzip.compress(b"{}")[:-4], content_encoding="gzip"),
        400,
        "Invalid JSON request body",
        None,
    ),
    "other encoding": (
        request(GOOD, content_encoding="br"),
        400,
        "Invalid JSON request body",
        None,
    ),
    "no key": (
        request({"events": [event()]}),
        400,
        "Request missing required field",
        "api_key",
    ),
    "null key": (
        request({"api_key": None, "events": [event()]}),
        400,
        "Request missing required field",
        "api_key",
    ),
    "empty key": (
        request({"api_key": "", "events": [event()]}),
        400,
        "Invalid API key",
        None,
    ),
    "no events": (
        request({"api_key": "KEY"}),
        400,
        "Request missing required field",
        "events",
    ),
    "empty events": (
        request({"api_key": "KEY", "events": []}),
        400,
        "Request missing required field",
        "events",
    ),
    "events no list": (
        request({"api_key": "KEY", "events": event()}),
        400,
        "Invalid event JSON",
        None,
    ),
    "event no object": (
        request({"api_key": "KEY", "events": [event(), "x"]}),
        400,
        "Invalid event JSON",
        None,
    ),
    "options": (
        request({**GOOD, "options": {"min_id_length": "5"}}),
        400,
        "Invalid JSON request body",
        None,
    ),
    "2001 events": (
        request({"api_key": "KEY", "events": [event()] * 2001}),
        413,
        "Payload too large",
        None,
    ),
    "1 MB": (
        request({"api_key": "KEY", "events": [event(x="y" * 1_000_000)]}),
        413,
        "Payload too large",
        None,
    ),
    "1 MB in gzip": (
        request(gzip.compress(b" " * 1_000_000), content_encoding="gzip"),
        413,
        "Payload too large",
        None,
    ),
}


@pytest.mark.parametrize("case", REQUEST_LEVEL)
def test_a_bad_request_is_refused_whole(case):
    """
    Each fault of a request as a whole has its status, its documented error
    and, where a field is missing, that field; nothing is taken.
    """
    sent, status, error, missing_field = REQUEST_LEVEL[case]
    said = answer(sent, Settings(), State(), NOW)
    expected = {"code": status, "error": error}
    if missing_field:
        expected["missing_field"] = missing_field

    assert said.status == status
    assert said.body == expected
    assert not said.taken


def test_a_key_must_be_known_where_keys_are_configured():
    """
    With keys configured another key is refused before the events are read.
    """
    settings = Settings(api_keys=frozenset({"SECRET", "B"}))
    said = ask({"nonsense": 1}, settings=settings)

    assert said.body == {"code": 400, "error": "Invalid API key"}
    assert ask(event(), settings=settings, api_key="B").status == 200
    assert "SECRET" not in repr(settings)


def test_the_content_filter_answers_403():
    """
    A body with forbidden text is forbidden as a whole.
    """
    settings = Settings(forbidden_text=("<script>",))
    said = ask(event(), event(x="<script>"), settings=settings)

    assert said.status == 403
    assert said.body == {"code": 403, "error": "Forbidden"}


def test_batch_takes_what_http_v2_finds_too_large():
    """
    The batch API takes bodies up to 20 MB.
    """
    large = event(x="y" * 1_000_000)

    assert ask(large).status == 413
    assert ask(large, path=BATCH).status == 200
    assert ask(*[large] * 20, path=BATCH).status == 413


@pytest.mark.parametrize(("path", "limit"), [(V2, 10**6), (BATCH, 2 * 10**7)])
def test_a_body_stays_below_its_limit(path, limit):
    """
    One byte below the limit is taken, the limit itself is not.
    """
    bare = request({"api_key": "KEY", "events": [event(x="")]}).size

    assert ask(event(x="y" * (limit - bare - 1)), path=path).status == 200
    assert ask(event(x="y" * (limit - bare)), path=path).status == 413


def test_2000_events_are_not_too_many():
    """
    The limit itself is allowed.
    """
    assert ask(*[event()] * 2000).body["events_ingested"] == 2000


def test_gzip_is_unpacked_and_counted_unpacked():
    """
    A packed body is taken, and its size is that of the JSON.
    """
    plain = json.dumps(GOOD).encode()
    sent = request(gzip.compress(plain), content_encoding="gzip")
    said = answer(sent, Settings(), State(), NOW)

    assert said.body["payload_size_bytes"] == len(plain)
    assert events_in(sent, Settings()) == [event()]


def test_a_bomb_is_not_unpacked():
    """
    A hundred kilobytes that would become a hundred megabytes are refused, and
    no more than the limit is ever in memory.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(10**6)) for _ in range(100))
    sent = request(bomb + packer.flush(), **PACKED)
    assert sent.size < 150_000

    tracemalloc.start()
    said = answer(sent, Settings(), State(), NOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert said.status == 413
    assert peak < 5_000_000


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["api_key", "events", "event_type", "user_id", "x"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(upload=JSON_VALUES | st.binary(max_size=40))
def test_every_body_has_an_answer(upload):
    """
    Whatever is sent, the answer is one of the documented ones, and what is
    not taken is refused.
    """
    sent = request(upload)
    said = answer(sent, Settings(), State(), NOW)

    assert said.status in (200, 400, 413)
    assert said.body["code"] == said.status
    assert bool(said.taken) == (said.status == 200)


@given(
    wrong=st.lists(st.booleans(), min_size=1, max_size=30).filter(any),
)
def test_a_client_that_drops_what_is_named_gets_through(wrong):
    """
    The indexes name exactly the bad events, so the rest is taken next time.
    """
    events = [
        event(insert_id=str(n), **({"time": "x"} if bad else {}))
        for n, bad in enumerate(wrong)
    ]
    said = ask(*events)
    rest = [
        e for n, e in enumerate(events) if n not in said.body[INVALID]["time"]
    ]

    assert [n for n, bad in enumerate(wrong) if bad] == said.body[INVALID][
        "time"
    ]
    assert not rest or ask(*rest).status == 200


def test_limits_are_settings():
    """
    Each limit can be set for each API.
    """
    settings = Settings(http_v2=Limits(max_events=1, max_bytes=200))

    assert ask(event(), event(), settings=settings).status == 413
    assert ask(event(x="y" * 200), settings=settings).status == 413
    assert ask(event(), settings=settings).status == 200
