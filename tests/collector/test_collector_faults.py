# SPDX-License-Identifier: MIT
"""
Tests of `ringamp.collector.faults`: which fault is played, and what it says.
"""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from ringamp.collector import Fault, Faults
from ringamp.collector.plan import read_plan

USUAL = {"code": 200}
EVENTS = [{"user_id": "alice"}, {"user_id": "bobby"}]


def deep(levels):
    """
    Build a list within so many others.
    """
    value = []
    for _ in range(levels):
        value = [value]
    return value


def test_the_queue_is_played_in_order():
    """
    Each request plays the fault in front, as often as was asked.
    """
    faults = Faults()
    faults.add(Fault(status=500), times=2)
    faults.add(Fault(status=503))

    played = [faults.take() for _ in range(4)]
    assert [fault and fault.status for fault in played] == [
        500,
        500,
        503,
        None,
    ]
    assert len(faults) == 0


def test_a_fault_without_end_is_played_until_cleared():
    """
    With *times* None only `clear` ends it.
    """
    faults = Faults()
    faults.add(Fault(status=500), times=None)

    assert all(faults.take() for _ in range(100))
    faults.clear()
    assert faults.take() is None


def test_chance_repeats_with_its_seed():
    """
    The same seed plays the same faults, about as often as the probability.
    """
    runs = []
    for _ in range(2):
        faults = Faults(seed=7)
        faults.add(Fault(status=500), times=None, probability=0.3)
        runs.append([faults.take() is not None for _ in range(1000)])

    assert runs[0] == runs[1]
    assert 200 < sum(runs[0]) < 400


def test_chance_counts_what_was_played():
    """
    *times* limits the faults by chance as well.
    """
    faults = Faults(seed=1)
    faults.add(Fault(status=500), times=3, probability=0.5)

    assert sum(faults.take() is not None for _ in range(100)) == 3


def test_a_fault_that_names_ids_waits_for_them():
    """
    It stands aside, holds up nobody, and is played when its id comes.
    """
    faults = Faults()
    faults.add(Fault(users=("bobby",)))
    faults.add(Fault(status=500))

    assert faults.waits_for_ids
    assert faults.take().status == 500
    assert faults.take() is None
    assert faults.take([{"user_id": "alice"}]) is None
    assert faults.take(EVENTS).users == ("bobby",)
    assert not faults.waits_for_ids


def test_ids_that_are_no_text_are_nobodys():
    """
    The service takes anything; a fault for an id is not for a list.
    """
    faults = Faults()
    faults.add(Fault(users=("alice",)))

    assert faults.take([{"user_id": ["alice"]}, {"user_id": {}}]) is None
    assert faults.take(EVENTS) is not None


def test_a_429_tells_who_and_which():
    """
    Named users, devices and quotas appear with the indexes they have.
    """
    fault = Fault(users=("bobby",), quota_devices=("d-1",))
    body = fault.text(429, USUAL, [*EVENTS, {"device_id": "d-1"}])

    assert fault.answers == 429
    assert body["throttled_events"] == [1, 2]
    assert list(body["throttled_users"]) == ["bobby"]
    assert list(body["exceeded_daily_quota_devices"]) == ["d-1"]
    assert body["throttled_devices"] == {}


@pytest.mark.parametrize(
    "family",
    [
        "events_with_invalid_fields",
        "events_with_missing_fields",
        "events_with_invalid_id_lengths",
    ],
)
def test_a_400_names_indexes_in_its_family(family):
    """
    The indexes are in the family asked for, by field, and in no other.
    """
    fault = Fault(indexes=(0, 3), family=family, field="time")
    body = fault.text(400, USUAL, EVENTS)

    assert fault.answers == 400
    assert body[family] == {"time": (0, 3)}
    assert [name for name in body if body[name] == {"time": (0, 3)}] == [
        family
    ]


def test_a_400_can_silence():
    """
    The silenced family is a list, beside the devices.
    """
    fault = Fault(indexes=(1,), family="silenced_events", devices=("d-1",))
    body = fault.text(400, USUAL, EVENTS)

    assert fault.answers == 400
    assert body["silenced_events"] == [1]
    assert body["silenced_devices"] == ["d-1"]


BODIES = {
    "403": (Fault(status=403), {"code": 403, "error": "Forbidden"}),
    "413": (Fault(status=413), {"code": 413, "error": "Payload too large"}),
    "500": (Fault(status=500), "500\n"),
    "408": (Fault(status=408), "408\n"),
    "given": (Fault(status=500, body={"a": 1}), {"a": 1}),
    "given to the usual": (Fault(body="hello"), "hello"),
    "none given": (Fault(delay=1), USUAL),
    "half": (Fault(half=True), USUAL),
}


@pytest.mark.parametrize("case", BODIES)
def test_each_status_has_its_body(case):
    """
    A status has its documented body unless one is given; 5xx is no JSON.
    """
    fault, body = BODIES[case]

    assert fault.text(fault.answers or 200, USUAL, EVENTS) == body


def test_html_names_the_status():
    """
    A page as of a proxy, for any status.
    """
    assert "502" in Fault(status=502, html=True).text(502, "", EVENTS)


