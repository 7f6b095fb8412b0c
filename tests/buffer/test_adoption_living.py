# SPDX-License-Identifier: MIT
"""
Rings of living processes: left alone where those send by themselves, and had
by a relay where they do not.
"""

from __future__ import annotations

import struct

import pytest
from wreckage import (
    HEAD_AT,
    bytes_of,
    drain,
    event,
    fill,
    make_ring,
    names,
    numbers,
    some,
    take,
)

from ringamp.bindings import HEADER_SIZE
from ringamp.buffer.adoption import (
    LiveOutlet,
    readopt,
)


@pytest.mark.parametrize("live", [False, True])
def test_a_ring_that_is_sent_from_is_left_alone(spool, live):
    """
    Its process has both locks, however slow it is.
    """
    file, ring = make_ring(spool)
    ring.push_event(event(1))

    assert take(spool, file.ring_id, live=live) is None

    assert numbers(drain(ring)) == [1]
    file.close(is_done=True)


def test_a_living_ring_without_a_sender(spool):
    """
    It is for a relay alone; who does not want it leaves it as it was.
    """
    file, ring = make_ring(spool, is_consumed=False, min_id_length=3)
    ring.push_event(event(1))
    assert take(spool, file.ring_id, live=False) is None

    live = take(spool, file.ring_id, live=True)

    assert isinstance(live, LiveOutlet)
    assert live.min_id_length == 3
    assert numbers(drain(live)) == [1]
    ring.push_event(event(2))
    assert numbers(drain(live)) == [2]
    assert take(spool, file.ring_id, live=True) is None
    live.close(is_done=False)
    assert spool.ring_ids() == [file.ring_id]
    file.close(is_done=True)


def test_the_producer_is_told_what_became_of_its_events(spool):
    """
    Through the ring itself, as counts.
    """
    file, ring = make_ring(spool, is_consumed=False)
    live = take(spool, file.ring_id, live=True)

    live.settled(3, 2, 1)
    live.settled(1, 0, 0)

    assert (ring.delivered, ring.rejected, ring.dropped) == (4, 2, 1)
    live.close(is_done=False)
    file.close(is_done=True)


def test_a_living_ring_whose_producer_dies(spool):
    """
    It is noticed by the lock, and the rest comes out of the file.
    """
    file, ring = make_ring(spool, is_consumed=False)
    for one in some(6):
        ring.push_event(one)
    live = take(spool, file.ring_id, live=True)
    live.release(fill(live, max_count=2).end)
    fill(live, max_count=2)
    assert not live.is_orphaned()

    file.close(is_done=False)
    assert live.is_orphaned()
    orphan = readopt(spool, live, b"lib/1")

    assert numbers(drain(orphan)) == [2, 3, 4, 5]
    orphan.close(is_done=True)
    assert names(spool) == []


def test_the_release_in_which_the_last_relay_died_is_finished(spool):
    """
    It had moved `head` and not zeroed all yet; the producer gets its room.
    """
    file, ring = make_ring(spool, is_consumed=False)
    for one in some(4):
        ring.push_event(one)
    batch = fill(ring, max_count=2)
    bytes_of(file.region)[HEAD_AT : HEAD_AT + 8] = struct.pack("<Q", batch.end)

    live = take(spool, file.ring_id, live=True)

    assert numbers(drain(live)) == [2, 3]
    assert ring.used == 0
    assert not any(bytes_of(file.region)[HEADER_SIZE:])
    live.close(is_done=False)
    file.close(is_done=True)
