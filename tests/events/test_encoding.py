# SPDX-License-Identifier: MIT
"""
Tests of the encoding: the rule table, row by row, on both roads.
"""

from __future__ import annotations

import json
import math
import socket
from base64 import b64encode
from collections import OrderedDict, UserDict, deque
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum
from typing import NamedTuple
from uuid import UUID

import msgspec
import orjson
import pytest

from ringamp.errors import InvalidEventError
from ringamp.events import encoding
from ringamp.events.encoding import encode_sendable
from ringamp.events.event import Event
from ringamp.events.plan import Plan
from ringamp.events.properties import MAX_DEPTH

Colour = Enum("Colour", {"RED": "red", "PAIR": (1, 2)})
Size = IntEnum("Size", {"BIG": 3})
Text = type("Text", (str,), {})
Whole = type("Whole", (int,), {})
Real = type("Real", (float,), {})
Row = type("Row", (list,), {})
Table = type("Table", (dict,), {})
Moment = type("Moment", (datetime,), {})


class Point(NamedTuple):
    """
    A tuple with names.
    """

    x: int
    y: int


NAIVE = datetime.fromisoformat("2020-01-02")


class Hour(tzinfo):
    """
    A time zone made by hand.
    """

    def utcoffset(self, _):
        """
        One hour, always.
        """
        return timedelta(hours=1)

    def dst(self, _):
        """
        None known.
        """


@dataclass
class Item:
    """
    A dataclass with a private field.
    """

    name: str = "n"
    _secret: int = 1


@dataclass(slots=True)
class Slotted:
    """
    A dataclass with slots, one of which need not be set.
    """

    name: str = "n"
    later: int = field(init=False)


class Tagged(msgspec.Struct, tag="t", rename="camel", omit_defaults=True):
    """
    A struct with everything msgspec can do to its fields.
    """

    my_name: str
    left_out: int = 1
    made: list = msgspec.field(default_factory=list)
    unset: int | msgspec.UnsetType = msgspec.UNSET


class Listed(msgspec.Struct, array_like=True):
    """
    A struct that is an array on the wire.
    """

    x: int = 1


