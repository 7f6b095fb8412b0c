# SPDX-License-Identifier: MIT
"""
Tests of the gate on the wire: every route of the running collector is
attacked as a page of the web would.
"""

import json

import pytest
from raw_http import JSON, ask, exchange
from starlette.routing import Mount

from ringamp.collector import Collector, Fault
from ringamp.collector.control import ENDPOINTS, Control, build_app
from ringamp.collector.guard import PROTECTION
from ringamp.collector.settings import API_PATHS

EVENT = {"event_type": "x", "user_id": "alice", "insert_id": "a"}
UPLOAD = json.dumps({"api_key": "KEY", "events": [EVENT]}).encode()
FORM = b"api_key=KEY&identification=%7B%22user_id%22%3A%22alice%22%7D"
GROUP_FORM = FORM.replace(b"user_id", b"group_type")[:-3] + (
    b"%2C%22group_value%22%3A%22v%22%7D"
)
PAGE = "<script>fetch('/_collector/events')</script>"

BODIES = {
    "/2/httpapi": (JSON, UPLOAD),
    "/batch": (JSON, UPLOAD),
    "/identify": (("Content-Type", "application/x-www-form-urlencoded"), FORM),
    "/groupidentify": (
        ("Content-Type", "application/x-www-form-urlencoded"),
        GROUP_FORM,
    ),
    "/_collector/check": (JSON, b'["a"]'),
    "/_collector/faults": (JSON, b'{"fault": {"status": 503}}'),
    "/_collector/reset": (JSON, b""),
}

ROUTES = [
    *(("POST", path) for path in API_PATHS),
    *(("GET", path) for path in API_PATHS),
    *((row.method, f"/_collector{row.path}") for row in ENDPOINTS),
    *(("HEAD", f"/_collector{row.path}") for row in ENDPOINTS),
    *(("OPTIONS", f"/_collector{row.path}") for row in ENDPOINTS),
    *(("OPTIONS", path) for path in API_PATHS),
    ("GET", "/"),
    ("GET", "/anything"),
    ("GET", "/_collector"),
    ("GET", "/_collector/"),
    ("GET", "/_collector/nothing"),
    ("GET", "/_collector/events/"),
    ("GET", "//_collector/events"),
    ("GET", "/%5Fcollector/events"),
    ("GET", "/_collector/../_collector/events"),
    ("POST", "/%5fcollector/reset"),
    ("POST", "http://127.0.0.1/_collector/reset"),
    ("TRACE", "/_collector/events"),
    ("PATCH", "/_collector/faults"),
]

EVIL = "https://evil.example"

ATTACKS = {
    "rebinding": {"host": "evil.example"},
    "rebinding with the port": {"host": "evil.example:{port}"},
    "rebinding to a name below ours": {"host": "x.localhost:{port}"},
    "another port": {"host": "127.0.0.1:1"},
    "no host": {"host": ""},
    "two hosts": {"headers": [("Host", "evil.example")]},
    "the same host twice": {"headers": [("Host", "127.0.0.1:{port}")]},
    "another page": {"headers": [("Origin", EVIL)]},
    "no page of a name": {"headers": [("Origin", "null")]},
    "a page at another port": {"headers": [("Origin", "http://127.0.0.1:3")]},
    "a navigation": {"headers": [("Sec-Fetch-Site", "cross-site")]},
    "a neighbour": {"headers": [("Sec-Fetch-Site", "same-site")]},
    "a form": {
        "headers": [
            ("Origin", EVIL),
            ("Content-Type", "text/plain;charset=UTF-8"),
        ]
    },
    "a preflight": {
        "headers": [
            ("Origin", EVIL),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type"),
            ("Access-Control-Request-Private-Network", "true"),
        ]
    },
}


def is_protected(said):
    """
    Say whether an answer has each header of protection once, and none that
    opens it to a page.
    """
    return all(
        said.headers.get_all(name) == [value]
        for name, value in PROTECTION.items()
    ) and not any(
        name.lower().startswith("access-control-") for name in said.headers
    )


def attack(port, method, path, headers=(), host=None):
    """
    Send what a page would have sent, with the body that would be taken.
    """
    kind, body = BODIES.get(path, (JSON, b""))
    fields = [(k, v.format(port=port)) for k, v in headers]
    if "Content-Type" not in dict(fields):
        fields.append(kind)
    named = host.format(port=port) if host is not None else None
    return ask(port, method, path, *fields, body=body, host=named)


def state(collector):
    """
    Return what an attack could have changed.
    """
    summary = collector.ledger.summary()
    return (summary.requests, summary.accepted, len(collector.faults))


def test_the_routes_are_the_table():
    """
    No control route stands beside the table that is attacked here, and what
    is no control route is the service.
    """

    async def service(*_):
        """
        Stand for the service's paths.
        """

    app = build_app(service, Control(None, None, None))
    control, rest = app.routes
    found = [
        (method, route.path)
        for route in control.routes
        for method in route.methods - {"HEAD"}
    ]

    assert found == [(row.method, row.path) for row in ENDPOINTS]
    assert isinstance(rest, Mount)
    assert rest.app is service
    assert set(API_PATHS) < set(BODIES)


@pytest.mark.parametrize("case", ATTACKS)
def test_no_route_is_open_to_a_page(collector, post, case):
    """
    Whatever the route, the attack is refused, tells nothing of what was
    taken, changes nothing, and plays no fault.
    """
    post(collector.url, [EVENT])
    collector.faults.add(Fault(status=503))
    before = state(collector)

    for method, path in ROUTES:
        said = attack(collector.port, method, path, **ATTACKS[case])

        assert said.status in (400, 403), (method, path)
        assert b"alice" not in said.body
        assert is_protected(said), (method, path)
    assert state(collector) == before


