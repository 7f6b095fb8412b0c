# SPDX-License-Identifier: MIT
"""
The backlog: what is put is taken, unaltered, and once.
"""

from __future__ import annotations

import errno
import json
import os
import time

import pytest
from shelves import (
    EVENTS,
    NAME,
    NOW,
    OTHER,
    RING,
    at,
    events_of,
    plant,
    put,
)

from ringamp.buffer.backlog import Backlog
from ringamp.buffer.lease import Lease
from ringamp.errors import SpoolError


def test_what_is_put_is_taken(backlog, folder):
    """
    Events, time and id length come back; when they have their ends the file
    is gone.
    """
    name = put(backlog, min_id_length=12)

    assert backlog.names() == [name]
    assert json.loads(folder.read(name, 999)) == [{"n": n} for n in range(5)]
    shelved = backlog.take(name)
    assert shelved.name == name
    assert [*shelved.events] == EVENTS
    assert (shelved.created_ms, shelved.min_id_length) == (NOW, 12)
    shelved.drop()
    assert folder.names() == []


def test_events_are_not_altered(backlog):
    """
    Not a byte of them: numbers, escapes, white space, doubled names.
    """
    events = [
        rb'{"a":1.50,"b":1e400,"c":12345678901234567890123,"a":-0}',
        rb'{"a":"\u00e9\ud83d\ude00\/" ,  "b":[ ]}',
        '{"a":"é\u2028"}'.encode(),
        b'{"a":"' + b"x" * 300_000 + b'"}',
        b'{"a":{"b":[{"c":null},true,"],[}{"]}}',
    ]

    assert events_of(backlog, put(backlog, events)) == events


def test_the_oldest_comes_first(backlog):
    """
    By time, then in the order they were put.
    """
    late = put(backlog, now_ms=NOW + 1)
    names = [put(backlog) for _ in range(30)]
    early = put(backlog, now_ms=5)
    never = put(backlog, now_ms=10**17)

    assert backlog.names() == [early, *names, late, never]


def test_two_backlogs_of_a_process_use_no_name_twice(backlog, folder):
    """
    Also in the same millisecond, for the same ring.
    """
    both = [backlog, Backlog(folder)]

    assert len({put(one) for one in both * 10}) == 20


@pytest.mark.parametrize(
    "change",
    [
        {"events": []},
        {"owner": "../../../../etc/passwd"},
        {"owner": "A" * 26},
        {"min_id_length": -1},
        {"min_id_length": 10**7},
    ],
)
def test_what_could_not_be_found_again_is_not_put(backlog, folder, change):
    """
    No batch is written under a name that nobody would read.
    """
    with pytest.raises(ValueError, match=r"batch|backlog"):
        put(backlog, **change)
    assert folder.names() == []


def test_what_is_held_is_nobodys_until_it_is_freed(backlog):
    """
    The held files of one ring are freed together, those of others stay.
    """
    mine = [put(backlog, held=True) for _ in range(3)]
    theirs = put(backlog, held=True, owner=OTHER)

    assert backlog.names() == []
    assert backlog.take(mine[0]) is None
    freed = backlog.free(RING)
    assert freed == [name.replace(".held", ".json") for name in mine]
    assert backlog.names() == freed
    assert events_of(backlog, freed[0]) == EVENTS
    assert backlog.free_one(theirs) in backlog.names()
    # Another process may have seen the same end.
    assert backlog.free_one(theirs) == theirs.replace(".held", ".json")


def test_a_held_file_is_dropped_by_its_process(backlog, folder):
    """
    It goes when its events have their ends; a second time is fine.
    """
    name = put(backlog, held=True)
    backlog.drop(name)
    backlog.drop(name)

    assert folder.names() == []


def test_a_file_is_taken_once(backlog, folder):
    """
    Not again while it is sent, not by another backlog; then again.
    """
    name = put(backlog)
    shelved = backlog.take(name)

    assert backlog.take(name) is None
    assert Backlog(folder).take(name) is None
    shelved.close()
    assert events_of(backlog, name) == EVENTS


def test_a_file_that_has_gone_is_not_taken(backlog):
    """
    Somebody else has sent it: nothing to do.
    """
    name = put(backlog)
    backlog.drop(name)

    assert backlog.take(name) is None


@pytest.mark.parametrize("change", ["removed", "rewritten"])
def test_a_file_that_goes_while_it_is_opened_is_not_taken(folder, change):
    """
    Between the open and the lock another one may drop it or shorten it; the
    events that this one would read have their ends.
    """
    other = Backlog(folder)

    def late_open(directory, name):
        lease = Lease.open(directory, name)
        shelved = other.take(name)
        if change == "removed":
            shelved.drop()
        else:
            shelved.keep(3)
        return lease

    name = put(other)

    assert Backlog(folder, late_open).take(name) is None
    if change == "removed":
        assert folder.names() == []
    else:
        assert events_of(other, name) == EVENTS[3:]


@pytest.mark.parametrize("done", [0, 1, 4])
def test_what_is_done_is_not_kept(backlog, folder, done):
    """
    The events behind are left, under the same name, for the next one.
    """
    name = put(backlog)

    shelved = backlog.take(name)
    shelved.keep(done)

    assert folder.names() == [name]
    again = backlog.take(name)
    assert [*again.events] == EVENTS[done:]
    assert (again.created_ms, again.min_id_length) == (NOW, 5)
    again.drop()


@pytest.mark.parametrize("done", [5, 6])
def test_nothing_is_kept_where_all_is_done(backlog, folder, done):
    """
    To keep nothing is to drop the file.
    """
    backlog.take(put(backlog)).keep(done)

    assert folder.names() == []


