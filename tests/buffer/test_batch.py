# SPDX-License-Identifier: MIT
"""
Batches: tiles without gaps, selections with bytes of their own.
"""

from __future__ import annotations

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringamp.buffer.batch import Batch, Tile
from ringamp.events.ids import Ids


def batch_of(count):
    """
    Make a batch as the ring does: tiles by positions, some with pads before.
    """
    events = [
        orjson.dumps({"n": n, "user_id": f"user-{n}"}) for n in range(count)
    ]
    made = Batch.of(b"[", events, b"]", ())
    positions = [24 * n + 8 * (n > count // 2) for n in range(count)]
    return Batch(
        made.body, made.offsets, (0, positions, 24 * count + 8), end=99
    )


def test_tiles_have_no_gaps():
    """
    Each begins where the one before it ends, pads included.
    """
    tiles = batch_of(7).tiles

    assert tiles[0].start == 0
    assert tiles[-1].end == 24 * 7 + 8
    assert [t.end for t in tiles[:-1]] == [t.start for t in tiles[1:]]


@given(st.sets(st.integers(0, 11)))
def test_runs_are_the_tiles_of_their_indexes(chosen):
    """
    Joined neighbours cover exactly the chosen tiles, with fewest runs.
    """
    batch = batch_of(12)
    indexes = sorted(chosen)

    runs = list(batch.runs(indexes))

    covered = {p for start, end in runs for p in range(start, end)}
    assert covered == {
        p
        for index in indexes
        for p in range(batch.tiles[index].start, batch.tiles[index].end)
    }
    gaps = sum(
        after != before + 1 for before, after in itertools.pairwise(indexes)
    )
    assert len(runs) == (gaps + 1 if indexes else 0)


def test_a_selection_is_a_body_of_its_own():
    """
    It has the chosen events, their tiles, and what the batch remembers.
    """
    batch = batch_of(5)
    batch.attempt, batch.tries, batch.part = 3, 2, "part"

    some = batch.select([3, 1])

    assert [e["n"] for e in orjson.loads(some.body)] == [3, 1]
    assert some.tiles == [batch.tiles[3], batch.tiles[1]]
    assert (some.attempt, some.tries, some.part) == (3, 2, "part")
    assert some.end is None
    assert isinstance(some.body, bytes)


def test_ids_are_read_from_the_events():
    """
    In sent order; what an event has not is None.
    """
    assert batch_of(2).ids() == [Ids("user-0", None), Ids("user-1", None)]


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b"x",
        b"",
        b"[1]",
        b"null",
        b'{"user_id":"user-1"},{"user_id":"user-1"}',
        b'{"user_id":"user-1","k":"\\q"}',
        b'{"user_id":"user-1","k":"\xff"}',
        b'{"user_id":["user-1"],"device_id":5}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_event_is_about_nobody(payload):
    """
    A spool may hold anything; those around it keep their ids.
    """
    events = [b'{"user_id":"user-0"}', payload, b'{"device_id":"d"}']
    batch = Batch.of(b"[", events, b"]", ())

    nobody = Ids(None, None)
    assert batch.ids() == [Ids("user-0", None), nobody, Ids(None, "d")]


TWO = b'{"a":1},{"b":2}'
SOUND = [b'{"a":1}', b'{"b":"\\u00e4"}', b'{"c":{"d":[1, 2]} }  ']


@pytest.mark.parametrize(
    ("payloads", "unsound"),
    [
        (SOUND, []),
        ([SOUND[0], b"", SOUND[1]], [1]),
        ([b"null", b"[]", b"{}", b"5", b'"x"', SOUND[0]], [0, 1, 2, 3, 4]),
        ([b"\xff", SOUND[0], b"{", b"}"], [0, 2, 3]),
        ([SOUND[0], TWO, SOUND[1]], [1]),
        ([b'{"a":"', b'{"}', TWO], [0, 1, 2]),
        ([b'{"a":1}]}', SOUND[1]], [0]),
        ([b'{"a":' * 100_000, SOUND[2]], [0]),
    ],
)
def test_what_is_no_event_is_found(payloads, unsound):
    """
    Also where two together would be one, and one would be two.
    """
    assert Batch.of(b"[", payloads, b"]", ()).unsound() == unsound


def test_a_repr_shows_no_body():
    """
    The API key is in the body's head.
    """
    batch = Batch.of(b'{"api_key":"secret"[', [b'{"a":1}'], b"]", [Tile(0, 8)])

    assert "secret" not in repr(batch) + repr(batch.events())


def test_an_index_beyond_the_end_raises():
    """
    As of every sequence.
    """
    events = batch_of(2).events()

    assert events[-2]["n"] == 0
    for index in (2, -3):
        with pytest.raises(IndexError, match="of 2"):
            events[index]
