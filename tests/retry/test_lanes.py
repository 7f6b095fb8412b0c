# SPDX-License-Identifier: MIT
"""
Lanes: who waits, in what order, and how much goes at a time.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringamp.retry.decision import Ids
from ringamp.retry.lanes import DEFAULT_EPS, WINDOW, Lanes

NOBODY = frozenset()
U = Ids("u", None)


def hold(lanes, *users, until=30.0, devices=(), eps=1):
    """
    Hold these users and devices.
    """
    lanes.hold(frozenset(users), frozenset(devices), until, eps)


def fill(lanes, ids, orders, size=1):
    """
    Let events wait whose items are their orders.
    """
    return [lanes.add(ids, order, order, size) for order in orders]


def test_nobody_is_held_at_first():
    """
    Without a hold nothing waits and nothing is due.
    """
    lanes = Lanes(100)

    assert lanes.is_held(U) is None
    assert lanes.is_held(Ids(None, None)) is None
    assert lanes.due(1e9) == []
    assert lanes.next_due() is None


def test_innocent_ids_are_not_held():
    """
    A user's hold is not a device's of the same name, nor another user's.
    """
    lanes = Lanes(100)
    hold(lanes, "u")

    assert lanes.is_held(U) == ("user", "u")
    assert lanes.is_held(Ids("u", "any")) == ("user", "u")
    assert lanes.is_held(Ids("v", None)) is None
    assert lanes.is_held(Ids(None, "u")) is None


def test_events_wait_until_their_time_and_leave_in_order():
    """
    Nothing goes before the time; then all goes, oldest first.
    """
    lanes = Lanes(100)
    hold(lanes, "u")
    fill(lanes, U, [1, 2, 3])

    assert lanes.next_due() == 30.0
    assert lanes.due(29.9) == []
    assert lanes.due(30.0) == [(("user", "u"), [1, 2, 3])]


def test_later_events_queue_behind_a_part_that_is_out():
    """
    The id stays held until its line is empty and its part has an outcome.
    """
    lanes = Lanes(100)
    hold(lanes, "u")
    fill(lanes, U, [1, 2])
    ((key, _),) = lanes.due(30)

    assert lanes.is_held(U) == key
    fill(lanes, U, [3])
    assert lanes.next_due() is None
    assert lanes.due(99) == []
    lanes.done(key)
    assert lanes.due(99) == [(key, [3])]
    lanes.done(key)
    assert lanes.due(99) == []
    assert lanes.is_held(U) is None


def test_p8_a_lane_releases_its_allowance_then_more():
    """
    30 s of the id's own rate at first, twice as much after each success,
    until all of it has gone.
    """
    lanes = Lanes(10_000)
    hold(lanes, "u", eps=2)
    fill(lanes, U, range(1000))
    sizes, items = [], []
    while released := lanes.due(30):
        ((key, part),) = released
        sizes.append(len(part))
        items += part
        lanes.done(key)

    assert sizes == [60, 120, 240, 480, 100]
    assert items == list(range(1000))


def test_an_unnamed_threshold_is_a_cautious_one():
    """
    Without a threshold the default rate holds.
    """
    lanes = Lanes(10_000)
    hold(lanes, "u", eps=None)
    fill(lanes, U, range(1000))

    assert len(lanes.due(30)[0][1]) == DEFAULT_EPS * WINDOW


def test_a_lane_throttled_again_halves_and_keeps_its_order():
    """
    What comes back stands in front, and half as many go next time.
    """
    lanes = Lanes(10_000)
    hold(lanes, "u")
    fill(lanes, U, range(100))
    ((key, part),) = lanes.due(30)
    assert len(part) == 30

    hold(lanes, "u", until=60)
    hold(lanes, "u", until=60)  # Two batches of one part: one punishment.
    fill(lanes, U, reversed(part))
    lanes.done(key)

    assert lanes.due(59) == []
    assert lanes.due(60) == [(key, list(range(15)))]


def test_a_lane_always_makes_progress():
    """
    However often it is throttled, one event is tried.
    """
    lanes = Lanes(10_000)
    hold(lanes, "u")
    fill(lanes, U, range(40))
    for now in range(30, 900, 30):
        ((key, part),) = lanes.due(now)
        hold(lanes, "u", until=now + 30)
        fill(lanes, U, part)
        lanes.done(key)

    assert part == [0]


def test_a_hold_before_anything_went_is_no_punishment():
    """
    Two answers that name the id at once count once.
    """
    lanes = Lanes(100)
    hold(lanes, "u")
    hold(lanes, "u", until=20)
    fill(lanes, U, range(30))

    assert lanes.due(29) == []
    assert len(lanes.due(30)[0][1]) == 30


def test_one_lane_does_not_stall_another():
    """
    Each lane has its own time.
    """
    lanes = Lanes(100)
    hold(lanes, "a", until=30)
    hold(lanes, "b", until=15)
    fill(lanes, Ids("a", None), [1])
    fill(lanes, Ids("b", None), [2])

    assert lanes.next_due() == 15
    assert lanes.due(15) == [(("user", "b"), [2])]
    assert lanes.next_due() == 30


def test_an_event_with_two_held_ids_waits_in_order_with_both():
    """
    Its lanes become one: the later time, sorted, under any of its keys.
    """
    lanes = Lanes(100)
    hold(lanes, "u", until=30)
    hold(lanes, devices=["d"], until=45)
    fill(lanes, U, [1, 5])
    fill(lanes, Ids(None, "d"), [2, 4])
    fill(lanes, Ids("u", "d"), [3])
    fill(lanes, U, [6])

    assert lanes.due(44) == []
    ((key, items),) = lanes.due(45)
    assert items == [1, 2, 3, 4, 5, 6]
    other = {("user", "u"), ("device", "d")} - {key}
    lanes.done(other.pop())
    assert lanes.due(45) == []
    assert lanes.is_held(Ids("u", "d")) is None


def test_lanes_joined_while_a_part_is_out_wait_for_it():
    """
    Nothing overtakes a part that has no outcome yet.
    """
    lanes = Lanes(100)
    hold(lanes, "u", until=30)
    hold(lanes, devices=["d"], until=30)
    fill(lanes, U, [1])
    fill(lanes, Ids(None, "d"), [2])
    released = dict(lanes.due(30))
    fill(lanes, Ids("u", "d"), [3])

    lanes.done(("user", "u"))
    assert lanes.due(99) == []
    lanes.done(("device", "d"))
    assert [items for _, items in lanes.due(99)] == [[3]]
    assert released == {("user", "u"): [1], ("device", "d"): [2]}


def test_a_hold_on_an_empty_lane_ends_by_itself():
    """
    Without events the id is free after its time.
    """
    lanes = Lanes(100)
    hold(lanes, "u")

    assert lanes.due(30) == []
    assert lanes.is_held(U) is None
    assert repr(lanes) == "<Lanes: 0 ids held, 0 events, 0 bytes>"


def test_a_full_house_refuses_new_events():
    """
    Beyond its bytes it says no, and counts exactly.
    """
    lanes = Lanes(10)
    hold(lanes, "u")

    assert fill(lanes, U, [1, 2, 3], size=4) == [True, True, False]
    assert (lanes.count, lanes.bytes) == (2, 8)
    assert lanes.add(U, 4, "x", 2) is True


def test_what_comes_back_always_has_its_room():
    """
    The bytes of a part that is out stay reserved for it.
    """
    lanes = Lanes(8)
    hold(lanes, "u")
    fill(lanes, U, [1, 2], size=4)
    ((key, _),) = lanes.due(30)

    assert fill(lanes, U, [3], size=4) == [False]
    assert fill(lanes, U, [1], size=4) == [True]
    assert (lanes.count, lanes.bytes) == (1, 8)
    lanes.done(key)
    assert (lanes.count, lanes.bytes) == (1, 4)
    assert fill(lanes, U, [4], size=4) == [True]


def test_an_event_nobody_holds_is_due_at_once():
    """
    A careless caller loses nothing, with ids or without.
    """
    lanes = Lanes(100)
    fill(lanes, Ids("v", "d"), [1])
    fill(lanes, Ids(None, None), [2, 3])

    items = [item for _, part in lanes.due(0) for item in part]
    assert sorted(items) == [1, 2, 3]


def test_clear_gives_everything_back_in_order():
    """
    At exit whatever waits can be told its fate; a late done is harmless.
    """
    lanes = Lanes(100)
    hold(lanes, "a", "b")
    fill(lanes, Ids("a", None), [1, 4])
    fill(lanes, Ids("b", None), [2])
    ((key, _), *_) = lanes.due(30)
    fill(lanes, Ids("a", None), [5])
    fill(lanes, Ids("b", None), [3])

    assert lanes.clear() == [3, 5]
    lanes.done(key)
    assert (lanes.count, lanes.bytes, lanes.next_due()) == (0, 0, None)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_order_and_bytes_hold_whatever_happens(seed, eps):
    """
    Simulated service and clock: every event ends exactly once, the events
    of each pair of ids in order, and the books balance at every step.
    """
    rng = random.Random(seed)
    lanes = Lanes(10**6)
    books = ids_of, sizes, sent = {}, {}, []
    out, now = {}, 0.0
    for order in range(120):
        ids = Ids(rng.choice([None, "u", "v"]), rng.choice([None, "d", "e"]))
        ids_of[order], sizes[order] = ids, rng.randint(1, 9)
        now += rng.random() * 5
        if rng.random() < 0.2:
            hold(
                lanes,
                *rng.sample(["u", "v"], rng.randint(0, 2)),
                devices=rng.sample(["d", "e"], rng.randint(0, 1)),
                until=now + 30,
                eps=eps,
            )
        if lanes.is_held(ids):
            assert lanes.add(ids, order, order, sizes[order])
        else:
            sent.append(order)
        for key, items in lanes.due(now):
            out.setdefault(key, []).append(items)
        if out and rng.random() < 0.5:
            settle(rng, lanes, out, books, now)
        waiting = set(range(order + 1)) - set(sent)
        assert lanes.count + sum(
            len(part) for parts in out.values() for part in parts
        ) == len(waiting)
        # More where joined lanes have a second part out: see its reserve.
        assert lanes.bytes >= sum(sizes[one] for one in waiting)
    while len(sent) < 120:
        now += 31
        for key, items in lanes.due(now):
            out.setdefault(key, []).append(items)
        for _ in range(len(out)):
            settle(rng, lanes, out, books, now)

    assert sorted(sent) == list(range(120))
    assert (lanes.count, lanes.bytes) == (0, 0)
    for ids in set(ids_of.values()):
        mine = [order for order in sent if ids_of[order] == ids]
        if ids != Ids(None, None):
            assert mine == sorted(mine)


def settle(rng, lanes, out, books, now):
    """
    Let one part that is out succeed, or come back throttled.
    """
    ids_of, sizes, sent = books
    key = rng.choice(list(out))
    items = out[key].pop()
    if not out[key]:
        del out[key]
    if rng.random() < 0.3:
        kind, name = key
        users = [name] if kind == "user" else []
        devices = [name] if kind == "device" else []
        hold(lanes, *users, devices=devices, until=now + 30)
        for item in items:
            assert lanes.add(ids_of[item], item, item, sizes[item])
    else:
        sent += items
    lanes.done(key)


@pytest.mark.parametrize("lanes_count", [20_000])
def test_many_lanes_cost_little(lanes_count):
    """
    Asking what is due looks at the first timer, not at every lane.
    """
    lanes = Lanes(10**9)
    hold(lanes, *map(str, range(lanes_count)))
    looked = []
    real = lanes._is_timely
    lanes._is_timely = lambda *args: looked.append(1) or real(*args)

    for now in range(29):
        assert lanes.due(now) == []

    assert len(looked) == 29
