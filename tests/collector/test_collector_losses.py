# SPDX-License-Identifier: MIT
"""
Tests of what the service drops silently: text cut off, groups not tracked,
properties not applied, rates that only the service would refuse.
"""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uploads import BATCH, NOW, V2, ask, event

from ringamp.collector import LENIENT, Ledger, Loss, Note, Settings
from ringamp.collector.ledger import KEEP_LOSSES
from ringamp.collector.losses import KINDS
from ringamp.collector.state import State
from ringamp.collector.trimming import trim

LONG = "x" * 1025
OFF = Settings(throttle=False)


def kinds(said):
    """
    Return the kinds and subjects of what got lost.
    """
    return [(loss.kind, loss.subject, loss.count) for loss in said.losses]


CUT = {
    "a value": ({"a": LONG}, {"a": LONG[:-1]}),
    "in a list": ({"a": ["b", LONG]}, {"a": ["b", LONG[:-1]]}),
    "in an object": ({"a": {"b": [LONG]}}, {"a": {"b": [LONG[:-1]]}}),
    "of an operation": ({"$set": {"a": LONG}}, {"$set": {"a": LONG[:-1]}}),
    "characters of two units": ({"a": "\U0001f600" * 1025}, None),
}


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("event_properties", "x"),
        ("user_properties", "$identify"),
        ("group_properties", "$groupidentify"),
    ],
)
@pytest.mark.parametrize("case", CUT)
def test_long_text_is_cut_off(field, kind, case):
    """
    A text of 1,025 characters among the properties is taken without its
    last; that is told.
    """
    given, kept = CUT[case]
    kept = kept or {"a": given["a"][:1024]}
    sent = event(event_type=kind, **{field: copy.deepcopy(given)})
    said = ask(sent)

    assert said.status == 200
    assert said.taken[0][field] == kept
    assert kinds(said) == [("long text", field, 1)]


def test_text_of_1024_characters_is_kept():
    """
    The limit itself is allowed, and names and other fields have none.
    """
    sent = event(event_properties={"a": LONG[1:], LONG: 1}, ip=LONG)
    said = ask(copy.deepcopy(sent))

    assert list(said.taken) == [sent]
    assert not said.losses


JSON = st.recursive(
    st.text(max_size=6) | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
)


def texts(value):
    """
    Yield the texts in *value* that are no names, in order.
    """
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, dict) else value
    for one in inner if isinstance(value, (dict, list)) else ():
        yield from texts(one)


@given(given=st.dictionaries(st.text(max_size=6), JSON))
def test_every_text_is_cut_and_nothing_else_changed(given):
    """
    However it is nested, each text becomes its beginning; their number is
    told.
    """
    sent = {"event_properties": copy.deepcopy(given)}
    losses = trim(sent, Settings(max_string=3))
    before, after = list(texts(given)), list(texts(sent["event_properties"]))

    assert after == [text[:3] for text in before]
    assert sum(loss.count for loss in losses) == sum(
        len(text) > 3 for text in before
    )


GROUPS = {
    "six types": (
        {str(n): "g" for n in range(6)},
        {str(n): "g" for n in range(5)},
        [("group types", "5", 1)],
    ),
    "eleven groups": (
        {"a": [str(n) for n in range(11)]},
        {"a": [str(n) for n in range(10)]},
        [("groups", "a", 1)],
    ),
    "ten and one": (
        {"a": ["g"] * 10, "b": "g"},
        {"a": ["g"] * 10},
        [("groups", "b", 1)],
    ),
    "at the limits": (
        {str(n): ["g", "h"] for n in range(5)},
        {str(n): ["g", "h"] for n in range(5)},
        [],
    ),
    "none": ({}, {}, []),
    "no groups of a type": ({"a": []}, {"a": []}, []),
}


@pytest.mark.parametrize("case", GROUPS)
def test_groups_too_many_are_not_tracked(case):
    """
    The event is taken with the first 5 types and the first 10 groups.
    """
    given, kept, lost = GROUPS[case]
    said = ask(event(groups=copy.deepcopy(given)))

    assert said.status == 200
    assert said.taken[0]["groups"] == kept
    assert kinds(said) == lost


