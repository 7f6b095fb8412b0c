# SPDX-License-Identifier: MIT
"""
Batches out of the backlog, and back.
"""

from __future__ import annotations

import logging
from itertools import count

import pytest
from shelves import EVENTS, NOW, at, events_of, plant, put

from ringamp.buffer import backlog as backlog_module
from ringamp.buffer import backlog_outlet
from ringamp.buffer.backlog_outlet import BacklogOutlet
from ringamp.buffer.shelved import Label

HEAD, TAIL = b'{"events":[', b"]}"


@pytest.fixture
def outlet(backlog):
    """
    What comes out of the backlog.
    """
    return BacklogOutlet(backlog)


def fill(outlet, **limits):
    """
    Take a batch.
    """
    usual = {"max_count": 100, "max_bytes": 10_000}
    return outlet.fill(HEAD, TAIL, **{**usual, **limits})


def look_and_fill(outlet, **limits):
    """
    Look, then take a batch.
    """
    return fill(outlet, **limits) if outlet.look() else None


def end(batch):
    """
    Let all of a batch have its end.
    """
    batch.loosen(range(len(batch)))


def bytes_of(batch):
    """
    Return the events of a batch, as bytes.
    """
    return [batch.event_bytes(index) for index in range(len(batch))]


def test_an_empty_backlog_has_nothing(outlet):
    """
    A look says so, and nothing comes out.
    """
    assert not outlet.look()
    assert fill(outlet) is None
    assert outlet.taken == 0


def test_without_a_look_nothing_comes_out(backlog, outlet):
    """
    What is on disk is known by looking.
    """
    put(backlog)

    assert fill(outlet) is None


def test_a_file_comes_out_as_a_body(backlog, outlet):
    """
    Its events between head and tail, byte for byte; when they have their
    ends the file is gone.
    """
    put(backlog, min_id_length=7)

    batch = look_and_fill(outlet)

    assert bytes(batch.body) == HEAD + b",".join(EVENTS) + TAIL
    assert batch.events()[3] == {"n": 3}
    assert outlet.taken == len(EVENTS)
    assert (outlet.created_ms, outlet.min_id_length) == (NOW, 7)
    assert len(backlog.names()) == 1
    end(batch)
    assert backlog.names() == []
    assert not outlet.look()


def test_files_come_out_oldest_first(backlog, outlet):
    """
    One at a time.
    """
    for age in (2, 3, 1):
        put(backlog, EVENTS[:age], now_ms=NOW - age)

    sizes = []
    while (batch := look_and_fill(outlet)) is not None:
        sizes.append(len(batch))
        end(batch)

    assert sizes == [3, 2, 1]


def test_a_large_file_comes_out_in_runs(backlog, outlet):
    """
    One run at a time: the next when all of the last have their ends.
    """
    put(backlog)
    outlet.look()

    first = fill(outlet, max_count=2)
    assert bytes_of(first) == EVENTS[:2]
    assert fill(outlet) is None
    first.loosen([0])
    assert fill(outlet) is None
    first.loosen([1])
    second = fill(outlet, max_count=2)
    end(second)
    third = fill(outlet, max_count=2)

    assert bytes_of(second) == EVENTS[2:4]
    assert bytes_of(third) == EVENTS[4:]
    assert len(backlog.names()) == 1
    end(third)
    assert backlog.names() == []


def test_a_run_keeps_to_the_limit_of_bytes(backlog, outlet):
    """
    With commas, head and tail; one event alone comes out whatever its size.
    """
    put(backlog)
    outlet.look()
    most = len(HEAD) + len(TAIL) + 2 * (len(EVENTS[0]) + 1)

    two = fill(outlet, max_bytes=most)
    assert len(two) == 2
    assert len(two.body) <= most
    end(two)
    one = fill(outlet, max_bytes=most - 1)
    assert len(one) == 1
    end(one)

    assert len(fill(outlet, max_bytes=1)) == 1


def test_tiles_are_the_places_in_the_file(backlog, outlet):
    """
    They grow from run to run, so that what was logged first stays first.
    """
    put(backlog)
    outlet.look()
    first = fill(outlet, max_count=3)
    end(first)

    second = fill(outlet)

    assert [tile.start for tile in first.tiles] == [0, 1, 2]
    assert [tile.start for tile in second.tiles] == [3, 4]


def test_the_limit_on_ids_is_known_before_anything_comes_out(backlog, outlet):
    """
    The body's tail has to say it.
    """
    put(backlog, min_id_length=9)
    outlet.look()

    assert outlet.peek() == 9
    assert len(fill(outlet)) == len(EVENTS)


def test_what_is_leased_is_nobody_elses(backlog, outlet):
    """
    Of two processes one has a file; the other goes past it.
    """
    put(backlog)
    other = BacklogOutlet(backlog)
    batch = look_and_fill(outlet)

    assert look_and_fill(other) is None
    end(batch)
    assert not other.look()


