# SPDX-License-Identifier: MIT
"""
Tests of what one event may hold: tables of fields and ids, and their answers.
"""

import json

import pytest
from uploads import BATCH, INVALID, LENGTHS, MISSING, V2, ask, event

from ringamp.collector.fields import GROUP_OPERATIONS, OPERATIONS
from ringamp.collector.settings import Settings


def nested(levels):
    """
    Build an object with so many levels.
    """
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


WRONG_FIELDS = {
    "blank type": ({"event_type": " "}, "event_type"),
    "type no string": ({"event_type": 7}, "event_type"),
    "time in seconds with a fraction": ({"time": 1.5}, "time"),
    "time as text": ({"time": "2026-01-01"}, "time"),
    "time as a bool": ({"time": True}, "time"),
    "user no string": ({"user_id": 12345}, "user_id"),
    "too deep": ({"event_properties": nested(41)}, "event_properties"),
    "too deep in arrays": (
        {"user_properties": {"a": json.loads("[" * 40 + "]" * 40)}},
        "user_properties",
    ),
    "properties no object": ({"event_properties": []}, "event_properties"),
    "groups no object": ({"groups": ["g"]}, "groups"),
    "group no string": ({"groups": {"a": 7}}, "groups"),
    "group among others no string": ({"groups": {"a": ["g", 7]}}, "groups"),
    "unknown field without bottom": ({"my_field": nested(501)}, "my_field"),
    "price as text": ({"price": "9.99"}, "price"),
    "quantity a fraction": ({"quantity": 1.5}, "quantity"),
    "session a fraction": ({"session_id": 1.5}, "session_id"),
    "insert_id no string": ({"insert_id": 7}, "insert_id"),
    "platform no string": ({"platform": {}}, "platform"),
    "flag no bool": (
        {"$skip_user_properties_sync": 1},
        "$skip_user_properties_sync",
    ),
    "mixed operations": (
        {
            "event_type": "$identify",
            "user_properties": {"$set": {"a": 1}, "b": 2},
        },
        "user_properties",
    ),
    **{
        f"{operation} of a group": (
            {
                "event_type": "$groupidentify",
                "group_properties": {operation: {"a": 1}},
            },
            "group_properties",
        )
        for operation in sorted(OPERATIONS - GROUP_OPERATIONS)
    },
    "operation no object": (
        {"event_type": "$identify", "user_properties": {"$add": 1}},
        "user_properties",
    ),
}


@pytest.mark.parametrize("case", WRONG_FIELDS)
def test_a_wrong_value_names_its_field_and_index(case):
    """
    A 400 says which field is wrong in which event, and nothing is taken.
    """
    fields, field = WRONG_FIELDS[case]
    said = ask(event(), event(**fields))

    assert said.status == 400
    assert said.body["error"] == "Invalid field values on some events"
    assert said.body[INVALID] == {field: [1]}
    assert said.body[MISSING] == {}
    assert said.rejected == 2


FINE = {
    "unknown field": {"my_field": [{}]},
    "null counts as absent": {"time": None, "device_id": None, "price": None},
    "depth of 40": {"event_properties": nested(40)},
    "five group types": {"groups": {str(i): ["g", "h"] for i in range(5)}},
    "whole price": {"price": 9},
    "no session": {"session_id": -1},
    "operations": {
        "event_type": "$identify",
        "user_properties": {"$set": {"a": 1}, "$clearAll": "-"},
    },
    "id of 1024": {"user_id": "u" * 1024},
    "six group types": {"groups": {str(i): "g" for i in range(6)}},
    "eleven groups": {"groups": {"a": ["g"] * 11}},
    "text of 1025": {"event_properties": {"a": "x" * 1025}},
    "unknown field of 500": {"my_field": nested(500)},
    "operations of a group": {
        "event_type": "$groupidentify",
        "groups": {"company": "acme"},
        "group_properties": {name: {"a": 1} for name in GROUP_OPERATIONS},
    },
}


@pytest.mark.parametrize("case", FINE)
def test_what_the_service_takes_is_taken(case):
    """
    Unknown fields, nulls and values at their limits are no fault.
    """
    assert ask(event(**FINE[case])).status == 200