def test_group_properties_belong_to_groupidentify():
    """
    Another event is taken with them, and they are told to be ignored.
    """
    said = ask(event(group_properties={"a": 1}))

    assert kinds(said) == [("group properties", "Checkout", 1)]
    assert not ask(
        event(event_type="$groupidentify", group_properties={"a": 1})
    ).losses


def update(user="alice", **more):
    """
    Build an event that updates a property of its user.
    """
    return event(user_id=user, user_properties={"$set": {"a": 1}}, **more)


def test_property_updates_are_applied_1800_times_an_hour():
    """
    Later events are taken, but their properties are told not to be applied,
    until an hour, in steps of a minute, has passed.
    """
    state = State()
    start = NOW - NOW % 60
    many = [update(event_type="$identify") for _ in range(1800)]
    first = ask(*many, state=state, settings=OFF, now=start)
    more = [update(), update(), update("bobby"), event()]
    second = ask(*more, state=state, settings=OFF, now=start + 3599)
    third = ask(update(), state=state, settings=OFF, now=start + 3660)

    assert (first.unapplied, second.unapplied, third.unapplied) == (0, 2, 0)
    assert len(second.taken) == 4
    assert ("property updates", "alice", 2) in kinds(second)
    assert "property updates" not in [loss.kind for loss in third.losses]


def test_one_request_can_have_too_many_updates():
    """
    Those beyond the limit are counted, not the whole request.
    """
    said = ask(*[update() for _ in range(1803)], settings=OFF)

    assert said.unapplied == 3


def test_updates_count_for_users_of_a_project():
    """
    A device without a user counts by itself, the API key apart, and what
    asks to leave the user alone not at all.
    """
    state = State()
    settings = Settings(throttle=False, property_updates=1)
    device = {"event_type": "x", "device_id": "device-1"}
    props = {"user_properties": {"a": 1}}

    def sent(*events, key="KEY"):
        said = ask(*events, state=state, settings=settings, api_key=key)
        return said.unapplied

    assert sent(update(), {**device, **props}) == 0
    assert sent(update(), key="OTHER") == 0
    assert sent(event(), device, event(user_properties={})) == 0
    skip = {"$skip_user_properties_sync": True}
    assert sent(update(**skip)) == 0
    assert sent(update(), {**device, **props}) == 2
    both = update("carol", device_id="device-1")
    assert sent(both) == 0


def test_groups_are_no_users():
    """
    An event about a group without any id updates nobody.
    """
    group = {"event_type": "$groupidentify", "user_properties": {"a": 1}}

    assert ask(*[group] * 1900, settings=OFF).unapplied == 0


@pytest.mark.parametrize(("path", "eps"), [(V2, 30), (BATCH, 1000)])
@pytest.mark.parametrize("settings", [OFF, LENIENT], ids=["off", "lenient"])
def test_a_rate_that_is_not_enforced_is_noticed(path, eps, settings):
    """
    Where throttling is off, the id that the service would throttle is told
    as soon as it reaches its events a second, on average over the window.
    """
    state = State()
    window = 30
    all_but_one = [event() for _ in range(eps * window - 1)]
    parts = [all_but_one[n : n + 1500] for n in range(0, eps * window, 1500)]
    quiet = [
        kinds(ask(*part, path=path, state=state, settings=settings))
        for part in parts
        if part
    ]
    said = ask(event(), path=path, state=state, settings=settings)
    later = ask(
        event(), path=path, state=state, settings=settings, now=NOW + 31
    )

    assert not any(quiet)
    assert kinds(said) == [("event rate", "alice", 1)]
    assert not later.losses


def test_a_ledger_counts_each_loss_once():
    """
    The same loss is one, with its count; there is an end to how many.
    """
    ledger = Ledger()
    loss = Loss("groups", "a", 2)
    ledger.record(Note("/batch", 200, 1, unapplied=3), losses=[loss, loss])
    for number in range(KEEP_LOSSES + 10):
        ledger.lose(Loss("event rate", str(number)))
    ledger.lose(loss)

    assert ledger.losses()[0] == Loss("groups", "a", 6)
    assert len(ledger.losses()) == KEEP_LOSSES
    assert ledger.summary().unapplied == 3
    ledger.reset()
    assert not ledger.losses()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_it_befell(kind):
    """
    What is told names its subject, also one that looks like a format.
    """
    assert "{0}%s" in str(Loss(kind, "{0}%s"))