def test_every_answer_is_protected(collector, post):
    """
    The headers that keep a browser from running or lending an answer are on
    all of them, also where nothing was refused.
    """
    post(collector.url, [EVENT])
    for method, path in ROUTES:
        said = attack(collector.port, method, path)

        assert is_protected(said), (method, path)
        assert not said.headers.get_content_type().endswith("html")


MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "no host at all": b"GET /_collector/events HTTP/1.1\r\n\r\n",
    "a target of bytes": b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a head without end": b"GET / HTTP/1.1\r\nA: " + b"x" * 100_000,
    "old, without a host": b"GET /_collector/events HTTP/1.0\r\n\r\n",
    "two lengths": (
        b"POST /batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        b"Content-Length: 2\r\n\r\n"
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_no_request_is_refused_alike(collector, case):
    """
    An answer to broken HTTP is a 400 under the same headers.
    """
    said = exchange(collector.port, MALFORMED[case])

    assert said.status == 400
    assert is_protected(said)


def test_a_refusal_can_be_seen(collector):
    """
    What was refused is among the losses, and says what would allow it.
    """
    ask(collector.port, "GET", "/", host="collector:8088")

    (loss,) = collector.ledger.losses()
    assert "--allow-host collector:8088" in str(loss)


def test_hosts_can_be_allowed(post):
    """
    A collector in a container goes by its name there.
    """
    with Collector(allow_hosts=["collector"]) as collector:
        said = ask(
            collector.port,
            "POST",
            "/2/httpapi",
            JSON,
            body=UPLOAD,
            host="collector:8088",
        )
        other = ask(collector.port, "GET", "/", host="evil.example")

    assert said.status == 200
    assert other.status == 403


PREFLIGHT = [
    ("Origin", "http://localhost:3000"),
    ("Sec-Fetch-Site", "same-site"),
    ("Access-Control-Request-Method", "POST"),
    ("Access-Control-Request-Headers", "content-type"),
]


@pytest.mark.parametrize("path", API_PATHS)
def test_an_allowed_page_can_post_events(path):
    """
    Its browser is told so beforehand and afterwards, on the service's paths.
    """
    with Collector(allow_origins=["http://localhost:3000"]) as collector:
        before = ask(collector.port, "OPTIONS", path, *PREFLIGHT)
        kind, body = BODIES[path]
        said = ask(
            collector.port, "POST", path, *PREFLIGHT[:2], kind, body=body
        )
        other = ask(
            collector.port, "POST", path, ("Origin", EVIL), kind, body=body
        )

    assert (before.status, said.status) == (204, 200)
    assert "POST" in before.headers["Access-Control-Allow-Methods"]
    for told in (before, said):
        assert (
            told.headers["Access-Control-Allow-Origin"]
            == "http://localhost:3000"
        )
    assert other.status == 403
    assert is_protected(other)


def test_control_paths_are_open_to_no_page_at_all():
    """
    Though every page may post events, none may use a control path.
    """
    with Collector(allow_origins=["*"]) as collector:
        assert ask(
            collector.port, "OPTIONS", "/2/httpapi", ("Origin", EVIL)
        ).headers["Access-Control-Allow-Origin"]
        for row in ENDPOINTS:
            for method in (row.method, "OPTIONS"):
                path = f"/_collector{row.path}"
                said = attack(collector.port, method, path, [("Origin", EVIL)])

                assert said.status == 403
                assert is_protected(said)


TYPES = [
    [],
    [("Content-Type", "")],
    [("Content-Type", "text/plain;charset=UTF-8")],
    [("Content-Type", "application/x-www-form-urlencoded")],
    [("Content-Type", "multipart/form-data; boundary=x")],
    [("Content-Type", "text/plain; application/json")],
    [("Content-Type", "text/plain, application/json")],
    [("Content-Type", "application/json, text/plain")],
    [("Content-Type", "application/jsonp")],
    [("Content-Type", "text/plain"), JSON],
    [JSON, ("Content-Encoding", "gzip")],
]


@pytest.mark.parametrize("headers", TYPES, ids=str)
@pytest.mark.parametrize(
    "path", [f"/_collector{r.path}" for r in ENDPOINTS if r.method == "POST"]
)
def test_what_is_posted_must_be_json(collector, post, headers, path):
    """
    A control path takes no body that a page could post without being asked,
    also from a browser that says nothing of pages.
    """
    post(collector.url, [EVENT])
    before = state(collector)
    said = ask(collector.port, "POST", path, *headers, body=BODIES[path][1])

    assert said.status == 400
    assert state(collector) == before


def test_a_planted_text_is_no_page(collector):
    """
    A text that looks like a page is sent as plain text, to whom it may go.
    """
    collector.faults.add(Fault(status=200, body=PAGE))
    said = ask(collector.port, "GET", "/anything")

    assert said.body == PAGE.encode()
    assert said.headers.get_content_type() == "text/plain"
    assert is_protected(said)


def test_a_proxy_s_page_cannot_run_anything(collector):
    """
    The page that is ours is called one, and is boxed in like the rest.
    """
    collector.faults.add(Fault(status=502, html=True))
    said = ask(collector.port, "GET", "/anything")

    assert said.headers.get_content_type() == "text/html"
    assert is_protected(said)
