# SPDX-License-Identifier: MIT
"""
A ring dealt out to several uploads: nothing left out, nothing twice, an id
always on the same track, and outcomes that come in any order.
"""

from __future__ import annotations

import random
from collections import defaultdict

import orjson
import pytest

from ringamp.bindings import HEADER_SIZE, WAKE
from ringamp.buffer.region import PrivateRegion
from ringamp.buffer.ring import Ring
from ringamp.buffer.window import Window
from ringamp.errors import NativeError
from ringamp.status import Response, Status

HEAD, TAIL = b'{"events":[', b"]}"
GOOD = Response(Status.SUCCESS, 200)
BAD = Response(Status.INVALID, 400)


def make_ring(tracks, capacity=1 << 16, keeps=True):
    """
    Make a ring whose events are dealt out.
    """
    return Ring(
        PrivateRegion(capacity).format(),
        min_id_length=5,
        max_event=10_000,
        library=b"ringamp/0",
        keeps=keeps,
        tracks=tracks,
    )


def push(ring, user, number):
    """
    Push an event; where it lies.
    """
    at = ring.push_event(
        {"event_type": "t", "user_id": user, "event_id": number}
    )
    assert at >= 0
    return at & ~WAKE


def deal(ring, tracks, max_count=2000, max_bytes=900_000):
    """
    Deal out what is there.
    """
    return ring.deal(
        HEAD, TAIL, tracks=tracks, max_count=max_count, max_bytes=max_bytes
    )


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("tracks", [2, 5, 16])
def test_every_event_once_and_each_id_on_one_track(tracks, keeps):
    """
    Over many windows and laps, with limits that end windows early. What is
    not kept is out of the ring as soon as it was dealt out.
    """
    chance = random.Random(tracks)
    ring = make_ring(tracks, keeps=keeps)
    track_of, seen, number = {}, defaultdict(list), 0
    for _ in range(200):
        for _ in range(chance.randint(1, 60)):
            push(ring, f"user-{chance.randrange(50)}", number)
            number += 1
        while True:
            dealt = deal(ring, tracks, max_count=chance.randint(1, 20))
            if dealt is None:
                break
            window, batches = dealt
            assert window.left == sum(map(len, batches))
            for batch in batches:
                body = orjson.loads(bytes(batch.body))
                assert batch.share == (window, batch.track)
                assert [one["event_id"] for one in body["events"]] == [
                    one["event_id"] for one in batch.events()
                ]
                for one in body["events"]:
                    user = one["user_id"]
                    seen[user].append(one["event_id"])
                    assert track_of.setdefault(user, batch.track) == (
                        batch.track
                    )
                assert len(batch) <= 20
                ring.reuse(batch)
            if keeps:
                ring.release(window.end)
            assert ring.used == ring.unclaimed[1] - window.end

    assert ring.used == 0
    assert ring.claimed == ring.pushed == number
    assert all(ids == sorted(ids) for ids in seen.values())
    assert sum(map(len, seen.values())) == number
    assert len(set(track_of.values())) > tracks // 2


def test_the_limits_are_those_of_each_body():
    """
    Bytes and events of each request, whatever the others hold.
    """
    ring = make_ring(4, capacity=1 << 20)
    for number in range(3000):
        push(ring, f"user-{number % 97}", number)

    sizes = []
    while (
        dealt := deal(ring, 4, max_count=300, max_bytes=20_000)
    ) is not None:
        window, batches = dealt
        sizes += [(len(one), len(one.body)) for one in batches]
        ring.release(window.end)

    assert sum(count for count, _ in sizes) == 3000
    assert max(count for count, _ in sizes) <= 300
    assert 15_000 < max(size for _, size in sizes) <= 20_000


def test_device_ids_have_tracks_where_there_is_no_user():
    """
    An empty user id is none.
    """
    ring = make_ring(8)
    for number in range(64):
        device = f"device-{number % 8}"
        for more in ({}, {"user_id": ""}):
            ring.push_event({"event_type": "t", "device_id": device, **more})

    _, batches = deal(ring, 8)

    tracks = defaultdict(set)
    for batch in batches:
        for one in batch.events():
            tracks[one["device_id"]].add(batch.track)
    assert {len(found) for found in tracks.values()} == {1}


def test_nothing_is_dealt_of_an_empty_ring():
    """
    Nor of one whose records somebody has written over.
    """
    ring = make_ring(2)
    assert deal(ring, 2) is None

    at = push(ring, "user-1", 1)
    ring._region._map[HEADER_SIZE + at : HEADER_SIZE + at + 8] = b"\xff" * 8
    with pytest.raises(NativeError, match="corrupt"):
        deal(ring, 2)


def test_a_ring_of_one_upload_notes_no_tracks():
    """
    Its records are as they always were.
    """
    one, several = make_ring(1), make_ring(2)
    users = [f"user-{number}" for number in range(40)]
    for ring in (one, several):
        for user in users:
            push(ring, user, 0)

    assert len(deal(one, 2)[1]) == 1
    assert len(deal(several, 2)[1]) == 2


def test_outcomes_in_any_order():
    """
    By share and one by one; each event answers its own.
    """
    window = Window(0, 100, [[0, 40, 80], [10, 20], [50]])
    assert window.left == 6

    window.settle_share(1, GOOD)
    window.settle(40, BAD)
    assert [window.find(at) for at in (10, 20, 40)] == [GOOD, GOOD, BAD]
    assert [window.find(at) for at in (0, 50, 80, 15)] == [None] * 4
    window.settle(0, GOOD)
    window.settle(80, GOOD)
    assert window.left == 1
    window.settle_share(2, GOOD)
    assert window.left == 0

    assert window.runs() == [(0, 40, GOOD), (40, 50, BAD), (50, 100, GOOD)]


def test_a_window_that_went_well_is_one_run():
    """
    Its runs are kept without the bodies of the answers.
    """
    window = Window(8, 100, [[8, 40], [20]])
    window.settle_share(0, Response(Status.SUCCESS, 200, {"code": 200}))
    window.settle_share(
        1, Response(Status.SUCCESS, 200, {"code": 200, "a": 1})
    )

    assert window.find(20).body == {"code": 200, "a": 1}
    assert window.runs() == [(8, 100, GOOD)]
