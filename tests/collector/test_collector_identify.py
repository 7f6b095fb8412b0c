# SPDX-License-Identifier: MIT
"""
Tests of `/identify` and `/groupidentify`, which take forms.
"""

import gzip
import json
import urllib.parse

import pytest
from uploads import INVALID, LENGTHS, MISSING, NOW

from ringamp.collector import LENIENT, Limits, Settings
from ringamp.collector.reading import Request, events_in
from ringamp.collector.rules import answer
from ringamp.collector.state import State

USERS = "/identify"
GROUPS = "/groupidentify"
FORM = "application/x-www-form-urlencoded"

USER = {"user_id": "alice", "user_properties": {"plan": "pro"}}
GROUP = {
    "group_type": "company",
    "group_value": "acme",
    "group_properties": {"$set": {"tier": 2}},
}
GOOD = {USERS: USER, GROUPS: GROUP}


def form(identification=None, key="KEY"):
    """
    Build the text of a form.
    """
    fields = {}
    if key is not None:
        fields["api_key"] = key
    if identification is not None:
        fields["identification"] = json.dumps(identification)
    return urllib.parse.urlencode(fields)


def send(path, text, *, kind=FORM, method="POST", query="", **more):
    """
    Return the answer to a form.
    """
    settings = more.pop("settings", None) or Settings()
    state = more.pop("state", None) or State()
    body = text.encode() if isinstance(text, str) else text
    headers = {"content-type": kind}
    headers.update((name.replace("_", "-"), v) for name, v in more.items())
    sent = Request(method, path, headers, body, len(body), query)
    return answer(sent, settings, state, NOW)


def test_an_identification_becomes_an_event():
    """
    One or several are taken as the events that say the same.
    """
    one = send(USERS, form(USER))
    several = send(USERS, form([USER, {**USER, "device_id": "device-1"}]))
    group = send(GROUPS, form(GROUP))

    assert one.status == 200
    assert one.body["events_ingested"] == 1
    assert list(one.taken) == [{**USER, "event_type": "$identify"}]
    assert len(several.taken) == 2
    assert list(group.taken) == [
        {
            "event_type": "$groupidentify",
            "groups": {"company": "acme"},
            "group_properties": {"$set": {"tier": 2}},
        }
    ]


PARTS = (
    b'--x\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nKEY\r\n'
    b'--x\r\nContent-Disposition: form-data; name="identification"\r\n'
    b"\r\n%b\r\n--x--\r\n"
)


@pytest.mark.parametrize("path", GOOD)
def test_a_form_has_several_shapes(path):
    """
    In the body in either encoding, in the query, or half and half.
    """
    told = form(GOOD[path])
    key, rest = told.split("&", 1)
    parts = PARTS % json.dumps(GOOD[path]).encode()
    shapes = [
        send(path, told),
        send(path, told, kind=FORM + "; charset=UTF-8"),
        send(path, gzip.compress(told.encode()), content_encoding="gzip"),
        send(path, parts, kind="multipart/form-data; boundary=x"),
        send(path, "", query=told, method="GET"),
        send(path, "", query=told, kind=""),
        send(path, rest, query=key),
    ]

    assert [said.status for said in shapes] == [200] * len(shapes)
    assert all(said.taken == shapes[0].taken for said in shapes)


