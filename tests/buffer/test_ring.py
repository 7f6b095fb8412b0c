# SPDX-License-Identifier: MIT
"""
The ring as Python sees it: push, fill, release, wake.
"""

from __future__ import annotations

import mmap
import os
from collections import deque

import orjson
import pytest
from forking import fork
from hypothesis import given, settings
from hypothesis import strategies as st

from ringamp.bindings import CAPACITY_MIN, FORKED, FULL, TOO_BIG, WAKE
from ringamp.buffer.region import PrivateRegion, round_capacity
from ringamp.buffer.ring import Ring
from ringamp.errors import NativeError

HEAD, TAIL = b'{"events":[', b"]}"
MINE = {"time": 1, "insert_id": "mine", "library": "mine/1"}


def small():
    """
    Return memory for the smallest ring.
    """
    return PrivateRegion(CAPACITY_MIN).format()


@pytest.fixture
def ring():
    """
    The smallest ring.
    """
    return Ring(small(), min_id_length=5, max_event=9_000, library=b"lib/1")


def event(number, **more):
    """
    Make an event that carries its number.
    """
    return {
        "event_type": "t",
        "user_id": "somebody",
        "event_id": number,
        **more,
    }


def fill(ring, max_count=2000, max_bytes=1 << 20):
    """
    Take a batch.
    """
    return ring.fill(HEAD, TAIL, max_count=max_count, max_bytes=max_bytes)


def drain(ring):
    """
    Take everything; give the events.
    """
    events = []
    while (batch := fill(ring)) is not None:
        events += batch.events()
        ring.release(batch.end)
        ring.reuse(batch)
    return events


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        (1, CAPACITY_MIN),
        (CAPACITY_MIN, CAPACITY_MIN),
        (CAPACITY_MIN + 1, 2 * CAPACITY_MIN),
        (32 << 20, 32 << 20),
        ((32 << 20) - 1, 32 << 20),
        (1 << 40, 1 << 30),
    ],
)
def test_capacities_are_powers_of_two(wanted, got):
    """
    What the user wants is rounded up, within what a ring can be.
    """
    assert round_capacity(wanted) == got


def test_a_body_is_what_was_pushed_in_order(ring):
    """
    The body parses, and each event got what it lacked and nothing else.
    """
    assert ring.push_event(event(0)) & ~7 == 0
    ring.push_event(event(1, **MINE))

    batch = fill(ring)

    first, second = orjson.loads(bytes(batch.body))["events"]
    assert len(batch) == 2
    assert [first["event_id"], second["event_id"]] == [0, 1]
    assert first["library"] == "lib/1"
    assert len(first["insert_id"]) == 40
    assert first["time"] > 1_600_000_000_000
    assert second == event(1, **MINE)
    assert batch.events()[:] == [first, second]


def test_insert_ids_are_distinct_within_and_between_rings():
    """
    Nothing random is drawn for an event, and yet no two are the same.
    """
    seen = set()
    for _ in range(3):
        ring = Ring(small(), min_id_length=5, max_event=900, library=b"lib/1")
        for number in range(500):
            ring.push_event(event(number))
            seen |= {e["insert_id"] for e in drain(ring)}

    assert len(seen) == 1500


def test_batches_keep_the_limits(ring):
    """
    Neither the count nor the bytes of a body go above what was asked.
    """
    for number in range(100):
        ring.push_event(event(number, event_properties={"x": "y" * number}))
    sizes, numbers = [], []
    while (batch := fill(ring, max_count=30, max_bytes=4000)) is not None:
        sizes.append(len(batch.body))
        numbers += [e["event_id"] for e in batch.events()]
        assert len(batch) <= 30
        ring.release(batch.end)

    assert numbers == list(range(100))
    assert max(sizes) <= 4000
    assert len(sizes) < 20, "the batches are not full"


def test_full_is_an_answer_and_costs_nothing(ring):
    """
    A full ring refuses until something was released, and loses nothing.
    """
    pushed = 0
    while ring.push_event(event(pushed)) >= 0:
        pushed += 1
    before = ring.tail

    assert ring.push_event(event(-1)) == FULL
    assert ring.tail == before
    assert ring.pushed == pushed
    assert [e["event_id"] for e in drain(ring)] == list(range(pushed))
    assert ring.used == 0
    assert ring.push_event(event(pushed)) >= 0


def test_many_laps_lose_and_change_nothing(ring):
    """
    Sizes that hit every alignment of the lap's end come out as they went in.
    """
    expected = []
    for number in range(5000):
        one = event(number, event_properties={"x": "y" * (number % 997)})
        if ring.push_event(one) < 0:
            assert drained_as(ring, expected)
            expected = []
            assert ring.push_event(one) >= 0
        expected.append(one)

    assert drained_as(ring, expected)
    assert ring.tail > 20 * ring.capacity


