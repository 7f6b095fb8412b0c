# SPDX-License-Identifier: MIT
"""
The builtins of the hot path, through Python: every code, wrong arguments.
"""

from __future__ import annotations

import gc
import os
from collections import OrderedDict, defaultdict

import orjson
import pytest
from forking import fork
from small_ring import EVENT, Ring, changed

from ringamp import bindings


@pytest.fixture
def ring():
    """
    A ring of the smallest size.
    """
    return Ring()


def test_position_comes_back_and_grows(ring):
    """
    A pushed event answers its position, even and never negative.
    """
    first = ring.pushers.push_event(EVENT)
    second = ring.pushers.push_event(EVENT)

    assert first == 0
    assert second == (24 + len(orjson.dumps(EVENT)) + 7) // 8 * 8
    assert ring.drain() == [len(orjson.dumps(EVENT))] * 2


CODES = [
    (changed(event_type=""), bindings.NO_EVENT_TYPE),
    (changed(event_type=" \t\n"), bindings.NO_EVENT_TYPE),
    (changed(event_type=" \t\n" * 10_000), bindings.NO_EVENT_TYPE),
    (changed(event_type=None), bindings.NO_EVENT_TYPE),
    (changed(event_type=7), bindings.NO_EVENT_TYPE),
    ({"user_id": "somebody"}, bindings.NO_EVENT_TYPE),
    ({"event_type": "x"}, bindings.NO_ID),
    (changed(user_id=None), bindings.NO_ID),
    (changed(user_id="", device_id=None), bindings.NO_ID),
    (changed(user_id=12345), bindings.BAD_ID),
    (changed(user_id="four"), bindings.BAD_ID),
    (changed(user_id="anonymous"), bindings.BAD_ID),
    (changed(user_id="UNDEFINED"), bindings.BAD_ID),
    (changed(device_id="abc"), bindings.BAD_ID),
    (changed(device_id="000000"), bindings.BAD_ID),
    (changed(time=1.5), bindings.UNCLEAN),
    (changed(time=True), bindings.UNCLEAN),
    (changed(time=None), bindings.UNCLEAN),
    (changed(time="1700000000000"), bindings.UNCLEAN),
    (changed(insert_id=None), bindings.UNCLEAN),
    (changed(insert_id=3), bindings.UNCLEAN),
    (changed(library=None), bindings.UNCLEAN),
    (changed(library=["x"]), bindings.UNCLEAN),
    (changed(extra={1, 2}), bindings.UNCLEAN),
    ({1: 2}, bindings.UNCLEAN),
    (changed(event_properties={"x": "y" * 40_000}), bindings.TOO_BIG),
]


@pytest.mark.parametrize(("event", "code"), CODES)
def test_code_says_what_is_wrong(ring, event, code):
    """
    An event that cannot be pushed answers its code and leaves no trace.
    """
    assert ring.push(event) == code
    assert ring.drain() == []
    assert bindings.lib.ra_ring_tail(ring.view) == 0


GOOD = [
    changed(user_id="\U0001f600" * 5),
    changed(user_id="n\xfcll\xe9"),
    changed(user_id="00000"),
    changed(user_id="null\0"),
    changed(user_id="x" * 20_000),
    changed(event_type="\U0001f600"),
    changed(device_id=""),
    changed(time=0, insert_id="mine", library="other/1"),
    changed(time=-1),
    OrderedDict(EVENT),
    defaultdict(list, EVENT),
]


@pytest.mark.parametrize("event", GOOD)
def test_unusual_events_are_pushed(ring, event):
    """
    What is allowed is pushed, however unusual.
    """
    assert ring.push(event) == 0
    assert len(ring.drain()) == 2


def test_ids_are_counted_in_characters(ring):
    """
    Four characters are short, however many bytes they take; five are not.
    """
    for character in "a", "\xe9", "\u20ac", "\U0001f600":
        assert ring.push(changed(user_id=character * 4)) == bindings.BAD_ID
        assert ring.push(changed(user_id=character * 5)) >= 0
        assert bindings.check_id(character * 4, 5, False) == bindings.ID_SHORT
        assert bindings.check_id(character * 5, 5, False) == bindings.ID_FINE