def test_what_failed_is_put_back_and_rests(backlog, outlet):
    """
    Others are tried before it; it comes out again when nothing else does.
    """
    put(backlog, EVENTS[:3], now_ms=NOW - 1)
    put(backlog, EVENTS[3:], now_ms=NOW)
    failed = look_and_fill(outlet)

    outlet.put_back(3)
    end(failed)
    assert outlet.taken == 0
    second = look_and_fill(outlet)
    assert bytes_of(second) == EVENTS[3:]
    end(second)

    assert not outlet.look()
    assert bytes_of(look_and_fill(outlet)) == EVENTS[:3]


def test_what_had_its_end_before_is_not_sent_again(backlog, outlet):
    """
    A file is shortened by the runs that were done.
    """
    put(backlog)
    outlet.look()
    end(fill(outlet, max_count=2))
    failed = fill(outlet, max_count=2)

    outlet.put_back(2)
    end(failed)

    assert outlet.taken == 2
    (name,) = backlog.names()
    assert events_of(backlog, name) == EVENTS[2:]


def test_a_close_puts_back_what_is_open(backlog, outlet):
    """
    Less what has its end; another process may have it at once.
    """
    put(backlog)
    outlet.look()
    end(fill(outlet, max_count=1))
    fill(outlet, max_count=2)

    outlet.close()
    outlet.close()

    assert bytes_of(look_and_fill(BacklogOutlet(backlog))) == EVENTS[1:]


def test_a_file_that_is_no_batch_is_passed_over(backlog, outlet, folder):
    """
    It is put aside, counted and told; the next one comes out.
    """
    plant(folder, b"[{", f"{NOW - 1:013d}-{'a' * 26}-0-5.json")
    put(backlog)

    batch = look_and_fill(outlet)

    assert bytes_of(batch) == EVENTS
    assert outlet.quarantined == 1
    assert at(folder, f"{NOW - 1:013d}-{'a' * 26}-0-5.json.bad").exists()


def test_a_file_that_goes_meanwhile_is_passed_over(backlog, outlet):
    """
    Another process was faster.
    """
    first = put(backlog, EVENTS[:2], now_ms=NOW - 1)
    put(backlog, EVENTS[2:])
    outlet.look()
    backlog.drop(first)

    assert bytes_of(fill(outlet)) == EVENTS[2:]


def test_an_empty_place_for_what_is_put_anew(backlog, outlet, monkeypatch):
    """
    Where nothing is out, or the disk is full, nothing is put, and it says
    so.
    """
    put(backlog)
    batch = look_and_fill(outlet)

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backlog, "put", fail)
    assert not outlet.put_anew(batch, [0])
    monkeypatch.undo()
    end(batch)
    assert not outlet.put_anew(batch, [0])
    assert backlog.names() == []


def test_a_disk_that_refuses_costs_no_event(
    backlog, outlet, folder, monkeypatch, caplog
):
    """
    A file that cannot be removed is told, and sent again later.
    """

    def fail(_):
        raise OSError(30, "Read-only file system")

    put(backlog)
    batch = look_and_fill(outlet)
    monkeypatch.setattr(folder, "unlink", fail)
    with caplog.at_level(logging.ERROR, "ringamp"):
        end(batch)
    monkeypatch.undo()

    assert "its events will be sent again" in caplog.text
    assert bytes_of(look_and_fill(outlet)) == EVENTS


def test_not_more_is_remembered_than_there_may_be(
    backlog, outlet, monkeypatch
):
    """
    Too many files that rest are forgotten, and tried again.
    """
    monkeypatch.setattr(backlog_outlet, "RESTING_MAX", 2)
    for number in range(4):
        put(backlog, [b'{"n":%d}' % number], now_ms=NOW + number)

    for _ in range(4):
        batch = look_and_fill(outlet)
        outlet.put_back(1)
        end(batch)

    assert len(outlet._resting) == 2
    assert len(backlog.names()) == 4


def test_what_waits_anew_does_not_take_the_place_of_where_it_was(
    backlog, monkeypatch
):
    """
    An event that is put into a file of its own is there when the rest of its
    old file has its ends, also where this process has come to the number
    that the old file has.
    """
    name = put(backlog)
    number = Label.read(name).number
    monkeypatch.setattr(backlog_module, "_counter", count(number))
    outlet = BacklogOutlet(backlog)
    assert outlet.look()
    batch = outlet.fill(b"[", b"]", max_count=100, max_bytes=10_000)

    assert outlet.put_anew(batch, [1])
    batch.loosen(range(len(EVENTS)))

    (left,) = backlog.names()
    assert left != name
    assert Label.read(left).created_ms == Label.read(name).created_ms
    assert events_of(backlog, left) == [EVENTS[1]]


def test_what_is_out_when_it_closes_was_not_taken(backlog, outlet):
    """
    Of a run of which a part has its end, only that part was.
    """
    put(backlog)
    batch = look_and_fill(outlet)
    batch.loosen([0, 1])

    outlet.close()

    assert outlet.taken == 2
    assert len(backlog.names()) == 1
