# SPDX-License-Identifier: MIT
"""
What is given up and what waits, on disk: backlog files and held ones, how many
there may be, and what is kept out of them.
"""

from __future__ import annotations

import json
import logging

from shelving import (
    DOWN,
    batch_of,
    hold,
    make_keeper,
    stored,
)
from wreckage import event, fill, make_ring

from ringamp.buffer.batch import Pin
from ringamp.flusher.keeping import (
    DISK_PAUSE,
    LEFT,
    TRIM_PARTS,
    Shelve,
)
from ringamp.retry.decision import Deliver, Drop, Resend


def test_where_the_disk_is_full_events_stay(spool, keeper, no_room):
    """
    In the ring, to be sent again after a while; nothing is half written.
    """
    freed = []
    batch = batch_of(0, 1, freed=freed)
    no_room()

    (measure,) = keeper.keep(batch, [Drop([0, 1], DOWN)])
    no_room(on=False)

    assert measure == Resend([0, 1], 1, DISK_PAUSE)
    assert freed == []
    assert spool.backlog.names() == []
    assert keeper.lose(batch, [0, 1], DOWN).indexes == [0, 1]
    assert freed == [True]


def test_what_waits_is_in_a_held_file(spool, keeper):
    """
    So the ring is not pinned by one throttled id; the file goes when its
    events have their ends.
    """
    freed = []
    batch = batch_of(0, 1, 2, 3, freed=freed)

    keeper.keep(batch, [hold(1, 3), Deliver([0, 2])])

    assert freed == [True]
    assert stored(spool, ".held") == [[1, 3]]
    assert spool.backlog.names() == []
    out = batch.select([3])
    keeper.keep(out, [Deliver([0])])
    assert stored(spool, ".held") == [[1, 3]]
    keeper.keep(batch.select([1]), [Deliver([0])])
    assert stored(spool, ".held") == []


def test_what_waits_again_is_not_written_again(spool, keeper):
    """
    It is in a held file already.
    """
    batch = batch_of(0, 1)
    keeper.keep(batch, [hold(0, 1)])
    (name,) = [name for name, _ in spool.backlog.held()]

    keeper.keep(batch.select([0, 1]), [hold(0)])

    assert [name for name, _ in spool.backlog.held()] == [name]


def test_what_waits_and_is_given_up_is_shelved(spool, keeper):
    """
    The held file goes, the backlog has it.
    """
    batch = batch_of(0, 1)
    keeper.keep(batch, [hold(0, 1)])

    keeper.lose(batch.select([0, 1]), [0, 1], DOWN)

    assert spool.backlog.held() == []
    assert stored(spool) == [[0, 1]]


def test_what_cannot_be_held_on_disk_pins_the_ring(spool, keeper, no_room):
    """
    Until it has its end.
    """
    freed = []
    batch = batch_of(0, 1, freed=freed)
    no_room()
    keeper.keep(batch, [hold(0), Deliver([1])])
    no_room(on=False)

    assert freed == []
    keeper.keep(batch.select([0]), [Deliver([0])])
    assert freed == [True]


def test_at_the_end_what_is_held_is_anybodys(spool, keeper):
    """
    The memory that it was held for goes.
    """
    keeper.keep(batch_of(0), [hold(0)])

    assert keeper.leave() == LEFT

    assert spool.backlog.held() == []
    assert stored(spool) == [[0]]


def test_the_backlog_is_bounded(spool, keeper, lost, caplog):
    """
    Beyond three quarters of max_spool_bytes the oldest go, counted and told.
    """
    large = json.dumps(event(7, k="x" * 10_000)).encode()

    with caplog.at_level(logging.ERROR, "ringamp"):
        for _ in range(8):
            keeper.lose(batch_of(large), [0], DOWN)

    assert spool.backlog.used() <= spool.backlog_bytes
    assert len(stored(spool)) == 4
    assert sum(lost) == 4
    assert "see max_spool_bytes" in caplog.text


def test_its_size_is_looked_at_now_and_then(spool, keeper, monkeypatch):
    """
    At the first batch, and whenever a part of what is allowed was added: not
    at each batch, since it is a look at every file.
    """
    looks = []
    trim = spool.backlog.trim
    monkeypatch.setattr(
        spool.backlog, "trim", lambda most: looks.append(most) or trim(most)
    )
    small = batch_of(0)
    part = spool.backlog_bytes // TRIM_PARTS
    needed = part // len(small.body) + 1

    keeper.lose(batch_of(0), [0], DOWN)
    assert looks == [spool.backlog_bytes]
    for _ in range(needed):
        keeper.lose(batch_of(0), [0], DOWN)

    assert len(looks) == 2


def test_a_backlog_that_cannot_be_trimmed_is_no_full_disk(
    spool, keeper, monkeypatch
):
    """
    What was put is there, and is not put again and again.
    """

    def fail(most):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(spool.backlog, "trim", fail)
    freed = []

    measure = keeper.lose(batch_of(0, freed=freed), [0], DOWN)

    assert isinstance(measure, Shelve)
    assert freed == [True]
    assert stored(spool) == [[0]]


def test_the_room_of_a_real_ring(spool, lost):
    """
    A ring's batch that is shelved leaves the ring empty, and the file has
    each event with its insert_id.
    """
    file, ring = make_ring(spool)
    for number in range(3):
        ring.push_event(event(number))
    batch = fill(ring)
    batch.pins = Pin(3, lambda: ring.release(batch.end), in_ring=True)
    sent = batch.events()[:]

    make_keeper(spool, lost).lose(batch, range(3), DOWN)

    assert ring.used == 0
    (name,) = spool.backlog.names()
    shelved = spool.backlog.take(name)
    assert [json.loads(one) for one in shelved.events] == sent
    shelved.close()
    file.close(is_done=True)