def test_str_subclasses_are_strings(ring):
    """
    An id or type of a str subclass is taken for the string it is.
    """

    class Text(str):
        """
        A string that lies about its length.
        """

        __slots__ = ()

        def __len__(self):
            return 99

    assert ring.push(changed(user_id=Text("somebody"))) >= 0
    assert ring.push(changed(user_id=Text("four"))) == bindings.BAD_ID
    assert ring.push(changed(event_type=Text(" "))) == bindings.NO_EVENT_TYPE


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ((None, 5, False), bindings.ID_ABSENT),
        (("", 5, False), bindings.ID_ABSENT),
        ((b"bytes", 5, False), bindings.ID_NO_STRING),
        (("none", 5, False), bindings.ID_SHORT),
        (("none", 1, False), bindings.ID_REFUSED),
        (("0", 1, True), bindings.ID_REFUSED),
        (("00000", 5, True), bindings.ID_REFUSED),
        (("00000", 5, False), bindings.ID_FINE),
        (("N/A", 0, False), bindings.ID_REFUSED),
        (("\u212aone", 1, False), bindings.ID_FINE),
        (("non\xe9", 1, False), bindings.ID_FINE),
        (("x", 2**64 - 1, False), bindings.ID_SHORT),
    ],
)
def test_check_id_names_the_fault(arguments, fault):
    """
    An id alone is judged by the same rules.
    """
    assert bindings.check_id(*arguments) == fault


def test_full_ring_says_so(ring):
    """
    A full ring answers FULL, and goes on when there is room.
    """
    pushed = 0
    while (answer := ring.pushers.push_event(EVENT)) >= 0:
        pushed += 1

    assert answer == bindings.FULL
    assert bindings.lib.ra_ring_refused(ring.view) == 1
    assert len(ring.drain()) == pushed
    assert ring.pushers.push_event(EVENT) >= 0


def test_armed_ring_asks_for_one_wake_up(ring):
    """
    The push that reaches the armed count answers with the WAKE bit.
    """
    bindings.lib.ra_ring_arm(ring.view, 2, 2**63)

    answers = [ring.pushers.push_event(EVENT) for _ in range(3)]

    assert [each & bindings.UNUSUAL for each in answers] == [
        0,
        bindings.WAKE,
        0,
    ]


def test_ring_of_another_generation_is_forked(ring):
    """
    A ring built in another generation takes nothing.
    """
    ring.view.generation += 1

    assert ring.push(EVENT) == bindings.FORKED
    assert bindings.lib.ra_ring_tail(ring.view) == 0


@pytest.mark.process
def test_ring_is_forked_in_a_child(ring):
    """
    A child's push into its parent's ring answers FORKED.
    """
    child = fork()
    if child == 0:
        os._exit(ring.pushers.push_event(EVENT) != bindings.FORKED)
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert ring.pushers.push_event(EVENT) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.push_dict(),
        lambda r: r.push_dict(b"{}"),
        lambda r: r.push_dict(b"{}", EVENT, 1),
        lambda r: r.push_dict("text", EVENT),
        lambda r: r.push_dict(None, EVENT),
        lambda r: r.push_dict(b"{}", None),
        lambda r: r.push_dict(b"{}", [("event_type", "x")]),
        lambda r: r.push_dict(b"{}", event=EVENT),
        lambda r: r.push_event(),
        lambda r: r.push_event(EVENT, EVENT),
        lambda _: bindings.check_id(),
        lambda _: bindings.check_id("x", "5", False),
        lambda _: bindings.check_id("x", 5),
        lambda _: bindings.copy_event(),
        lambda _: bindings.copy_event(None),
        lambda _: bindings.copy_event([EVENT]),
    ],
)
def test_wrong_arguments_are_type_errors(ring, call):
    """
    A wrong number or kind of arguments raises and does nothing else.
    """
    with pytest.raises(TypeError):
        call(ring.pushers)

    assert ring.drain() == []


def test_negative_length_is_an_overflow():
    """
    A least length below 0 or above 64 bits is refused.
    """
    for length in -1, 2**64:
        with pytest.raises(OverflowError):
            bindings.check_id("somebody", length, False)


@pytest.mark.parametrize("payload", [b"", b"{}", b"[1,2,3,4]", b'{ "a":1}'])
def test_payload_that_the_splice_could_not_extend_is_unclean(ring, payload):
    """
    Only what begins as an object with a key is pushed.
    """
    assert ring.pushers.push_dict(payload, EVENT) == bindings.UNCLEAN


def test_events_that_are_no_dicts_take_the_careful_road(ring):
    """
    push_event answers UNCLEAN for anything but a dict.
    """
    for event in None, 1, "text", [EVENT], (EVENT,), object():
        assert ring.pushers.push_event(event) == bindings.UNCLEAN


def test_builtins_keep_the_ring_alive():
    """
    The pushers of a ring work when all else of it is gone.
    """
    push = Ring().pushers.push_event
    gc.collect()

    assert [push(EVENT) for _ in range(3)] == [0, 80, 160]