def test_missing_fields_are_named():
    """
    An event without type, or without any id, is told by the missing field.
    """
    said = ask(event(), {"user_id": "alice"}, {"event_type": "x"})

    assert said.body[MISSING] == {
        "event_type": [1],
        "user_id": [2],
        "device_id": [2],
    }
    assert said.body[INVALID] == {}


def test_group_identify_needs_no_id():
    """
    An event about a group is taken without user and device.
    """
    assert ask({"event_type": "$groupidentify"}).status == 200


def test_first_error_only_names_one_index_a_field():
    """
    With that option each field tells its first failing event and no more.
    """
    bad = [event(), event(time="x"), event(time="x"), event(price="x")]

    assert ask(*bad).body[INVALID] == {"time": [1, 2], "price": [3]}
    assert ask(*bad, settings=Settings(first_error_only=True)).body[
        INVALID
    ] == {"time": [1], "price": [3]}


@pytest.mark.parametrize("kind", [{}, ["t"], 5, None])
def test_a_type_that_is_no_text_beside_no_id(kind):
    """
    Both are named, as of any other event.
    """
    said = ask({"event_type": kind})

    assert said.status == 400
    assert said.body[MISSING]["user_id"] == [0]
    assert "event_type" in {**said.body[INVALID], **said.body[MISSING]}


def test_http_v2_refuses_a_short_id():
    """
    The HTTP V2 API refuses a short id even beside a good one.
    """
    said = ask(event(), event(device_id="d1"))

    assert said.status == 400
    assert said.body["error"] == "Invalid id length for user_id or device_id"
    assert said.body[LENGTHS] == {"device_id": [1]}


def test_batch_removes_a_short_id():
    """
    The batch API removes a short id, and refuses the event that has no other.
    """
    said = ask(event(device_id="d1"), path=BATCH)
    none_left = ask(event(user_id="u1"), path=BATCH)

    assert list(said.taken) == [event()]
    assert none_left.body[LENGTHS] == {"user_id": [0]}


@pytest.mark.parametrize("path", [V2, BATCH])
def test_what_becomes_of_a_short_id_can_be_chosen(path):
    """
    One rule for both APIs: the event is refused, or the id is removed.
    """
    short = event(device_id="d1")
    refused = ask(
        short, path=path, settings=Settings().with_short_ids("refuse")
    )
    removed = ask(
        short, path=path, settings=Settings().with_short_ids("remove")
    )
    none_left = ask(
        event(user_id="u1"),
        path=path,
        settings=Settings().with_short_ids("remove"),
    )

    assert refused.body[LENGTHS] == {"device_id": [0]}
    assert list(removed.taken) == [event()]
    assert [str(loss) for loss in removed.losses] == [
        "device_id: an id that is too short is removed"
    ]
    assert none_left.body[LENGTHS] == {"user_id": [0]}


def test_an_id_above_1024_characters_is_refused():
    """
    A long id is refused by both APIs; it is not just removed.
    """
    long = event(device_id="d" * 1025)

    assert ask(long).body[LENGTHS] == {"device_id": [0]}
    assert ask(long, path=BATCH).body[LENGTHS] == {"device_id": [0]}


def test_min_id_length_is_the_request_s():
    """
    `options.min_id_length` counts characters, for this request alone.
    """
    short = event(user_id="é")

    assert ask(short, options={"min_id_length": 1}).status == 200
    assert ask(event(), options={"min_id_length": 6}).status == 400
    assert ask(event(), options={}).status == 200


@pytest.mark.parametrize(
    "value",
    [
        "anonymous",
        "nil",
        "none",
        "null",
        "n/a",
        "na",
        "undefined",
        "Unknown",
        "",
        '""',
        "00000000-0000-0000-0000-000000000000",
        "{}",
        "lmy47d",
        "0",
        "-1",
    ],
)
def test_a_forbidden_id_is_refused(value):
    """
    The values that stand for no id are refused as user and as device, in
    any case and whatever the least length.
    """
    options = {"min_id_length": 1}

    assert ask(event(user_id=value), options=options).body[INVALID] == {
        "user_id": [0]
    }
    assert ask(event(device_id=value), options=options).body[INVALID] == {
        "device_id": [0]
    }


def test_an_all_zero_device_is_refused():
    """
    Zeros are no device, but may be a user.
    """
    assert ask(event(device_id="0000-0000")).status == 400
    assert ask(event(user_id="00000000")).status == 200
