# SPDX-License-Identifier: MIT
"""
Where an event is until its end: given back to the ring only when it has one
or is on disk.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from shelving import (
    DOWN,
    REFUSED,
    Clock,
    batch_of,
    hold,
    letters,
    stored,
)
from wreckage import numbers

from ringamp.buffer.shelved import Label
from ringamp.flusher.keeping import (
    InMemory,
    Shelve,
    bury,
)
from ringamp.retry.decision import Deliver, Drop, Reject, Resend
from ringamp.status import Status


def test_memory_has_nothing_to_see_to():
    """
    Whatever is decided: the bytes are in the batch, and nowhere else.
    """
    for decision in (Deliver([0, 1]), Resend([0, 1], 2), hold(0, 1)):
        assert InMemory().keep(batch_of(0, 1), [decision]) == [decision]


def test_memory_drops_what_is_lost():
    """
    There is nowhere else to keep it, and nobody to leave it to.
    """
    batch = batch_of(0, 1, 2)

    assert InMemory().lose(batch, [0, 2], DOWN) == Drop([0, 2], DOWN)

    assert InMemory().leave() is None
    assert InMemory().outage is None


def test_what_was_delivered_needs_no_room(spool, keeper):
    """
    The room goes when the last event of a batch has its end, and nothing is
    on disk.
    """
    freed = []
    batch = batch_of(0, 1, 2, freed=freed)

    assert keeper.keep(batch, [Deliver([0, 2])]) == [Deliver([0, 2])]
    assert freed == []
    keeper.keep(batch, [Deliver([1])])

    assert freed == [True]
    assert stored(spool) == []


def test_what_is_sent_again_keeps_its_room(spool, keeper):
    """
    In the ring it is found, should this process die meanwhile.
    """
    freed = []
    batch = batch_of(0, 1, freed=freed)

    for again in (Resend([0, 1], 2, 0.1), Resend([0, 1], 1)):
        assert keeper.keep(batch, [again]) == [again]

    assert freed == []
    assert stored(spool) == []


def test_what_was_refused_is_a_dead_letter(spool, keeper):
    """
    With the reason, before it leaves the ring.
    """
    freed = []
    batch = batch_of(0, 1, freed=freed)

    reject = Reject([0, 1], REFUSED)
    assert keeper.keep(batch, [reject]) == [reject]

    assert freed == [True]
    first, second = map(json.loads, letters(spool))
    assert numbers([first["event"], second["event"]]) == [0, 1]
    assert first["reason"] == "no such field"
    assert (first["status"], first["status_code"]) == ("invalid", 400)
    assert first["time"] == 1_700_000_000_500


def test_what_is_refused_is_refused_without_a_disk(spool, keeper, no_room):
    """
    An event that the service will never take must not stay for that.
    """
    freed = []
    batch = batch_of(0, freed=freed)
    no_room()

    keeper.keep(batch, [Reject([0], REFUSED)])

    assert freed == [True]


def test_what_is_given_up_is_shelved(spool, keeper):
    """
    It is on disk before its room goes; who waits is told that it is queued.
    """
    freed = []
    batch = batch_of(0, 1, 2, freed=freed)

    (measure,) = keeper.keep(batch, [Drop([0, 1, 2], DOWN)])

    assert isinstance(measure, Shelve)
    assert measure.response.status is Status.QUEUED
    assert measure.response.status_code == 503
    assert measure.response.error == "kept in the spool's backlog: HTTP 503"
    assert freed == [True]
    assert stored(spool) == [[0, 1, 2]]
    assert keeper.outage.is_on


def test_a_file_says_whose_and_since_when(spool, keeper):
    """
    For whoever sends it: the time, the ring, and the limit on ids.
    """
    keeper.lose(batch_of(0, 1, 2), [1], DOWN)

    (name,) = spool.backlog.names()
    label = Label.read(name)
    assert label.created_ms == 1_700_000_000_500
    assert label.owner == keeper._ring_id
    assert label.min_id_length == 5
    assert stored(spool) == [[1]]


def test_a_batch_in_parts_is_shelved_in_parts(spool, keeper):
    """
    Some delivered, some refused, some given up: each has its place.
    """
    freed = []
    batch = batch_of(0, 1, 2, 3, freed=freed)

    keeper.keep(
        batch, [Deliver([0]), Reject([1], REFUSED), Drop([2, 3], DOWN)]
    )

    assert freed == [True]
    assert stored(spool) == [[2, 3]]
    assert len(letters(spool)) == 1


def test_one_try_is_enough_in_an_outage(spool, keeper):
    """
    What costs a retry is not tried again, but shelved; what does not (a half
    of a batch) is.
    """
    keeper.outage.note_failure(0.0)
    innocent = Resend([0], 1)
    assert keeper.keep(batch_of(0), [innocent]) == [innocent]
    assert stored(spool) == []

    (measure,) = keeper.keep(batch_of(0, 1), [Resend([0, 1], 2, 5.0)])

    assert isinstance(measure, Shelve)
    assert stored(spool) == [[0, 1]]


def test_a_success_ends_the_outage(keeper):
    """
    Then retries are retries again.
    """
    keeper.outage.note_failure(0.0)

    keeper.keep(batch_of(0), [Deliver([0])])

    assert not keeper.outage.is_on


def test_a_letter_that_cannot_be_buried_is_told(spool, caplog):
    """
    Where something else has the name of the day's file.
    """
    folder = Path(spool.rings.path).parent / "dead-letters"
    (folder / "2023-11-14.ndjson").symlink_to(folder / "elsewhere")

    with caplog.at_level(logging.ERROR, "ringamp"):
        bury(spool, Clock(), batch_of(0), Reject([0], REFUSED))

    assert "cannot be kept as dead letters" in caplog.text
    assert not (folder / "elsewhere").exists()