SENT = {
    "str": ("é\u2028", '"é\u2028"'),
    "str subclass": (Text("x"), '"x"'),
    "lone surrogate": ("a\ud800b", '"a\ufffdb"'),
    "two lone surrogates": ("\udc00\ud800", '"\ufffd\ufffd"'),
    "surrogate pair": ("\ud83d\ude00", '"\U0001f600"'),
    "byte order mark": ("\ufeff\ud800", '"\ufeff\ufffd"'),
    "int": (2**64 - 1, "18446744073709551615"),
    "int subclass": (Whole(5), "5"),
    "too great an int": (2**64, '"18446744073709551616"'),
    "too small an int": (-(2**63) - 1, '"-9223372036854775809"'),
    "float": (1e22, "1e+22"),
    "float subclass": (Real(5.5), "5.5"),
    "p7 nan": (math.nan, "null"),
    "infinity": (-math.inf, "null"),
    "bool": (True, "true"),
    "none": (None, "null"),
    "decimal": (Decimal("1.50"), "1.50"),
    "exact decimal": (
        Decimal("0.1234567890123456789"),
        "0.1234567890123456789",
    ),
    "decimal exponent": (Decimal("1E+5"), "1E+5"),
    "decimal beyond a double": (Decimal("1E+400"), '"1E+400"'),
    "decimal nan": (Decimal("sNaN"), "null"),
    "decimal infinity": (Decimal("-Infinity"), "null"),
    "date": (date(2020, 1, 2), '"2020-01-02"'),
    "p6 datetime": (NAIVE, '"2020-01-02T00:00:00"'),
    "utc": (
        datetime(2020, 1, 2, tzinfo=timezone.utc),
        '"2020-01-02T00:00:00+00:00"',
    ),
    "datetime subclass": (Moment(2020, 1, 2), '"2020-01-02T00:00:00"'),
    "strange time zone": (
        datetime(2020, 1, 2, tzinfo=Hour()),
        '"2020-01-02T00:00:00+01:00"',
    ),
    "time": (time(1, 2, 3, 4), '"01:02:03.000004"'),
    "time with zone": (time(1, tzinfo=timezone.utc), '"01:00:00+00:00"'),
    "timedelta": (timedelta(days=1, microseconds=5), '"P1DT0.000005S"'),
    "negative timedelta": (timedelta(seconds=-1), '"-PT1S"'),
    "uuid": (UUID(int=5), '"00000000-0000-0000-0000-000000000005"'),
    "bytes": (b"ab\xff", '"YWL/"'),
    "bytearray": (bytearray(b"ab"), '"YWI="'),
    "memoryview": (memoryview(b"abcd")[::2], '"YWM="'),
    "enum": (Colour.RED, '"red"'),
    "enum of a tuple": (Colour.PAIR, "[1,2]"),
    "int enum": (Size.BIG, "3"),
    "list": ([1, [2]], "[1,[2]]"),
    "list subclass": (Row([1]), "[1]"),
    "tuple": ((1, 2), "[1,2]"),
    "named tuple": (Point(1, 2), "[1,2]"),
    "set": ({1}, "[1]"),
    "frozenset": (frozenset(), "[]"),
    "dict": ({"a": {}}, '{"a":{}}'),
    "dict subclass": (Table(a=1), '{"a":1}'),
    "ordered dict": (OrderedDict(a=1), '{"a":1}'),
    "dataclass": (Item(), '{"name":"n"}'),
    "dataclass, slot not set": (Slotted(), '{"name":"n"}'),
    "struct": (Plan(version_id="1"), '{"versionId":"1"}'),
    "tagged struct": (Tagged("n"), '{"type":"t","myName":"n"}'),
    "changed struct": (
        Tagged("n", left_out=2, unset=3),
        '{"type":"t","myName":"n","leftOut":2,"unset":3}',
    ),
    "struct as array": (Listed(), "[1]"),
    "raw": (msgspec.Raw(b'{"a":1}'), '{"a":1}'),
    "fragment": (orjson.Fragment(b"[1]"), "[1]"),
    "int key": ({1: 2}, '{"1":2}'),
    "float keys": ({1.5: 2, math.nan: 3}, '{"1.5":2,"null":3}'),
    "bool and none keys": ({True: 2, None: 3}, '{"true":2,"null":3}'),
    "enum keys": ({Colour.RED: 2, Size.BIG: 3}, '{"red":2,"3":3}'),
    "uuid key": (
        {UUID(int=5): 2},
        '{"00000000-0000-0000-0000-000000000005":2}',
    ),
    "moment keys": (
        {date(2020, 1, 2): 2, NAIVE: 3, time(1): 4},
        '{"2020-01-02":2,"2020-01-02T00:00:00":3,"01:00:00":4}',
    ),
    "str subclass key": ({Text("a"): 2}, '{"a":2}'),
    "surrogate key": ({"\ud800": 2}, '{"\ufffd":2}'),
    "great int key": ({2**64: 2}, '{"18446744073709551616":2}'),
    "two keys of one text": ({1: "first", "1": "last"}, '{"1":"last"}'),
}


def encode(event):
    """
    Encode as the client does: the fast road, then the careful one.
    """
    try:
        if isinstance(event, Event):
            return encoding.encode(event.to_dict())
        return encoding.encode(event)
    except Exception:
        return encode_sendable(event)


@pytest.mark.parametrize("name", SENT)
def test_what_is_sent(name):
    """
    Each row of the table gives the same bytes for a dict and an `Event`, and
    on the careful road for what the fast one takes.
    """
    value, expected = SENT[name]
    properties = {"p": value}
    as_dict = {"event_type": "t", "event_properties": properties}
    as_event = Event("t", event_properties=properties)

    whole = f'{{"event_type":"t","event_properties":{{"p":{expected}}}}}'
    assert encode(as_dict).decode() == whole
    assert encode(as_event).decode() == whole
    assert encode_sendable(as_dict).decode() == whole
    assert encode_sendable(as_event).decode() == whole
    json.loads(whole)


def test_top_level_decimal():
    """
    P16: a price may be an int, a float or a Decimal, and stays exact.
    """
    sent = encode(Event("t", price=Decimal("9.90"), quantity=2, revenue=5))

    assert sent == b'{"event_type":"t","price":9.90,"quantity":2,"revenue":5}'


def test_decimals_cannot_spoil_a_batch():
    """
    P7: a Decimal that is NaN, or a key, never becomes something that is no
    JSON.
    """
    assert encode(Event("t", price=Decimal("NaN"))) == (
        b'{"event_type":"t","price":null}'
    )
    with pytest.raises(InvalidEventError, match="key of type Decimal"):
        encode(Event("t", user_properties={Decimal(1): 1}))