REFUSED = {
    "nothing": ("", 400, "Request missing required field", "api_key"),
    "no key": (
        form(USER, None),
        400,
        "Request missing required field",
        "api_key",
    ),
    "empty key": (form(USER, ""), 400, "Invalid API key", None),
    "no identification": (form(), 400, "missing_event", "identification"),
    "none in it": (form([]), 400, "missing_event", "identification"),
    "no JSON": (
        "api_key=KEY&identification={",
        400,
        "missing_event",
        "identification",
    ),
    "no object": (form(["x"]), 400, "missing_event", "identification"),
    "a number": (form(7), 400, "missing_event", "identification"),
    "no text": (
        b"api_key=KEY&identification=\xff",
        400,
        "Invalid form request body",
        None,
    ),
    "no text, escaped": (
        "api_key=KEY&identification=%ff",
        400,
        "Invalid form request body",
        None,
    ),
    "too large": (form(USER) + "&x=" + "y" * 10**6, 413, None, None),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("path", GOOD)
def test_a_bad_form_is_refused(path, case):
    """
    A form that says nothing is a 400 that tells what is missing.
    """
    text, status, error, field = REFUSED[case]
    said = send(path, text)

    assert said.status == status
    assert error is None or said.body["error"] == error
    assert said.body.get("missing_field") == field


@pytest.mark.parametrize("path", GOOD)
def test_json_is_no_form(path):
    """
    What the event APIs take is refused here, but by the lenient collector
    nothing is for its type.
    """
    upload = json.dumps({"api_key": "KEY", "events": [GOOD[path]]})

    assert send(path, upload, kind="application/json").status == 400
    assert send(path, form(GOOD[path]), kind="text/plain").status == 400
    said = send(path, form(GOOD[path]), kind="text/plain", settings=LENIENT)
    assert said.status == 200


def test_other_methods_are_refused():
    """
    Only GET and POST are for forms, and GET is for no events.
    """
    for path, told in GOOD.items():
        assert send(path, form(told), method="PUT").status == 405
    assert send("/2/httpapi", "{}", method="GET").status == 405


def test_the_rules_of_events_hold():
    """
    Ids, operations, depth and groups are checked as in events.
    """
    wrong = [
        {"user_properties": {"a": 1}},
        {"user_id": "u"},
        {"user_id": "alice", "user_properties": {"$set": {}, "b": 1}},
    ]
    said = send(USERS, form(wrong))

    assert said.body[MISSING] == {"user_id": [0], "device_id": [0]}
    assert said.body[LENGTHS] == {"user_id": [1]}
    assert said.body[INVALID] == {"user_properties": [2]}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"group_type": None}, "groups"),
        ({"group_type": ""}, "groups"),
        ({"group_type": 7}, "groups"),
        ({"group_value": None}, "groups"),
        ({"group_value": 7}, "groups"),
        ({"group_properties": {"$remove": {"a": 1}}}, "group_properties"),
        ({"group_properties": "a"}, "group_properties"),
    ],
)
def test_a_group_must_be_named(change, field):
    """
    A group without type or value, or with what groups have not, is named.
    """
    said = send(GROUPS, form([GROUP, {**GROUP, **change}]))

    assert said.body[INVALID] == {field: [1]}


def test_groups_have_limits_of_their_own():
    """
    1,024 groups and 1,024 properties a request, counted within operations.
    """
    bare = {"group_type": "t", "group_value": "v"}
    many = {f"p{n}": n for n in range(1024)}
    more = {**many, "last": 1}

    assert send(GROUPS, form([bare] * 1024)).status == 200
    assert send(GROUPS, form([bare] * 1025)).status == 413
    for props in (many, {"$set": many}):
        said = send(GROUPS, form({**bare, "group_properties": props}))
        assert said.status == 200
    for props in (more, {"$set": more}):
        said = send(GROUPS, form({**bare, "group_properties": props}))
        assert said.status == 413


def test_identifies_are_throttled_and_counted():
    """
    An id has its events a second here too, and its updates an hour.
    """
    state = State()
    settings = Settings(identify=Limits(eps=2, window=5.0), property_updates=9)
    first = send(USERS, form([USER] * 10), state=state, settings=settings)
    second = send(USERS, form(USER), state=state, settings=settings)

    assert (first.status, first.unapplied) == (200, 1)
    assert second.status == 429
    assert second.body["throttled_users"] == {"alice": 2}


def test_events_of_a_form_can_be_seen():
    """
    A fault that waits for an id finds it in a form.
    """
    body = form(USER).encode()
    sent = Request("POST", USERS, {"content-type": FORM}, body, len(body))

    assert events_in(sent, Settings())[0]["user_id"] == "alice"


@pytest.mark.parametrize("path", GOOD)
def test_it_works_over_the_wire(collector, pool, path):
    """
    A form that is posted, or asked for, is in the ledger.
    """
    fields = {"api_key": "KEY", "identification": json.dumps(GOOD[path])}
    url = collector.base_url + path
    said = [
        pool.request("POST", url, fields=fields),
        pool.request("POST", url, fields=fields, encode_multipart=False),
        pool.request("GET", url, fields=fields),
    ]

    assert [one.status for one in said] == [200, 200, 200]
    assert collector.ledger.summary().accepted == 3
