# SPDX-License-Identifier: MIT
"""
Tests of the dedupe by insert_id: what it is unique within, and for how long.
"""

from hypothesis import given
from hypothesis import strategies as st
from uploads import NOW, ask, event

from ringamp.collector.settings import Settings
from ringamp.collector.state import State


def test_a_repeated_insert_id_is_dropped():
    """
    Sent again with the same device, an event is answered 200 and not taken;
    on another device it is another event.
    """
    state = State()
    first = event(insert_id="i1", device_id="device-1")
    other = event(insert_id="i1", device_id="device-2")
    ask(first, state=state)
    said = ask(first, other, other, state=state)

    assert said.status == 200
    assert said.body["events_ingested"] == 3
    assert list(said.taken) == [other]
    assert list(said.duplicates) == [first, other]


def test_projects_share_no_insert_ids():
    """
    The same event under another API key is another project's.
    """
    state = State()
    twin = event(insert_id="i1", device_id="device-1")
    first = ask(twin, state=state, api_key="KEY1")
    second = ask(twin, state=state, api_key="KEY2")
    third = ask(twin, state=state, api_key="KEY1")

    assert [len(said.taken) for said in (first, second, third)] == [1, 1, 0]


def test_an_insert_id_is_known_for_seven_days():
    """
    Then the same event is new, and known for seven days once more.
    """
    state = State()
    twin = event(insert_id="i1")
    days = [0, 6.9, 7, 13.9, 14]
    taken = [
        len(ask(twin, state=state, now=NOW + day * 86_400).taken)
        for day in days
    ]

    assert taken == [1, 0, 1, 0, 1]


@given(
    waits=st.lists(st.integers(0, 20), max_size=30),
    names=st.lists(st.sampled_from("abc"), min_size=30, max_size=30),
    window=st.integers(1, 20),
)
def test_dedupe_is_a_window_behind_each_event(waits, names, window):
    """
    An event is a duplicate if one like it was taken within the window, and
    never for one that was not taken itself.
    """
    state = State()
    settings = Settings(dedupe_seconds=window, throttle=False)
    now = NOW
    last = {}
    for wait, name in zip(waits, names, strict=False):
        now += wait
        said = ask(
            event(insert_id=name), state=state, settings=settings, now=now
        )
        is_new = name not in last or last[name] <= now - window
        if is_new:
            last[name] = now

        assert len(said.taken) == is_new


def test_dedupe_can_be_off():
    """
    Without dedupe, and without insert_id, repeats are taken.
    """
    twin = event(insert_id="i1")

    assert len(ask(event(), event()).taken) == 2
    assert len(ask(twin, twin, settings=Settings(dedupe=False)).taken) == 2


def test_dedupe_memory_is_bounded():
    """
    The oldest insert_id is the first to be forgotten.
    """
    state = State(dedupe_memory=2)
    ask(*[event(insert_id=f"i{n}") for n in range(3)], state=state)

    assert len(ask(event(insert_id="i2"), state=state).duplicates) == 1
    assert len(ask(event(insert_id="i0"), state=state).taken) == 1
    assert len(state.seen) == 2


def test_a_refused_request_leaves_no_trace():
    """
    The insert_ids of a refused request are not remembered.
    """
    state = State()
    good = event(insert_id="i1")
    ask(good, event(time="x"), state=state)

    assert list(ask(good, state=state).taken) == [good]
