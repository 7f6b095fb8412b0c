# SPDX-License-Identifier: MIT
"""
Entrances: one call from an event to its receipt; and structs taken as dicts.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import msgspec
import pytest
from references import drift
from small_ring import EVENT, Ring, changed

from ringamp import Event, IngestionMetadata, Plan, bindings
from ringamp.bindings import FORKED, FULL, NO_ID, UNCLEAN, UNUSUAL, WAKE
from ringamp.flusher.receipt import Receipt

STRUCT = Event("watch", user_id="datamonster@gmail.com")


@pytest.fixture
def ring():
    """
    A ring of the smallest size.
    """
    return Ring()


def never(event, extra, position):
    """
    Fail the test: nothing unusual was to happen.
    """
    raise AssertionError((event, extra, position))


@pytest.mark.parametrize("event", [EVENT, STRUCT])
def test_an_ordinary_event_is_answered_with_its_receipt(ring, event):
    """
    The receipt has the position that a push would have answered.
    """
    log, _ = ring.pushers.enter("outcomes", never)

    receipts = [log(event, None), log(event, "extra")]

    assert receipts == [Receipt("outcomes", 0), Receipt("outcomes", 80)]
    assert ring.drain() == [56, 56]


def test_what_is_unusual_is_answered_by_the_callback(ring):
    """
    It gets the event, extra and the position or code; its answer is ours.
    """
    told = []

    def unusual(*arguments):
        told.append(arguments)
        return "answer"

    log, _ = ring.pushers.enter(None, unusual)
    extra = object()
    bindings.lib.ra_ring_arm(ring.view, 1, 2**63)
    events = [EVENT, {"event_type": "x"}, changed(x={1}), "none", Event("x")]
    answers = [log(event, extra) for event in events]
    log_unpushed, _ = bindings.enter_unpushed(None, unusual)
    answers.append(log_unpushed(EVENT, extra))

    codes = [WAKE, NO_ID, UNCLEAN, UNCLEAN, NO_ID, UNCLEAN]
    assert told == [
        (event, extra, code)
        for event, code in zip([*events, EVENT], codes, strict=True)
    ]
    assert answers == ["answer"] * 6


def test_a_full_and_a_closed_ring_are_unusual(ring):
    """
    The codes are those of a push.
    """
    log, _ = ring.pushers.enter(None, lambda *arguments: arguments[2])
    while isinstance(answer := log(EVENT, None), Receipt):
        pass
    ring.view.generation += 1

    assert (answer, log(EVENT, None)) == (FULL, FORKED)


def test_what_the_callback_raises_reaches_the_caller(ring):
    """
    Nothing is swallowed: *strict* lives of it.
    """

    def unusual(*_):
        raise LookupError("seen")

    log, _ = ring.pushers.enter(None, unusual)

    with pytest.raises(LookupError, match="seen"):
        log({}, None)


def test_wrong_arguments_are_type_errors(ring):
    """
    A wrong number of arguments raises and does nothing else.
    """
    log, begin = ring.pushers.enter(None, never)

    for call in (
        lambda: ring.pushers.enter(None),
        lambda: log(EVENT),
        lambda: begin(EVENT, None, None),
        lambda: begin("text", None),
        type(log.__self__),
    ):
        with pytest.raises(TypeError):
            call()

    assert ring.drain() == []


def test_receipts_are_made_by_hand_too():
    """
    With positions of 64 bits; a receipt cannot be changed.
    """
    receipt = Receipt(None, 2**62, "known")

    assert receipt == Receipt(None, 2**62, "known")
    assert hash(receipt) == hash(Receipt(None, 2**62, "known"))
    assert receipt not in (Receipt(None, 0, "known"), None)
    assert repr(receipt) == f"Receipt(None, {2**62}, 'known')"
    assert not gc.is_tracked(receipt)
    assert type(receipt).__module__ == "ringamp.flusher.receipt"
    for wrong in (), (None,), (None, "text"), (None, 0, None, None):
        with pytest.raises(TypeError):
            Receipt(*wrong)
    with pytest.raises(TypeError):
        Receipt(None, 0, known=None)
    with pytest.raises(AttributeError):
        receipt._position = 1


def test_an_entrance_and_who_holds_it_are_collected(ring):
    """
    The cycle of a client, its entrance and its callback is garbage.
    """

    class Holder:
        """
        Holds the builtins of an entrance that calls it.
        """

        def __init__(self):
            self.both = ring.pushers.enter(self, self.unusual)

        def unusual(self, *_):
            """
            Do nothing.
            """

    holder = Holder()
    gone = weakref.ref(holder)
    del holder
    gc.collect()

    assert gone() is None


def test_no_reference_is_kept_or_lost(ring):
    """
    After many events of every kind the counts are what they were.
    """
    outcomes, extra, answer = object(), object(), object()
    branch = "".join(list("branch"))
    event = changed(x=[extra.__class__.__name__])
    struct = Event("watch", user_id="somebody", plan=Plan(branch=branch))

    def unusual(*_):
        return answer

    things = (
        *(event, struct, struct.plan, branch),
        *(outcomes, extra, answer, unusual, None, Receipt),
    )

    def some():
        for _ in range(200):
            log, _ = ring.pushers.enter(outcomes, unusual)
            for one in event, struct, {}, "none", changed(x=extra):
                log(one, extra)
            ring.drain()

    some()

    assert drift(things, some) == [0] * len(things)


def test_a_dict_of_any_size_and_keys_is_searched(ring):
    """
    The fields are found among many, under keys that are not interned, and
    beside keys that only look like them.
    """
    copied = {"".join(list(key)): value for key, value in EVENT.items()}
    late = {**{f"key{n}": n for n in range(100)}, **EVENT}
    alike = {"tim\xe9": 1, "library": "x", "userid1": 2, "device-id": 3, "": 4}

    assert ring.push(copied) >= 0
    assert ring.push(late) >= 0
    assert ring.push({**alike, **EVENT}) >= 0
    assert ring.push({**copied, "".join(list("time")): "x"}) == UNCLEAN
    assert ring.push({**late, "time": "x"}) == UNCLEAN
    assert ring.push({**alike, "event_type": "x"}) == NO_ID


def test_the_structs_of_events_are_known():
    """
    The core reads `Event`, and what may be in one; what is None is left out.
    """
    event = Event(
        "Buy",
        device_id="device-1",
        product_id="p",
        plan=Plan(version_id="1"),
        ingestion_metadata=IngestionMetadata(source_name="s"),
    )

    assert bindings.set_fields(event) == {
        "event_type": "Buy",
        "device_id": "device-1",
        "productId": "p",
        "plan": {"versionId": "1"},
        "ingestion_metadata": {"source_name": "s"},
    }
    assert bindings.set_fields(object()) is None


def test_every_field_of_an_event_is_read():
    """
    Each under its wire name, at its own place.
    """
    names = Event.__struct_fields__
    values = {name: f"value of {name}" for name in names}

    fields = bindings.set_fields(Event(**values))

    wires = zip(names, Event.__struct_encode_fields__, strict=True)
    assert fields == {wire: values[name] for name, wire in wires}


def test_a_struct_without_a_field_takes_the_careful_road(ring):
    """
    A field that was deleted is nothing to read.
    """
    event = Event("Buy", user_id="somebody")
    del event.user_id

    assert bindings.set_fields(event) is None
    assert ring.pushers.push_event(event) == UNCLEAN


def test_a_sample_that_does_not_show_its_fields_teaches_nothing():
    """
    Neither one whose values stand somewhere else, or twice.
    """

    class Pair(msgspec.Struct):
        """
        Two fields.
        """

        a: object
        b: object

    one = object()
    assert not bindings.know_struct(Pair(1, one), ("a", "b"), (2, one))
    assert not bindings.know_struct(Pair(one, one), ("a",), (one,))
    assert bindings.set_fields(Pair(1, 2)) is None
    with pytest.raises(TypeError):
        bindings.know_struct(Pair(1, one), ("a",), (1, one))


def test_no_more_structs_are_taught_than_there_is_room_for():
    """
    The core knows those of events, and one more.
    """
    program = """
import msgspec
from ringamp import bindings, Event
class One(msgspec.Struct):
    a: object
class Two(msgspec.Struct):
    a: object
one = object()
print([bindings.know_struct(kind(one), ("a",), (one,))
       for kind in (One, Two, Two)])
print(bindings.set_fields(One(1)), bindings.set_fields(Two(1)))
print(bindings.set_fields(Event("x")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        "[True, False, False]",
        "{'a': 1} None",
        "{'event_type': 'x'}",
    ]


def test_codes_are_unusual_and_positions_are_not(ring):
    """
    What callers test by one mask.
    """
    position = ring.pushers.push_event(EVENT)

    assert not position & UNUSUAL
    assert all(code & UNUSUAL for code in (FULL, FORKED, UNCLEAN, NO_ID))
