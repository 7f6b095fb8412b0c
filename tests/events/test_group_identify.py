# SPDX-License-Identifier: MIT
"""
Tests of the events about groups.
"""

from __future__ import annotations

import pytest

from ringamp.errors import InvalidEventError
from ringamp.events.group_identify import (
    group_identify_event,
    set_group_event,
)
from ringamp.events.identify import Identify

EVERYTHING = {
    "$set": {"a": 1},
    "$setOnce": {"b": 1},
    "$add": {"c": 1},
    "$append": {"d": 1},
    "$prepend": {"e": 1},
    "$unset": {"f": "-"},
}


def everything():
    """
    An identify with each operation but *clear_all*.
    """
    return (
        Identify()
        .set("a", 1)
        .set_once("b", 1)
        .add("c", 1)
        .append("d", 1)
        .prepend("e", 1)
        .unset("f")
        .pre_insert("g", 1)
        .post_insert("h", 1)
        .remove("i", 1)
    )


def test_groups_accept_a_subset(lines):
    """
    Six operations reach a group; the log names what was left out.
    """
    event = group_identify_event("company", "acme", everything(), "user1")

    assert event == {
        "event_type": "$groupidentify",
        "user_id": "user1",
        "groups": {"company": "acme"},
        "group_properties": EVERYTHING,
    }
    assert lines() == [
        (
            "group_identify leaves out $postInsert, $preInsert, $remove:"
            " groups accept $add, $append, $prepend, $set, $setOnce, $unset"
        )
    ]


def test_clear_all_is_left_out(lines):
    """
    A group cannot be cleared.
    """
    event = group_identify_event("company", "acme", Identify().clear_all())

    assert event["group_properties"] == {}
    assert "leaves out $clearAll" in lines()[0]


def test_made_device_id_is_one_a_group():
    """
    Without an id the event gets one that depends on the group alone, so that
    no new device appears with every event.
    """

    def device_id(*group):
        return group_identify_event(*group, Identify())["device_id"]

    made = device_id("company", "acme")
    assert made == device_id("company", "acme")
    assert made.startswith("group-")
    assert len(made) == len("group-") + 32
    others = {
        device_id("company", "other"),
        device_id("team", "acme"),
        device_id("company", ["acme"]),
        made,
    }
    assert len(others) == 4


@pytest.mark.parametrize("name", ["user_id", "device_id"])
def test_given_ids_stand(name):
    """
    Nothing is made up where an id is given.
    """
    event = group_identify_event("t", "n", Identify(), **{name: "mine!"})

    assert event.keys() & {"user_id", "device_id"} == {name}
    assert event[name] == "mine!"


def test_set_group():
    """
    The user is put into the group, and has it as a property.
    """
    names = ["acme", "other"]
    event = set_group_event("company", names, "user1", "device1")
    names.append("later")

    assert event == {
        "event_type": "$identify",
        "user_id": "user1",
        "device_id": "device1",
        "groups": {"company": ["acme", "other"]},
        "user_properties": {"$set": {"company": ["acme", "other"]}},
    }


@pytest.mark.parametrize(
    ("group_type", "group_name", "expected"),
    [
        ("", "acme", "group_type: '' given"),
        (None, "acme", "group_type: NoneType given"),
        (1, "acme", "group_type: int given"),
        ("company", "", "group_name: '' given"),
        ("company", 5, "group_name: int given"),
        ("company", None, "group_name: NoneType given"),
        ("company", [], "group_name: an empty list given"),
        ("company", ["a", 5], "group_name: int given"),
        ("company", {"a": 1}, "group_name: dict given"),
    ],
)
def test_bad_groups(group_type, group_name, expected):
    """
    A group that the service could not track is refused with a reason.
    """
    with pytest.raises(InvalidEventError, match=expected):
        set_group_event(group_type, group_name, "user1", None)
    with pytest.raises(InvalidEventError, match=expected):
        group_identify_event(group_type, group_name, Identify())


def test_more_names_than_are_tracked(lines):
    """
    Eleven names are sent, with a line that the service tracks ten.
    """
    names = [f"n{number}" for number in range(11)]

    event = set_group_event("company", names, "user1", None)

    assert event["groups"] == {"company": names}
    assert lines() == [
        "an event names 11 groups, the service tracks 10 of them"
    ]
    set_group_event("company", names[:10], "user1", None)
    assert len(lines()) == 1


def test_what_is_no_identify():
    """
    A dict of properties is refused with a reason.
    """
    with pytest.raises(InvalidEventError, match="allowed is an Identify"):
        group_identify_event("company", "acme", {"a": 1})