def drained_as(ring, expected):
    """
    Whether the ring holds *expected* and nothing else.
    """
    return [
        {key: got[key] for key in want}
        for got, want in zip(drain(ring), expected, strict=True)
    ] == expected


def test_an_event_that_fits_no_request_is_too_big(ring):
    """
    The limit counts what the splice adds.
    """
    text = {"x": "y" * ring.max_event}

    assert ring.push_event(event(0, event_properties=text)) == TOO_BIG
    assert ring.pushed == 0


def test_a_closed_ring_takes_nothing_and_gives_what_it_has(ring):
    """
    What was pushed before is drained after.
    """
    ring.push_event(event(0))
    ring.close()

    assert ring.push_event(event(1)) == FORKED
    assert [e["event_id"] for e in drain(ring)] == [0]


def test_a_ring_closed_before_a_fork_is_closed_in_the_child(ring):
    """
    A child's generation is 0 until it renews it; no closed ring matches.
    """
    ring.close()
    pid = fork()
    if pid == 0:
        os._exit(ring.push_event(event(1)) != FORKED)

    assert os.waitpid(pid, 0)[1] == 0


def test_one_push_wakes_and_only_one(ring):
    """
    The push that reaches the armed count says so, later ones do not.
    """
    assert not ring.arm(3, ring.capacity)

    wakes = [ring.push_event(event(n)) & WAKE for n in range(6)]

    assert wakes == [0, 0, WAKE, 0, 0, 0]
    assert ring.arm(3, ring.capacity), "it has been reached already"


def test_bytes_wake_as_well(ring):
    """
    Large events wake before the count is reached.
    """
    ring.arm(1000, 2000)

    wakes = [ring.push_event(event(n)) & WAKE for n in range(100)]

    assert sum(wakes) == 1
    assert ring.used > 2000


def test_a_buffer_that_is_given_back_is_used_again(ring):
    """
    A batch's buffer is not made anew every time.
    """
    ring.push_event(event(0))
    batch = fill(ring)
    first = batch.body.obj
    ring.release(batch.end)
    ring.reuse(batch)
    ring.push_event(event(1))

    assert fill(ring).body.obj is first


def test_memory_that_was_overwritten_is_noticed(ring):
    """
    A header that is none of ours stops the ring with an error, not a crash.
    """
    ring.push_event(event(0))
    ring._region._buffer[8192:8200] = b"\xff" * 8

    with pytest.raises(NativeError, match="corrupt"):
        fill(ring)


def test_memory_that_cannot_be_had_is_an_error(monkeypatch):
    """
    The message says how much was asked for.
    """

    def refuse(*args, **kwargs):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refuse)

    with pytest.raises(NativeError, match="cannot get 73728 bytes"):
        PrivateRegion(65536)


class Model:
    """
    A ring as a list: what was pushed and not yet taken.
    """

    def __init__(self, keeps):
        self.keeps = keeps
        self.ring = Ring(
            small(),
            min_id_length=5,
            max_event=9_000,
            library=b"l/1",
            keeps=keeps,
        )
        self.waiting = deque()
        self.claimed = deque()
        self.pushed = 0

    def push(self, size):
        """
        Push an event of about *size* bytes.
        """
        one = event(self.pushed, event_properties={"x": "y" * size})
        at = self.ring.push_event(one)
        if at == FULL:
            assert self.ring.used + 2 * (size + 300) > self.ring.capacity
            return
        assert at >= 0
        self.waiting.append(self.pushed)
        self.pushed += 1

    def fill(self, count):
        """
        Take at most *count* events.
        """
        batch = fill(self.ring, max_count=count, max_bytes=20_000)
        if batch is None:
            assert not self.waiting
            return
        numbers = [e["event_id"] for e in batch.events()]
        assert 0 < len(numbers) <= count
        assert numbers == [self.waiting.popleft() for _ in numbers]
        self.claimed.append(batch)

    def release(self, _):
        """
        Release the oldest batch that is out.
        """
        if self.claimed:
            batch = self.claimed.popleft()
            if self.keeps:
                self.ring.release(batch.end)
            self.ring.reuse(batch)

    def check(self):
        """
        Compare the counts.
        """
        assert self.ring.pushed == self.pushed
        assert self.ring.claimed == self.pushed - len(self.waiting)
        if not self.waiting and not (self.keeps and self.claimed):
            assert self.ring.used == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["push"] * 4 + ["fill", "release"]),
            st.integers(1, 7000),
        ),
        max_size=120,
    ),
    st.booleans(),
)
@settings(deadline=None, max_examples=80)
def test_any_sequence_of_calls_is_that_of_a_list(steps, keeps):
    """
    Events come out once, in order, in batches within the limits, however
    pushes, fills and releases alternate; the ring is full only if it is.
    What is not kept is out of it as soon as it was taken.
    """
    model = Model(keeps)
    for name, number in steps:
        getattr(model, name)(number)
        model.check()
    while model.waiting:
        model.fill(2000)
    while model.claimed:
        model.release(None)
    model.check()
