# SPDX-License-Identifier: MIT
"""
The passage of an event through middleware, at the level of the builtins.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from references import drift

from ringamp.bindings import (
    AGAIN,
    NO_ID,
    UNCLEAN,
    UNDER_WAY,
    WAKE,
    enter_unpushed,
)
from ringamp.buffer.region import PrivateRegion
from ringamp.buffer.ring import Ring
from ringamp.events import Event
from ringamp.flusher.receipt import Receipt

EVENT = {
    "event_type": "t",
    "user_id": "somebody",
    "event_properties": {"list": [{"deep": [1]}], "text": "x"},
}

STRUCT = Event(**EVENT, product_id="p")


@pytest.fixture
def ring():
    """
    A small ring that nobody waits for.
    """
    return Ring(
        PrivateRegion(1 << 16).format(),
        min_id_length=5,
        max_event=10_000,
        library=b"ringamp/test",
    )


def never(event, extra, position):
    """
    Fail the test: nothing unusual was to happen.
    """
    raise AssertionError((event, extra, position))


def begin(ring, event, extra, unusual):
    """
    Begin a passage through an entrance of its own.
    """
    _, begin_passage = ring.enter("outcomes", unusual)
    return begin_passage(event, extra)


def test_calling_a_passage_pushes_its_event(ring):
    """
    The position is the one that a push would have answered, and the receipt
    has it.
    """
    passage = begin(ring, EVENT, "extra", never)

    assert passage.position == UNDER_WAY
    assert passage.extra == "extra"
    assert passage(passage) is None
    assert passage.position == 0
    assert passage.receipt == Receipt("outcomes", 0)
    assert passage.answer is None
    assert ring.pushed == 1


def test_the_event_is_a_copy_all_the_way_down(ring):
    """
    Whatever a middleware changes, the caller's containers stay as they are.
    """
    passage = begin(ring, EVENT, None, never)

    passage.event["event_properties"]["list"][0]["deep"].append(2)
    passage.event["new"] = 1

    assert EVENT["event_properties"] == {"list": [{"deep": [1]}], "text": "x"}
    assert "new" not in EVENT


def test_the_event_of_a_struct_is_a_dict_of_its_own(ring):
    """
    Middleware sees the wire names, and changes nothing of the `Event`.
    """
    passage = begin(ring, STRUCT, None, never)

    assert passage.event == {**EVENT, "productId": "p"}
    passage.event["event_properties"]["text"] = "y"
    passage(passage)

    assert STRUCT.event_properties == EVENT["event_properties"]
    assert ring.pushed == 1


def test_another_payload_may_be_handed_on(ring):
    """
    Anything with the attribute `event` is a payload.
    """
    passage = begin(ring, EVENT, None, never)

    passage(SimpleNamespace(event={**EVENT, "event_type": "other"}))

    batch = ring.fill(b"[", b"]", max_count=9, max_bytes=10_000)
    assert batch is not None
    assert batch.events()[0]["event_type"] == "other"


def test_the_end_is_reached_once(ring):
    """
    A second call logs nothing, keeps the position, and tells of itself.
    """
    told = []
    passage = begin(ring, EVENT, "extra", lambda *args: told.append(args))

    passage(passage)
    passage(passage)

    assert ring.pushed == 1
    assert passage.position == 0
    assert told == [(passage.event, "extra", AGAIN)]


def test_what_is_unusual_is_told_at_once(ring):
    """
    A wake-up and a refusal reach the callback, whose answer is kept.
    """
    told = []

    def unusual(event, extra, position):
        told.append(position)
        return "answer"

    ring.arm(1, ring.capacity)
    waking = begin(ring, EVENT, None, unusual)
    waking(waking)
    nobody = begin(ring, {"event_type": "t"}, None, unusual)
    nobody(nobody)
    unpushed = enter_unpushed(None, unusual)[1](EVENT, None)
    unpushed(unpushed)

    assert told == [WAKE, NO_ID, UNCLEAN]
    assert waking.answer == nobody.answer == unpushed.answer == "answer"
    assert waking.receipt is nobody.receipt is unpushed.receipt is None


def test_what_the_callback_raises_reaches_the_caller(ring):
    """
    No exception is swallowed on the way.
    """

    def unusual(event, extra, position):
        raise LookupError("seen")

    passage = begin(ring, {}, None, unusual)

    with pytest.raises(LookupError, match="seen"):
        passage(passage)


@pytest.mark.parametrize(
    "arguments", [(), (1, 2), ("no payload",), ({"event": 1},)]
)
def test_a_wrong_call_of_next_raises(ring, arguments):
    """
    `next` takes one payload, and says so.
    """
    passage = begin(ring, EVENT, None, never)

    with pytest.raises((TypeError, AttributeError)):
        passage(*arguments)

    assert ring.pushed == 0


def test_wrong_arguments_raise_and_types_are_not_made_by_hand(ring):
    """
    Nothing that Python can pass makes an unfinished passage.
    """
    passage = begin(ring, EVENT, None, never)

    with pytest.raises(TypeError):
        begin(ring, [], None, never)
    with pytest.raises(TypeError):
        ring.enter(None, never)[1](EVENT)
    with pytest.raises(TypeError):
        passage(passage, key=1)
    with pytest.raises(TypeError):
        type(passage)()
    with pytest.raises(AttributeError):
        passage.position = 8
    del passage.event
    with pytest.raises(AttributeError):
        passage(passage)


def test_an_event_too_deep_to_copy_is_left_to_the_encoder(ring):
    """
    It is UNCLEAN, not an exception in the middle of a request.
    """
    deep = last = {}
    for _ in range(300):
        last["x"] = last = {}
    told = []
    passage = begin(
        ring,
        {**EVENT, "event_properties": deep},
        None,
        lambda event, extra, position: told.append(position),
    )

    passage(passage)

    assert told == [UNCLEAN]


def test_no_reference_is_kept_or_lost():
    """
    After many passages of every kind the counts are what they were.
    """
    ring = Ring(
        PrivateRegion(1 << 20).format(),
        min_id_length=5,
        max_event=10_000,
        library=b"ringamp/test",
    )
    extra, answer = object(), object()

    def unusual(event, extra, position):
        return answer

    def some():
        for _ in range(200):
            passage = begin(ring, EVENT, extra, unusual)
            passage(passage)
            passage(passage)
            stopped = begin(ring, EVENT, extra, unusual)
            stopped.event = stopped.extra = None
            bad = begin(ring, {}, extra, unusual)
            bad(bad)
            other = begin(ring, STRUCT, extra, unusual)
            other(other)

    passage = begin(ring, EVENT, extra, unusual)
    passage(passage)
    some()
    things = (
        *(EVENT, STRUCT, extra, answer, unusual, None),
        *(type(passage), type(passage.receipt)),
    )

    assert drift(things, some) == [0] * len(things)
