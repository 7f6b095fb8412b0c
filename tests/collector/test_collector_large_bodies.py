# SPDX-License-Identifier: MIT
"""
Tests that no body fills the memory or breaks the collector, on any path.
"""

import gzip
import zlib
from pathlib import Path

import pytest
from raw_http import JSON, ask, chunked

from ringamp.collector import (
    LENIENT,
    Collector,
    CollectorProcess,
    Fault,
    wire,
)
from ringamp.collector.control import ENDPOINTS
from ringamp.collector.settings import API_PATHS

FORM = ("Content-Type", "application/x-www-form-urlencoded")
PACKED = ("Content-Encoding", "gzip")

PATHS = [
    *API_PATHS,
    *(f"/_collector{r.path}" for r in ENDPOINTS if r.method == "POST"),
    "/anything",
]

MUCH = 40 << 20
ROOM = 24 << 20
"""What the process may grow by; the batch API may keep 20 MB."""


def bomb(size):
    """
    Pack so many zeros into a fraction of their size.
    """
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*parts, packer.flush()])


BOMB = bomb(128 << 20)


def resident(pid):
    """
    Return the bytes of memory that a process holds.
    """
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@pytest.fixture(scope="module")
def apart():
    """
    A collector in a process whose memory is measured, and its port.
    """
    with CollectorProcess() as collector:
        yield collector, int(collector.base_url.rpartition(":")[2])


@pytest.mark.process
@pytest.mark.parametrize("path", PATHS)
def test_a_large_body_is_answered_and_not_kept(apart, path):
    """
    With a length, in chunks or packed: it is refused, or not looked at, and
    never in memory as a whole.
    """
    collector, port = apart
    form = FORM if "identify" in path else JSON
    before = resident(collector.pid)
    piece = b"x" * (1 << 20)
    said = [
        ask(port, "POST", path, form, body=b"x" * MUCH),
        chunked(port, "POST", path, form, chunks=[piece] * (MUCH >> 20)),
        ask(port, "POST", path, form, PACKED, body=BOMB),
    ]

    expected = {413} if path in API_PATHS else {400, 413}
    assert {one.status for one in said} <= expected
    assert resident(collector.pid) - before < ROOM


@pytest.mark.process
def test_a_fault_that_waits_for_ids_unpacks_no_more(apart):
    """
    A body that is searched for the ids of a fault is bounded as well.
    """
    collector, port = apart
    collector.add_fault(Fault(users=("alice",)))
    before = resident(collector.pid)
    said = ask(port, "POST", "/2/httpapi", JSON, PACKED, body=BOMB)
    collector.clear_faults()

    assert said.status == 413
    assert resident(collector.pid) - before < ROOM


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_body_where_none_belongs_is_refused(collector, method):
    """
    What comes with a question that has no body is refused, and the question
    is not answered.
    """
    for row in ENDPOINTS:
        if row.method != method:
            continue
        path = f"/_collector{row.path}"
        said = ask(collector.port, method, path, body=b"x" * 1_000_000)

        assert said.status == 413, path


@pytest.mark.parametrize("path", PATHS)
def test_a_body_without_end_is_cut_off(collector, monkeypatch, path):
    """
    In the end even reading ends: the answer comes, and the connection goes.
    """
    monkeypatch.setattr(wire, "MOST_READ", 40_000_000)
    said = chunked(
        collector.port, "POST", path, JSON, chunks=[b"x" * (1 << 20)] * 200
    )

    assert said.status in (400, 413)
    assert said.headers["Connection"] == "close"


NO_TEXT = {
    "not UTF-8": b"\xff",
    "half a character": b'["\xc3',
    "text in another code": '["\u00e4"]'.encode("utf-16"),
    "an end within": b'["a\x00"]\x00',
    "half a pair": b'["\\ud800"]',
    "deep": b"[" * 100_000,
    "deep objects": b'{"fault":' * 5_000,
    "a large number": b"[1" + b"0" * 5_000 + b"]",
    "a form that is no text": b"api_key=KEY&identification=%ff",
    "a form of bytes": b"api_key=KEY&identification=\xff\xfe",
    "parts without an end": b"--x\r\nContent-Disposition: form-data; name",
    "nothing": b"",
}


@pytest.mark.parametrize("case", NO_TEXT)
@pytest.mark.parametrize(
    "kind",
    [
        JSON[1],
        FORM[1],
        "multipart/form-data; boundary=x",
        "\xff",
        "text/plain",
    ],
)
def test_bytes_that_say_nothing_are_a_400(collector, case, kind):
    """
    On every path that takes a body, strict or lenient, and never a 500.
    """
    with Collector(settings=LENIENT) as lenient:
        for path in PATHS:
            # How strict it is makes no difference to the control paths.
            both = (collector, lenient) if path in API_PATHS else (collector,)
            for running in both:
                said = ask(
                    running.port,
                    "POST",
                    path,
                    ("Content-Type", kind),
                    body=NO_TEXT[case],
                )
                # There is nothing to say with a reset.
                empty = path.endswith("reset") and case == "nothing"
                fine = empty and kind == JSON[1]

                assert said.status in ((204,) if fine else (400, 413)), path


def test_queries_of_odd_bytes_are_no_error(collector):
    """
    A query is text whatever it is made of.
    """
    for query in ("user_id=%ff", "user_id=%00", "user_id=", "%ff=%ff", "&&"):
        for row in ENDPOINTS:
            path = f"/_collector{row.path}?{query}"
            said = ask(collector.port, row.method, path, JSON, body=b"")

            assert said.status in (200, 204, 400), path


def test_a_packed_upload_within_the_limit_is_taken(collector):
    """
    The bounds take nothing from what fits.
    """
    body = gzip.compress(
        b'{"api_key":"KEY","events":[{"event_type":"x","user_id":"alice"}]}'
    )
    said = ask(collector.port, "POST", "/2/httpapi", JSON, PACKED, body=body)

    assert said.status == 200
