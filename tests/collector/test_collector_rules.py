# SPDX-License-Identifier: MIT
"""
Tests of `ringamp.collector.rules`: requests as a whole, limits and dedupe.
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
from ringamp.collector.settings import LENIENT, Limits, Settings
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


def test_without_limits_everything_sensible_is_taken():
    """
    Lenient settings lift the limits of count and size, not of sense.
    """
    many = [event()] * 5000

    assert ask(*many, settings=LENIENT).status == 200
    assert ask(event(time="x"), settings=LENIENT).status == 400


DEEP = {"event_properties": json.loads('{"a":' * 400 + "1" + "}" * 400)}

LENIENTLY = {
    "short user": {"user_id": "u"},
    "short device beside a user": {"device_id": "d"},
    "long id": {"user_id": "u" * 2000},
    "forbidden id": {"user_id": "anonymous"},
    "empty id": {"user_id": ""},
    "device of zeros": {"device_id": "0000"},
    "depth": DEEP,
    "groups": {"groups": {str(n): ["g"] * 20 for n in range(20)}},
    "long text": {"event_properties": {"a": "x" * 5000}},
}


@pytest.mark.parametrize("path", [V2, BATCH])
@pytest.mark.parametrize("case", LENIENTLY)
def test_lenient_takes_events_as_they_come(case, path):
    """
    Nothing is refused for a limit, and nothing cut off or left out, whatever
    the body is called.
    """
    sent = event(**LENIENTLY[case])
    body = {"api_key": "KEY", "events": [sent]}
    said = answer(
        request(body, path, content_type="text/plain"), LENIENT, State(), NOW
    )

    assert said.status == 200
    assert list(said.taken) == [sent]
    assert not said.losses


VALUES = [
    *(None, "", "u", "alice", "anonymous", "u" * 1025, 7, 1.5, True, {}, []),
    *({"a": "x" * 2000}, {"$set": {"a": 1}}, {"$remove": {"a": 1}}, DEEP),
    {str(n): ["g", "h"] for n in range(7)},
]
NAMES = [
    *("event_type", "user_id", "device_id", "time", "groups", "insert_id"),
    *("event_properties", "user_properties", "group_properties", "other"),
]


@given(
    events=st.lists(
        st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES)),
        max_size=3,
    ),
    kind=st.sampled_from(["$identify", "$groupidentify", "Checkout"]),
    path=st.sampled_from([V2, BATCH]),
)
def test_lenient_takes_all_that_strict_takes(events, kind, path):
    """
    What the strict collector answers 200, the lenient one does as well.
    """
    sent = [{"event_type": kind, "user_id": "alice", **one} for one in events]
    strict, lenient = (
        ask(*json.loads(json.dumps(sent)), path=path, settings=settings)
        for settings in (Settings(), LENIENT)
    )

    assert strict.status != 200 or lenient.status == 200


def test_a_repeated_insert_id_is_dropped():
    """
    Sent again with the same device, an event is answered 200 and not taken;
    on another device it is another event.
    """
    state = State()
    first = event(insert_id="i1", device_id="device-1")
    other = event(insert_id="i1", device_id="device-2")
    ask(first, state=state)
    said = ask(first, other, other, state=state)

    assert said.status == 200
    assert said.body["events_ingested"] == 3
    assert list(said.taken) == [other]
    assert list(said.duplicates) == [first, other]


def test_projects_share_no_insert_ids():
    """
    The same event under another API key is another project's.
    """
    state = State()
    twin = event(insert_id="i1", device_id="device-1")
    first = ask(twin, state=state, api_key="KEY1")
    second = ask(twin, state=state, api_key="KEY2")
    third = ask(twin, state=state, api_key="KEY1")

    assert [len(said.taken) for said in (first, second, third)] == [1, 1, 0]


def test_an_insert_id_is_known_for_seven_days():
    """
    Then the same event is new, and known for seven days once more.
    """
    state = State()
    twin = event(insert_id="i1")
    days = [0, 6.9, 7, 13.9, 14]
    taken = [
        len(ask(twin, state=state, now=NOW + day * 86_400).taken)
        for day in days
    ]

    assert taken == [1, 0, 1, 0, 1]


@given(
    waits=st.lists(st.integers(0, 20), max_size=30),
    names=st.lists(st.sampled_from("abc"), min_size=30, max_size=30),
    window=st.integers(1, 20),
)
def test_dedupe_is_a_window_behind_each_event(waits, names, window):
    """
    An event is a duplicate if one like it was taken within the window, and
    never for one that was not taken itself.
    """
    state = State()
    settings = Settings(dedupe_seconds=window, throttle=False)
    now = NOW
    last = {}
    for wait, name in zip(waits, names, strict=False):
        now += wait
        said = ask(
            event(insert_id=name), state=state, settings=settings, now=now
        )
        is_new = name not in last or last[name] <= now - window
        if is_new:
            last[name] = now

        assert len(said.taken) == is_new


def test_dedupe_can_be_off():
    """
    Without dedupe, and without insert_id, repeats are taken.
    """
    twin = event(insert_id="i1")

    assert len(ask(event(), event()).taken) == 2
    assert len(ask(twin, twin, settings=Settings(dedupe=False)).taken) == 2


def test_dedupe_memory_is_bounded():
    """
    The oldest insert_id is the first to be forgotten.
    """
    state = State(dedupe_memory=2)
    ask(*[event(insert_id=f"i{n}") for n in range(3)], state=state)

    assert len(ask(event(insert_id="i2"), state=state).duplicates) == 1
    assert len(ask(event(insert_id="i0"), state=state).taken) == 1
    assert len(state.seen) == 2


def test_a_refused_request_leaves_no_trace():
    """
    The insert_ids of a refused request are not remembered.
    """
    state = State()
    good = event(insert_id="i1")
    ask(good, event(time="x"), state=state)

    assert list(ask(good, state=state).taken) == [good]


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