def circle():
    """
    A list that holds itself.
    """
    ring = []
    ring.append({"again": ring})
    return ring


def nested(levels):
    """
    So many lists inside one another.
    """
    value = "x"
    for _ in range(levels):
        value = [value]
    return value


class Broken(Enum):
    """
    An enum whose value raises.
    """

    A = 1

    @property
    def value(self):
        """
        Never answer.
        """
        raise OSError


REFUSED = {
    "socket": (socket.socket, ".p: object of type type cannot be sent; allow"),
    "object": (object(), ".p: object of type object cannot be sent"),
    "path": (
        {"items": [0, 1, 2, {"when": 1j}]},
        ".p.items[3].when: object of type complex cannot be sent",
    ),
    "odd name": ({"a b": 1j}, ".p['a b']: object of type complex"),
    "long name": (
        {"a" * 99: 1j},
        ".p['aaaaaaaaaaaa...aaaaaaaaaaaaa']: object",
    ),
    "converted name": ({1: 1j}, ".p['1']: object of type complex"),
    "deque": (deque(), ".p: object of type deque"),
    "user dict": (UserDict(), ".p: object of type UserDict"),
    "generator": ((i for i in ()), ".p: object of type generator"),
    "tuple key": (
        {"a": {(1,): 1}},
        ".p.a: a key of type tuple cannot be sent",
    ),
    "bytes key": ({b"a": 1}, ".p: a key of type bytes"),
    "enum key of a tuple": ({Colour.PAIR: 1}, ".p: a key of type tuple"),
    "int of many digits": (10**5000, ".p: int with too many digits"),
    "circle": (circle(), ".p[0].again: it contains itself"),
    "too deep": (
        nested(MAX_DEPTH),
        ".p" + "[0]" * 39 + ": nested deeper than 40",
    ),
    "too deep for the fast road": (nested(300), "nested deeper than 40"),
    "no json": (msgspec.Raw(b"{"), ".p: it holds text that is no JSON"),
    "raising": (Broken.A, ".p: reading it raised OSError"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    """
    What cannot be sent is named by its path, on both roads alike.
    """
    value, expected = REFUSED[name]
    properties = {"p": value}
    errors = []
    for event in (
        {"event_type": "t", "event_properties": properties},
        Event("t", event_properties=properties),
    ):
        with pytest.raises(InvalidEventError) as caught:
            encode_sendable(event)
        errors.append(str(caught.value))

    assert errors[0] == errors[1]
    assert errors[0].startswith("event_properties.p")
    assert expected in errors[0]


def test_depth_counts_from_the_properties():
    """
    event_properties is the first level, and forty are allowed.
    """
    event = {"event_properties": {"p": nested(MAX_DEPTH - 1)}}

    assert encode_sendable(event) == encode(event)


def test_the_same_value_twice_is_no_circle():
    """
    One object at two places is sent twice.
    """
    shared = [Decimal(1)]

    assert encode_sendable({"a": shared, "b": shared}) == b'{"a":[1],"b":[1]}'


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            5,
            "event: object of type int given; allowed are a dict and an Event",
        ),
        (None, "object of type NoneType given"),
        ([("event_type", "t")], "object of type list given"),
        (Plan(), "object of type Plan given"),
        (UserDict(event_type="t"), "object of type UserDict given"),
        ({}, "event: it is empty; event_type is needed"),
    ],
)
def test_what_is_no_event(event, expected):
    """
    Only a dict with something in it, or an `Event`, is an event: what is
    spliced into a request begins with an object's first key.
    """
    with pytest.raises(InvalidEventError, match=expected):
        encode_sendable(event)


def test_p15_one_bad_value_is_told():
    """
    P15: the event is refused as a whole; it does not lose its properties
    quietly.
    """
    with pytest.raises(InvalidEventError, match=r"event_properties\.bad: "):
        encode(Event("t", event_properties={"good": 1, "bad": object()}))


def test_bytes_are_the_usual_base64():
    """
    Every byte value survives the way through text.
    """
    everything = bytes(range(256))

    sent = json.loads(encode({"p": everything}))

    assert sent["p"] == b64encode(everything).decode()
