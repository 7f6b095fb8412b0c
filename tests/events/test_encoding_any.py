# SPDX-License-Identifier: MIT
"""
Tests of the encoding with whatever Hypothesis thinks of.
"""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from enum import Enum

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from ringamp.errors import InvalidEventError
from ringamp.events.encoding import (
    encode,
    encode_sendable,
)
from ringamp.events.event import Event

Text = type("Text", (str,), {})
Colour = Enum("Colour", {"RED": "red", "ONE": 1})

anything = st.characters()  # Surrogates included.
texts = st.text(anything, max_size=8)
plain = st.none() | st.booleans() | st.floats() | texts | st.integers()
hashables = (
    plain
    | st.binary(max_size=8)
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.uuids()
    | st.sampled_from(Colour)
    | texts.map(Text)
    | st.timedeltas(timedelta(-9999), timedelta(9999))
    | st.integers(-(2**80), 2**80)
)
values = st.recursive(
    hashables
    | st.frozensets(hashables, max_size=3)
    | st.sampled_from([Decimal("NaN"), Decimal("sNaN")]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(hashables, inner, max_size=3)
    ),
    max_leaves=12,
)
properties = st.dictionaries(texts, values, max_size=4)


def outcome(encoder, event, *options):
    """
    The bytes, the words of the careful road, or None from the fast one.
    """
    try:
        return encoder(event, *options)
    except TypeError:
        return None
    except InvalidEventError as error:
        return str(error)


@settings(max_examples=150, deadline=None)
@given(properties)
def test_anything_is_sent_or_named(given_properties):
    """
    Whatever the properties hold, the event is JSON that a strict parser
    reads, or INVALID by path; dict and `Event` agree to the byte; and the
    caller's objects are as they were.
    """
    before = repr(given_properties)
    fields = {"event_type": "t", "event_properties": given_properties}
    event = Event("t", event_properties=given_properties)

    sent = outcome(encode_sendable, fields)

    assert outcome(encode_sendable, event) == sent
    if isinstance(sent, bytes):
        assert sent.startswith(b'{"')
        assert isinstance(json.loads(sent, parse_constant=no_constant), dict)
        orjson.loads(sent)
    else:
        assert sent.startswith("event_properties")
        assert "cannot be sent; allowed are" in sent
    assert repr(given_properties) == before


@settings(max_examples=150, deadline=None)
@given(properties)
def test_both_roads_agree(given_properties):
    """
    What the fast road takes, the careful one encodes to the same bytes; and
    what one kind of event can send that way, the other can.
    """
    fields = {"event_type": "t", "event_properties": given_properties}
    event = Event("t", event_properties=given_properties)

    fast = outcome(encode, fields)

    assert outcome(encode, event.to_dict()) == fast
    if fast is not None:
        assert fast == encode_sendable(fields) == encode_sendable(event)


def no_constant(name):
    """
    Refuse NaN and Infinity, which json.loads would take.
    """
    raise AssertionError(name)
