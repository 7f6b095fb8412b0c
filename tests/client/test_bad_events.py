# SPDX-License-Identifier: MIT
"""
Events that the service would refuse, or that need mending.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from datetime import datetime, timezone
from decimal import Decimal
from types import MappingProxyType

import pytest

import ringamp
from ringamp import Status
from ringamp.errors import InvalidEventError

NO_EVENT = {
    "no dict": (7, "event: int given"),
    "nothing": (None, "event: NoneType given"),
    "empty": ({}, "neither user_id nor device_id"),
    "no type": ({"user_id": "somebody"}, "event_type is missing"),
    "type is None": ({"event_type": None, "user_id": "somebody"}, "NoneType"),
    "blank type": ({"event_type": " \t", "user_id": "somebody"}, "not blank"),
    "type is int": ({"event_type": 1, "user_id": "somebody"}, "int given"),
    "no id": ({"event_type": "t"}, "neither user_id nor device_id"),
    "ids None": (
        {"event_type": "t", "user_id": None, "device_id": None},
        "neither user_id nor device_id",
    ),
    "ids empty": (
        {"event_type": "t", "user_id": "", "device_id": ""},
        "neither user_id nor device_id",
    ),
    "short": ({"event_type": "t", "user_id": "abcd"}, "min_id_length (5)"),
    "refused": (
        {"event_type": "t", "user_id": "Anonymous"},
        "always refuses",
    ),
    "zero device": (
        {"event_type": "t", "device_id": "00000000-0000-0000-0000-0000"},
        "always refuses",
    ),
    "id is a list": ({"event_type": "t", "user_id": ["a"]}, "type list"),
    "time is text": (
        {"event_type": "t", "user_id": "somebody", "time": "now"},
        "time: str given",
    ),
    "naive time": (
        {
            "event_type": "t",
            "user_id": "somebody",
            "time": datetime(2026, 1, 1, tzinfo=timezone.utc).replace(
                tzinfo=None
            ),
        },
        "without a time zone",
    ),
    "insert_id is a list": (
        {"event_type": "t", "user_id": "somebody", "insert_id": []},
        "insert_id: list given",
    ),
    "object": (
        {
            "event_type": "t",
            "user_id": "somebody",
            "event_properties": {"items": [1, {"when": object()}]},
        },
        "event_properties.items[1].when",
    ),
}


@pytest.mark.parametrize("name", NO_EVENT)
def test_a_bad_event_is_invalid_and_says_why(make_client, collector, name):
    """
    It is counted beside `logged`, never raises, and is never uploaded.
    """
    bad, words = NO_EVENT[name]
    client = make_client()

    receipt = client.log_event(bad)

    assert receipt.status is Status.INVALID
    assert words in receipt.reason
    assert receipt.result(0).status is Status.INVALID
    stats = client.stats()
    assert (stats.invalid, stats.logged) == (1, 0)
    client.shutdown()
    assert collector.ledger.summary().requests == 0


@pytest.mark.parametrize("name", NO_EVENT)
def test_strict_raises_instead(make_client, name):
    """
    With the same words.
    """
    bad, words = NO_EVENT[name]

    with pytest.raises(InvalidEventError) as caught:
        make_client(strict=True).log_event(bad)

    assert words in str(caught.value)


def test_a_bad_event_costs_one_log_line(make_client, caplog):
    """
    Each kind of mistake is told; the same one is not told again at once.
    """
    client = make_client(log_level="WARN")

    with caplog.at_level(logging.WARNING, "ringamp"):
        for _ in range(100):
            client.log_event({"event_type": "t"})
        client.log_event({"user_id": "somebody"})

    assert len(caplog.records) == 2
    assert client.stats().invalid == 101


def test_an_event_larger_than_a_request_is_invalid(make_client, event):
    """
    The reason has both sizes; the next event is unaffected.
    """
    client = make_client()

    receipt = client.log_event(event(event_properties={"x": "y" * 1_000_000}))

    assert receipt.status is Status.INVALID
    assert "1000" in receipt.reason
    assert "at most 98" in receipt.reason
    assert client.log_event(event()).result(30).status is Status.SUCCESS


MENDED = {
    "short id beside a good one": (
        {"user_id": "abc", "device_id": "device-1"},
        {"device_id": "device-1"},
        {"user_id"},
    ),
    "refused id beside a good one": (
        {"user_id": "somebody", "device_id": "undefined"},
        {"user_id": "somebody"},
        {"device_id"},
    ),
    "None beside a good one": (
        {"user_id": None, "device_id": "device-1"},
        {"device_id": "device-1"},
        set(),
    ),
    "an int id": ({"user_id": 123456}, {"user_id": "123456"}, set()),
    "five characters, fifteen bytes": (
        {"user_id": "日本語日本"},
        {"user_id": "日本語日本"},
        set(),
    ),
    "a float time": (
        {"user_id": "somebody", "time": 1_700_000_000_000.7},
        {"time": 1_700_000_000_000},
        set(),
    ),
    "a datetime": (
        {
            "user_id": "somebody",
            "time": datetime(2026, 1, 1, tzinfo=timezone.utc),
        },
        {"time": 1_767_225_600_000},
        set(),
    ),
    "a None time": ({"user_id": "somebody", "time": None}, {}, set()),
    "an int insert_id": (
        {"user_id": "somebody", "insert_id": 77},
        {"insert_id": "77"},
        set(),
    ),
    "odd values": (
        {
            "user_id": "somebody",
            "event_properties": {
                "d": Decimal("9.99"),
                "s": {1},
                "big": 1 << 70,
                "nan": float("nan"),
                1: "key",
                "lone": "\ud800",
            },
        },
        {
            "event_properties": {
                "d": 9.99,
                "s": [1],
                "big": str(1 << 70),
                "nan": None,
                "1": "key",
                "lone": "\ufffd",
            }
        },
        set(),
    ),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_can_be_mended_is_sent(make_client, collector, name):
    """
    The event arrives in the shape the service takes; the caller's dict is
    as it was; ids that were taken off are counted.
    """
    given, wanted, removed = MENDED[name]
    mine = {"event_type": "t", **given}
    client = make_client()

    response = client.log_event(mine).result(30)

    assert response.status is Status.SUCCESS
    (sent,) = collector.ledger.events()
    assert {key: sent[key] for key in wanted} == wanted
    assert not removed & set(sent)
    assert isinstance(sent["time"], int)
    assert client.stats().ids_removed == len(removed)
    assert mine == {"event_type": "t", **given}


def test_the_callers_fields_win(make_client, event, collector):
    """
    insert_id, time and library are added only where they are missing, and no
    platform ever: it would reset the user's device fields.
    """
    client = make_client()
    own = {"insert_id": "mine-1", "time": 1_700_000_000_000, "library": "x/1"}

    client.log_event(event(**own)).result(30)
    client.log_event(event()).result(30)

    first, second = collector.ledger.events()
    assert {key: first[key] for key in own} == own
    assert second["library"].startswith("ringamp/")
    assert len(second["insert_id"]) == 40
    assert "platform" not in first
    assert "platform" not in second


@pytest.mark.parametrize("kind", [OrderedDict, MappingProxyType])
def test_any_mapping_is_an_event(make_client, event, collector, kind):
    """
    Subclasses of dict and read-only views are taken as dicts.
    """
    client = make_client()

    client.log_event(kind(event(4))).result(30)

    assert collector.ledger.events()[0]["event_id"] == 4


def test_unknown_fields_pass_through(make_client, event, collector):
    """
    What the service may learn to take tomorrow can be sent today.
    """
    make_client().log_event(event(brand_new=[1])).result(30)

    assert collector.ledger.events()[0]["brand_new"] == [1]


def test_the_shorthands_make_their_events(make_client, collector):
    """
    identify, group_identify, set_group and revenue arrive as the service
    expects them; what cannot be made is INVALID.
    """
    client = make_client()
    client.identify("somebody", None, ringamp.Identify().set("plan", "pro"))
    client.group_identify("company", "acme", ringamp.Identify().set("t", 2))
    client.set_group("company", "acme", user_id="somebody")
    client.revenue(ringamp.Revenue(price=5), user_id="somebody")
    bad = client.revenue("five", user_id="somebody")
    client.flush().result(30)

    assert [e["event_type"] for e in collector.ledger.events()] == [
        "$identify",
        "$groupidentify",
        "$identify",
        "revenue_amount",
    ]
    assert bad.status is Status.INVALID


def test_before_init_events_are_skipped_and_told(caplog):
    """
    Once, not at every event.
    """
    client = ringamp.client.Client("unborn")

    with caplog.at_level(logging.WARNING, "ringamp"):
        statuses = {
            client.log_event({"event_type": "t"}).status for _ in range(5)
        }

    assert statuses == {Status.SKIPPED}
    assert len(caplog.records) == 1
    assert client.revenue("five").status is Status.SKIPPED


def test_opting_out_skips_and_back_in_logs(make_client, event, collector):
    """
    *opt_out* alone can be changed later.
    """
    client = make_client(opt_out=True)

    assert client.log_event(event(1)).status is Status.SKIPPED
    client.opt_out = False
    assert client.log_event(event(2)).result(30).status is Status.SUCCESS
    client.opt_out = True
    assert client.log_event(event(3)).status is Status.SKIPPED

    assert [e["event_id"] for e in collector.ledger.events()] == [2]
    assert client.stats().skipped == 2
    with pytest.raises(ringamp.OptionsError, match="opt_out: 1 given"):
        client.opt_out = 1


@pytest.mark.parametrize(
    "tie",
    [
        lambda one, other: setattr(one, "event_properties", one),
        lambda one, other: setattr(one, "plan", one),
        lambda one, other: (
            setattr(one, "groups", other),
            setattr(other, "groups", one),
        ),
        lambda one, other: (
            setattr(one, "user_properties", {"x": [other]}),
            setattr(other, "plan", one),
        ),
    ],
    ids=["itself", "itself as a plan", "each other", "through a dict"],
)
@pytest.mark.parametrize("has_middleware", [False, True])
def test_an_event_object_that_holds_itself_is_invalid(
    make_client, tie, has_middleware
):
    """
    Whatever way it does; the reason says so, and nothing recurses for ever.
    """
    one = ringamp.Event("one", user_id="somebody")
    other = ringamp.Event("other", user_id="somebody")
    tie(one, other)
    client = make_client()
    if has_middleware:
        client.add_event_middleware(lambda payload, go_on: go_on(payload))

    receipt = client.log_event(one)

    assert receipt.status is Status.INVALID
    assert "contains itself" in receipt.reason
    assert client.stats().invalid == 1
