# SPDX-License-Identifier: MIT
"""
Tests of `Identify`.
"""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from ringamp.errors import InvalidEventError
from ringamp.events.encoding import encode_sendable
from ringamp.events.identify import Identify, identify_event

OPERATIONS = {
    "set": "$set",
    "set_once": "$setOnce",
    "add": "$add",
    "append": "$append",
    "prepend": "$prepend",
    "pre_insert": "$preInsert",
    "post_insert": "$postInsert",
    "remove": "$remove",
}

TWINS = {
    "setOnce": "set_once",
    "preInsert": "pre_insert",
    "postInsert": "post_insert",
    "clearAll": "clear_all",
}


@pytest.mark.parametrize("method", OPERATIONS)
def test_operations(method):
    """
    Each operation has its name on the wire, and answers the object itself.
    """
    identify = Identify()

    assert getattr(identify, method)("visits", 1) is identify
    assert identify.user_properties == {OPERATIONS[method]: {"visits": 1}}


def test_operations_without_a_value():
    """
    *unset* and *clear_all* carry the placeholder the service wants.
    """
    assert Identify().unset("a").user_properties == {"$unset": {"a": "-"}}
    assert Identify().clear_all().user_properties == {"$clearAll": "-"}


@pytest.mark.parametrize("twin", TWINS)
def test_twins(twin):
    """
    Each camelCase name is the method itself.
    """
    assert getattr(Identify, twin) is getattr(Identify, TWINS[twin])


def test_many_properties_share_an_operation():
    """
    Operations of one kind are one object on the wire.
    """
    identify = Identify().set("a", 1).set("b", 2).add("c", 3)

    assert identify.user_properties == {
        "$set": {"a": 1, "b": 2},
        "$add": {"c": 3},
    }


def test_one_operation_a_property(lines):
    """
    The first operation on a property stands, and the log says so.
    """
    identify = Identify().set("plan", "pro").unset("plan").add("plan", 1)

    assert identify.user_properties == {"$set": {"plan": "pro"}}
    assert lines() == [
        (
            "Identify leaves out an operation $unset:"
            " property 'plan' is already used by $set"
        )
    ]


def test_clear_all_wipes_and_blocks(lines):
    """
    Nothing before it and nothing after it is sent.
    """
    identify = Identify().set("a", 1).clear_all().set("a", 2).set("b", 3)

    assert identify.user_properties == {"$clearAll": "-"}
    assert lines() == [
        (
            "Identify leaves out an operation $set:"
            " after clear_all no other is allowed"
        )
    ]


@pytest.mark.parametrize("value", [0, -5, 1.5, Decimal("0.1")])
def test_numbers_to_add(value):
    """
    Every finite number may be added.
    """
    assert Identify().add("n", value).user_properties == {"$add": {"n": value}}


@pytest.mark.parametrize(
    ("value", "given"),
    [
        (True, "True"),
        ("1", "str"),
        (None, "NoneType"),
        ([1], "list"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (Decimal("sNaN"), "Decimal"),
        (10**400, "int"),
    ],
)
def test_what_cannot_be_added(value, given, lines):
    """
    What is no finite number is left out, and the property stays free.
    """
    identify = Identify().add("n", value)

    assert lines() == [
        (
            "Identify leaves out an operation $add:"
            f" property 'n': {given} given, a finite number is allowed"
        )
    ]
    assert identify.add("n", 1).user_properties == {"$add": {"n": 1}}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "property name '', one with text is allowed"),
        (" ", "property name ' ', one with text is allowed"),
        (None, "property name of type NoneType, a str is allowed"),
        (5, "property name of type int, a str is allowed"),
        ([], "property name of type list, a str is allowed"),
    ],
)
def test_bad_names(name, why, lines):
    """
    A property without a proper name is left out with a reason.
    """
    assert Identify().set(name, 1).user_properties == {}
    assert lines() == [f"Identify leaves out an operation $set: {why}"]


def test_l14_values(lines):
    """
    L14: None, and objects inside of lists, are values like others; one that
    cannot be sent is left out by its path.
    """
    identify = (
        Identify()
        .set("none", None)
        .set("rows", [{"a": 1}])
        .set("bad", [{"a": object()}])
    )

    assert identify.user_properties == {
        "$set": {"none": None, "rows": [{"a": 1}]}
    }
    assert "property 'bad'[0].a: object of type object" in lines()[0]


def test_a_line_once_for_each_kind(lines):
    """
    A mistake made in every request does not fill the log.
    """
    for _ in range(3):
        Identify().set("", 1).add("a", "x")

    assert len(lines()) == 2


def test_t11_what_was_logged_stays():
    """
    T11: neither the values given, nor the identify, nor what was read from
    it, changes an event that exists.
    """
    tags = ["a"]
    identify = Identify().set("tags", tags)
    event = identify_event("user1", None, identify)

    tags.append("b")
    identify.set("later", 1)
    identify.user_properties["$set"]["tags"].append("c")

    assert event["user_properties"] == {"$set": {"tags": ["a"]}}
    assert identify.user_properties == {"$set": {"tags": ["a"], "later": 1}}


@pytest.mark.parametrize(
    ("user_id", "device_id", "ids"),
    [
        ("user1", None, {"user_id": "user1"}),
        (None, "device1", {"device_id": "device1"}),
        ("u", "d", {"user_id": "u", "device_id": "d"}),
        (None, None, {}),
    ],
)
def test_event(user_id, device_id, ids):
    """
    The event holds the ids that were given and no others.
    """
    event = identify_event(user_id, device_id, Identify().set("a", b"x"))

    assert event == {
        "event_type": "$identify",
        **ids,
        "user_properties": {"$set": {"a": "eA=="}},
    }
    assert encode_sendable(event)


def test_what_is_no_identify():
    """
    A dict of properties is refused with a reason.
    """
    with pytest.raises(InvalidEventError, match="dict given; allowed is an"):
        identify_event("user1", None, {"a": 1})


def test_repr_counts():
    """
    The repr tells the operations and not what is in them.
    """
    assert repr(Identify().set("a", "x").add("b", 1)) == (
        "<Identify $set=1 $add=1>"
    )
    assert repr(Identify().clear_all()) == "<Identify $clearAll=1>"