TAKES = {
    "delay": (Fault(delay=1), True),
    "half": (Fault(half=True), True),
    "reset after": (Fault(reset="after"), True),
    "reset before": (Fault(reset="before"), False),
    "reset before, whatever": (Fault(reset="before", taken=True), False),
    "refuse": (Fault(refuse=1), False),
    "500": (Fault(status=500), False),
    "500 though taken": (Fault(status=500, taken=True), True),
    "200 of another kind": (Fault(status=200, html=True), True),
    "indexes": (Fault(indexes=(0,)), False),
}


@pytest.mark.parametrize("case", TAKES)
def test_a_fault_says_whether_events_are_taken(case):
    """
    Lost answers are of requests that were dealt with, refusals are not.
    """
    fault, takes = TAKES[case]

    assert fault.takes is takes


WRONG = {
    "status": {"status": 99},
    "family": {"family": "nothing"},
    "delay": {"delay": -1},
    "refuse": {"refuse": -0.1},
    "reset": {"reset": "between"},
    "a page": {"headers": {"Content-Type": "text/html"}},
    "a page in capitals": {"headers": {"CONTENT-TYPE": "Text/HTML; a=b"}},
    "a drawing": {"headers": {"content-type": "image/svg+xml"}},
    "a tree": {"headers": {"content-type": "application/xhtml+xml"}},
    "a script": {"headers": {"content-type": "text/javascript"}},
    "no type": {"headers": {"content-type": ""}},
    "two types": {"headers": {"content-type": "text/plain, text/html"}},
    "sniffing": {"headers": {"X-Content-Type-Options": "none"}},
    "no sandbox": {"headers": {"Content-Security-Policy": ""}},
    "open to a page": {"headers": {"Access-Control-Allow-Origin": "*"}},
    "length": {"headers": {"Content-Length": "7"}},
    "chunks": {"headers": {"Transfer-Encoding": "chunked"}},
    "two lines": {"headers": {"a": "b\r\nc: d"}},
    "two lines in a name": {"headers": {"a: b\r\nc": "d"}},
    "no name": {"headers": {"": "d"}},
    "no latin": {"headers": {"a": "\u20ac"}},
    "half a pair": {"body": "\ud800"},
    "a large number": {"body": {"a": 2**70}},
    "a large index": {"indexes": [2**70]},
    "half a pair in an id": {"users": ["\ud800"]},
    "half a pair in a field": {"indexes": [0], "field": "\ud800"},
    "no time": {"delay": float("nan")},
    "no end": {"drip": float("inf")},
    "deep": {"body": {"a": deep(600)}},
    "family without indexes": {"family": "silenced_events"},
    "field without indexes": {"field": "time"},
    "half and drip": {"half": True, "drip": 1},
    "reset and refuse": {"reset": "before", "refuse": 1},
    "reset and a body": {"reset": "after", "body": "a"},
    "page and body": {"html": True, "body": "a"},
    "body and indexes": {"body": "a", "indexes": [0]},
    "misspelt": {"status_code": 500},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_fault_is_refused(case):
    """
    What cannot be sent, would be run by a browser, or would do nothing is
    refused when it is planned, from another process as from here.
    """
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(WRONG[case], Fault)


NAMES = {field.name for field in fields(Fault)}


@given(
    name=st.text(min_size=1).filter(lambda name: name not in NAMES)
    | st.sampled_from(sorted(NAMES)).map(str.upper)
    | st.sampled_from(sorted(NAMES)).map(lambda name: f" {name}"),
    inside=st.booleans(),
)
def test_an_unknown_field_is_named_with_what_is_allowed(name, inside):
    """
    A field that a plan or its fault has not is refused, by its name and
    beside all that there are.
    """
    fault = {"status": 500}
    plan = (
        {"fault": {**fault, name: 1}} if inside else {"fault": fault, name: 1}
    )
    if not inside and name in ("fault", "times", "probability"):
        return
    with pytest.raises(ValueError, match="unknown field") as caught:
        read_plan(json.dumps(plan).encode())

    told = str(caught.value)
    assert repr(name) in told
    for known in NAMES if inside else ("fault", "times", "probability"):
        assert known in told.partition("allowed are ")[2]


@pytest.mark.parametrize("plan", ["{}", "[]", "1", '{"fault": null}', "{"])
def test_a_plan_of_nothing_is_refused(plan):
    """
    A plan is an object and has a fault.
    """
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        read_plan(plan.encode())


def test_every_field_can_be_planned():
    """
    What a process sends of a fault of its own is read as the same fault.
    """
    some = Fault(indexes=(1,), field="time")
    for fault in (Fault(status=500), some, Fault()):
        plan = read_plan(msgspec.json.encode({"fault": fault, "times": 3}))

        assert (plan.fault, plan.times) == (fault, 3)


def test_wrong_odds_are_refused():
    """
    No times and impossible probabilities are errors.
    """
    with pytest.raises(ValueError, match="times"):
        Faults().add(Fault(), times=0)
    with pytest.raises(ValueError, match="probability"):
        Faults().add(Fault(), probability=1.5)