def test_a_killed_predecessor_does_not_keep_one_from_keeping(backlog, folder):
    """
    A half file that was left beside a batch is replaced.
    """
    name = put(backlog)
    plant(folder, b'[{"ha', f"{name}.tmp")

    backlog.take(name).keep(2)

    assert folder.names() == [name]
    assert events_of(backlog, name) == EVENTS[2:]


def test_a_failing_disk_keeps_the_whole_file(backlog, folder, monkeypatch):
    """
    Where the rest cannot be written, all stays as it was and may be taken
    again; the error is told.
    """
    name = put(backlog)
    shelved = backlog.take(name)

    def full(name, chunks):
        raise OSError(errno.ENOSPC, "No space left")

    with monkeypatch.context() as patch:
        patch.setattr(folder, "write", full)
        with pytest.raises(OSError, match="space"):
            shelved.keep(2)

    assert events_of(backlog, name) == EVENTS


def test_a_full_disk_is_told_and_leaves_no_half_batch(tiny):
    """
    What was put before stays and can be sent; then there is room again.
    """
    backlog = Backlog(tiny)
    event = b'{"x":"' + b"x" * 9000 + b'"}'
    names = []
    with pytest.raises(OSError, match="No space") as caught:
        names.extend(put(backlog, [event]) for _ in range(20))

    assert caught.value.errno == errno.ENOSPC
    # Those that were put before the disk was full: each is whole.
    left = backlog.names()
    assert tiny.names() == sorted(left)
    assert [events_of(backlog, name) for name in left] == [[event]] * len(left)
    assert len(left) >= 4
    backlog.take(left[0]).drop()
    assert put(backlog, [event]) in backlog.names()


def used(folder):
    """
    Add up the sizes of all that is in a folder.
    """
    return sum(map(folder.size, folder.names()))


def test_the_oldest_are_trimmed(backlog, folder):
    """
    As many as must go, oldest first, each told with the number of its
    events.
    """
    names = [put(backlog, now_ms=NOW + n) for n in range(10)]
    size = folder.size(names[0])

    assert backlog.trim(10 * size) == []
    assert backlog.trim(8 * size - 1) == [(name, 5) for name in names[:3]]
    assert backlog.names() == names[3:]
    assert used(folder) == 7 * size


def test_what_is_being_sent_or_held_is_not_trimmed(backlog, folder):
    """
    Another's lease and another's memory are respected; the next oldest go.
    """
    held = put(backlog, now_ms=1, held=True)
    sent, old, new = (put(backlog, now_ms=NOW + n) for n in range(3))
    shelved = backlog.take(sent)

    assert backlog.trim(0) == [(old, 5), (new, 5)]
    assert folder.names() == [held, sent]
    shelved.close()
    assert backlog.trim(0) == [(sent, 5)]


def test_what_was_set_aside_is_trimmed_first(backlog, folder):
    """
    Nobody can send it, so it goes before any batch, and is not told again.
    What is found to be no batch only now goes as the oldest, with no events.
    """
    plant(folder, b"x" * 1000)
    with pytest.raises(SpoolError):
        backlog.take(NAME)
    worse = f"{NOW - 1}-{RING}-8-5.json"
    plant(folder, b"y" * 1000, worse)
    name = put(backlog)

    assert backlog.trim(folder.size(name) + 1000) == []
    assert f"{NAME}.bad" not in folder.names()
    assert backlog.trim(folder.size(name)) == [(worse, 0)]
    assert folder.names() == [name]


def test_what_cannot_be_removed_does_not_stop_the_trimming(backlog, folder):
    """
    A directory among the files takes no room and keeps no file.
    """
    at(folder, NAME).mkdir()
    at(folder, "other.bad").mkdir()
    name = put(backlog, now_ms=NOW + 1)

    assert backlog.trim(1) == [(name, 5)]


def test_a_failing_file_does_not_stop_the_trimming(folder):
    """
    One that cannot be opened now is left; what was removed is told.
    """

    def failing(directory, name):
        if name == names[1]:
            raise OSError(errno.EIO, "Input/output error")
        return Lease.open(directory, name)

    backlog = Backlog(folder, failing)
    names = [put(backlog) for _ in range(3)]

    assert backlog.trim(0) == [(names[0], 5), (names[2], 5)]
    assert folder.names() == [names[1]]


def test_what_killed_writers_left_is_swept(backlog, folder):
    """
    Half files older than a minute, and nothing else.
    """
    put(backlog)
    ages = {"old": -61, "new": -59, "future": 61, "soon": 59}
    now_ms = time.time_ns() // 1_000_000
    for name, age in ages.items():
        path = plant(folder, b"[", f"{name}.json.tmp")
        os.utime(path, (now_ms / 1000 + age,) * 2)
    at(folder, "directory.tmp").mkdir()
    os.utime(at(folder, "directory.tmp"), (0, 0))
    before = folder.names()

    assert backlog.sweep(now_ms) == ["future.json.tmp", "old.json.tmp"]
    assert set(before) - set(folder.names()) == {
        "future.json.tmp",
        "old.json.tmp",
    }


def test_ten_thousand_files_are_fine(backlog, folder):
    """
    Listing them, taking the oldest and trimming half is a matter of moments.
    """
    for number in range(10_000):
        plant(folder, b'[{"n":1}]', f"{NOW + number}-{RING}-{number}-5.json")

    started = time.monotonic()
    names = backlog.names()
    backlog.take(names[0]).drop()
    trimmed = backlog.trim(5000 * len(b'[{"n":1}]'))

    assert time.monotonic() - started < 10
    assert len(names) == 10_000
    assert [name for name, _ in trimmed] == names[1:5000]
