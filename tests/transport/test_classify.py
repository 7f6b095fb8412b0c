# SPDX-License-Identifier: MIT
"""
classify: a table, pure and total.
"""

from __future__ import annotations

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringamp.status import Response, Status
from ringamp.transport.classify import (
    BODY_CAP,
    LONGEST_RETRY_AFTER,
    STATUS_OF_CODE,
    STATUS_OF_HUNDRED,
    classify,
)

NOON = "Wed, 21 Oct 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *((code, Status.SUCCESS) for code in (200, 202, 204, 299)),
        *((code, Status.INVALID) for code in (400, 401, 403, 404, 451, 499)),
        (408, Status.TIMEOUT),
        (413, Status.PAYLOAD_TOO_LARGE),
        (429, Status.RATE_LIMIT),
        *((code, Status.FAILED) for code in (500, 502, 503, 504, 599, 999)),
        *((code, Status.UNKNOWN) for code in (0, 101, 301, 304, 399, -1)),
    ],
)
def test_the_http_status_decides(code, status):
    """
    Every code has the class that the Node SDK gives it.
    """
    assert classify(code).status is status


def test_every_row_of_the_table_is_used():
    """
    No special code repeats what its hundred says.
    """
    for code, status in STATUS_OF_CODE.items():
        assert STATUS_OF_HUNDRED[code // 100] is not status


@pytest.mark.parametrize("code", [200, 400, 413, 429, 500])
def test_the_code_in_the_body_is_not_believed(code):
    """
    A proxy's foreign JSON does not change what the status says.
    """
    other = {"code": 200 if code != 200 else 500}

    assert classify(code, orjson.dumps(other)).status is classify(code).status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"null",
        b"[1]",
        b'"text"',
        b"{",
        b'{"a":"\xff"}',
        b"\xff\xfe{\x00}\x00",
        b'{"a":' * 50_000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"a":NaN}',
    ],
)
@pytest.mark.parametrize("code", [200, 400, 429, 502])
def test_p3_a_body_that_is_no_object_is_no_error(code, body):
    """
    HTML, arrays, broken or absurdly deep JSON count as no body.
    """
    response = classify(code, body)

    assert response.body is None
    assert response.error == (None if code == 200 else f"HTTP {code}")


def test_a_body_beyond_the_cap_counts_as_none():
    """
    The size of what is parsed is bounded.
    """
    body = b'{"a":"' + b"x" * BODY_CAP + b'"}'

    assert classify(400, body).body is None


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_error_of_the_service_is_kept(kind):
    """
    The body's object and its words are in the response.
    """
    body = {"code": 400, "error": "Invalid API key"}

    assert classify(400, kind(orjson.dumps(body))) == Response(
        Status.INVALID, 400, body, "Invalid API key"
    )


@pytest.mark.parametrize("error", ["", None, 5, {"a": 1}, ["x"]])
def test_an_error_that_is_no_text_is_replaced(error):
    """
    Only words are words.
    """
    body = orjson.dumps({"error": error})

    assert classify(400, body).error == "HTTP 400"


def test_a_long_error_is_cut():
    """
    Log lines stay lines.
    """
    body = orjson.dumps({"error": "x" * 5000})

    assert len(classify(400, body).error) == 300


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("99999", LONGEST_RETRY_AFTER),
        ("Wed, 21 Oct 2026 12:00:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 11:00:00 GMT", 0.0),
        ("Wed, 21 Oct 2099 11:00:00 GMT", LONGEST_RETRY_AFTER),
        ("Wed, 21 Oct 2026 12:00:30 -0000", 30.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("9" * 5000, None),
        ("Wed, 99 Xxx 2026 12:00:30 GMT", None),
    ],
)
@pytest.mark.parametrize("name", ["Retry-After", "retry-after"])
def test_retry_after_is_seconds_or_a_date(name, asked, seconds):
    """
    Both forms are read, bounded, and nonsense is ignored.
    """
    headers = {name: asked, "Date": NOON}

    assert classify(503, b"", headers).retry_after == seconds


def test_a_date_is_measured_by_the_answers_own_clock():
    """
    The header Date is preferred to our clock; without both, no answer.
    """
    asked = {"Retry-After": "Wed, 21 Oct 2026 12:00:30 GMT"}
    noon = 1792584000.0

    assert classify(503, b"", asked).retry_after is None
    assert classify(503, b"", asked, now=noon).retry_after == 30.0
    assert classify(
        503, b"", {**asked, "DATE": NOON}, now=noon + 999
    ).retry_after == pytest.approx(30.0)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(),
    st.binary(max_size=200),
    st.dictionaries(
        st.sampled_from(["Retry-After", "Date", "date", "X"]),
        st.text(max_size=40),
    ),
    st.none() | st.floats(0, 1e12),
)
def test_classify_is_total(code, body, headers, now):
    """
    Nothing a server may answer raises, and the wait is bounded.
    """
    response = classify(code, body, headers, now)

    wait = response.retry_after
    assert wait is None or 0 <= wait <= LONGEST_RETRY_AFTER
