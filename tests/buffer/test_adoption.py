# SPDX-License-Identifier: MIT
"""
Rings of dead processes, taken over: who gets them, what comes out of them,
and what stays in the file.
"""

from __future__ import annotations

import os
import struct

from forking import fork
from wreckage import (
    FREE_AT,
    HEAD_AT,
    OTHER_PROJECT,
    TAIL_AT,
    bytes_of,
    drain,
    event,
    fill,
    leave,
    make_ring,
    names,
    numbers,
    open_spool,
    path_of,
    read_number,
    some,
    take,
    write_at,
)

from ringamp.bindings import CAPACITY_MIN, HEADER_SIZE
from ringamp.buffer.adoption import (
    Findings,
    OrphanOutlet,
)
from ringamp.buffer.lease import CONSUMER, PRODUCER
from ringamp.buffer.region import new_ring_id
from ringamp.buffer.spool import ring_text

WORD = 24
"""Bytes of a record's header."""


def places(path):
    """
    Return where each record of a ring's first lap is in its file.
    """
    content, at, found = path.read_bytes(), HEADER_SIZE, []
    while content[at] != 0:
        found.append(at)
        length = struct.unpack_from("<I", content, at + 8)[0]
        at += (WORD + length + 7) & ~7
    return found


def test_what_a_dead_process_logged_comes_out(spool):
    """
    All of it, in order, with the times and the insert_ids it would have had.
    """
    file, ring = make_ring(spool, min_id_length=7)
    for one in some(5):
        ring.push_event(one)
    sent = fill(ring).events()[:]
    file.close(is_done=False)

    orphan = take(spool, file.ring_id)

    assert isinstance(orphan, OrphanOutlet)
    assert orphan.ring_id == file.ring_id
    assert orphan.min_id_length == 7
    oldest = sent[0]["time"]
    assert orphan.findings == Findings(5, 0, 0, 0, oldest)
    recovered = fill(orphan).events()[:]
    assert [{**one, "library": 0} for one in recovered] == [
        {**one, "library": 0} for one in sent
    ]
    assert {one["library"] for one in recovered} == {"lib/1"}
    orphan.close(is_done=True)


def test_the_file_stays_until_all_has_its_end(spool):
    """
    And is removed while both locks are held.
    """
    ring_id = leave(spool, some(3))
    orphan = take(spool, ring_id)
    drain(orphan)
    assert orphan.used == 0
    assert names(spool) == [".ring"]

    orphan.close(is_done=True)

    assert names(spool) == []
    assert take(spool, ring_id) is None


def test_the_next_goes_on_where_the_last_stopped(spool):
    """
    What has its end is noted in the file: the next adopter, or the one after
    a crash of this, does not send it again.
    """
    ring_id = leave(spool, some(10))
    first = take(spool, ring_id)
    batch = fill(first, max_count=4)
    unnoted = fill(first, max_count=3)
    first.release(batch.end)
    first.close(is_done=False)

    second = take(spool, ring_id)

    assert read_number(path_of(spool, ring_id), HEAD_AT) == batch.end
    assert second.findings.ready == 6
    assert numbers(drain(second)) == list(range(4, 10))
    assert numbers(unnoted.events()) == [4, 5, 6]
    second.close(is_done=True)


def test_an_orphan_is_had_by_one(spool):
    """
    Of two adopters one gives up, without an error, and may have it later.
    """
    ring_id = leave(spool, some(3))
    first = take(spool, ring_id)

    assert take(spool, ring_id) is None
    assert take(spool, ring_id, live=True) is None

    first.close(is_done=False)
    second = take(spool, ring_id)
    assert numbers(drain(second)) == [0, 1, 2]
    second.close(is_done=True)


def test_a_dead_ring_is_not_read_where_that_is_not_wanted(spool):
    """
    Who has no memory for it leaves it to others.
    """
    ring_id = leave(spool, some(1))

    assert take(spool, ring_id, live=True, dead=False) is None

    orphan = take(spool, ring_id)
    assert orphan.findings.ready == 1
    orphan.close(is_done=False)


def test_what_the_last_sender_held_is_anybodys(spool):
    """
    Its memory has gone, so the files that stand for it may be sent.
    """
    ring_id = leave(spool, some(1))
    held = spool.backlog.put(
        [b'{"event_type":"t"}'],
        now_ms=1,
        owner=ring_id,
        min_id_length=5,
        held=True,
    )

    orphan = take(spool, ring_id)

    assert spool.backlog.names() == [held.replace(".held", ".json")]
    orphan.close(is_done=False)


def test_what_was_half_made_is_told_and_not_sent(spool):
    """
    A record that was being written, a hole, and one whose bytes changed;
    all around them comes out.
    """
    ring_id = leave(spool, some(7))
    path = path_of(spool, ring_id)
    at = places(path)
    assert len(at) == 7
    word = read_number(path, at[1])
    write_at(path, at[1], struct.pack("<Q", word & ~0xFFFF | 1))
    write_at(path, at[3], bytes(at[4] - at[3]))
    write_at(path, at[5] + WORD + 5, b"\0")

    orphan = take(spool, ring_id)

    assert orphan.findings[:4] == (4, 1, 1, 1)
    assert numbers(drain(orphan)) == [0, 2, 4, 6]
    assert orphan.used == 0
    orphan.close(is_done=True)


def test_an_empty_ring_is_done_at_once(spool):
    """
    A process that had sent everything and was killed leaves one.
    """
    file, ring = make_ring(spool)
    ring.push_event(event())
    drain(ring)
    file.close(is_done=False)

    orphan = take(spool, file.ring_id)

    assert orphan.findings == Findings(0, 0, 0, 0, 0)
    assert orphan.used == 0
    assert fill(orphan) is None
    orphan.close(is_done=True)
    assert names(spool) == []


def test_a_ring_that_has_wrapped(spool):
    """
    Its records lie around the end of the file; all come out, in order.
    """
    file, ring = make_ring(spool)
    pushed = 0
    while ring.tail < 3 * CAPACITY_MIN:
        if ring.push_event(event(pushed)) < 0:
            ring.release(fill(ring, max_count=100).end)
            continue
        pushed += 1
    file.close(is_done=False)

    orphan = take(spool, file.ring_id)

    found = numbers(drain(orphan))
    assert found == list(range(pushed - len(found), pushed))
    assert len(found) > 300
    orphan.close(is_done=True)


def test_what_happens_to_the_file_meanwhile_changes_nothing(spool):
    """
    A dead ring is sent from memory of this process: the file may be written
    over, cut short or removed.
    """
    ring_id = leave(spool, some(5))
    path = path_of(spool, ring_id)
    orphan = take(spool, ring_id)

    write_at(path, 0, os.urandom(HEADER_SIZE + CAPACITY_MIN))
    first = fill(orphan, max_count=2)
    orphan.release(first.end)
    os.truncate(path, 0)
    second = fill(orphan, max_count=2)
    orphan.release(second.end)
    path.unlink()
    third = fill(orphan, max_count=2)
    orphan.release(third.end)

    events = [one for each in (first, second, third) for one in each.events()]
    assert numbers(events) == list(range(5))
    assert orphan.used == 0
    orphan.close(is_done=True)


def test_a_child_gets_nothing_out_of_an_orphan(spool):
    """
    It is its parent's, who goes on with it, and whose lock it has not.
    """
    ring_id = leave(spool, some(3))
    orphan = take(spool, ring_id)
    pid = fork()
    if pid == 0:
        code = 1
        try:
            orphan.release(10**6)
            nothing = fill(orphan) is None
            orphan.close(is_done=False)
            code = 0 if nothing else 2
        finally:
            os._exit(code)

    assert os.waitpid(pid, 0)[1] == 0
    assert take(spool, ring_id) is None
    assert numbers(drain(orphan)) == [0, 1, 2]
    orphan.close(is_done=True)


def test_what_has_gone_is_nobodys(spool):
    """
    Before it was opened, and after.
    """
    assert take(spool, ring_text(new_ring_id())) is None

    ring_id = leave(spool, some(1))
    lease = spool.open_ring(ring_id)
    path_of(spool, ring_id).unlink()
    assert not spool.rings.holds(lease.name, lease.fd)
    lease.close()


def test_another_ring_of_the_same_name_is_not_mistaken(spool, monkeypatch):
    """
    The name leads to another file than the one that was opened: the file
    that was removed in between is not sent from.
    """
    ring_id, other = leave(spool, some(3)), leave(spool, some(1))
    open_ring = spool.open_ring

    def late(name):
        lease = open_ring(name)
        path_of(spool, other).rename(path_of(spool, ring_id))
        return lease

    monkeypatch.setattr(spool, "open_ring", late)
    assert take(spool, ring_id) is None

    monkeypatch.undo()
    orphan = take(spool, ring_id)
    assert orphan.findings.ready == 1
    orphan.close(is_done=True)


def test_of_two_projects_each_adopts_its_own(spool, tmp_path):
    """
    A ring that is copied into the other's directory is put aside there.
    """
    other = open_spool(tmp_path / "spool", OTHER_PROJECT)
    ring_id = leave(other, some(3))
    copy = ring_text(new_ring_id())
    path_of(spool, copy).write_bytes(path_of(other, ring_id).read_bytes())

    orphan = take(other, ring_id)

    assert numbers(drain(orphan)) == [0, 1, 2]
    orphan.close(is_done=True)
    assert names(spool) == [".ring"]
    other.close()


def test_positions_of_later_laps_are_as_good(spool):
    """
    Rings that were pushed into for years have large positions.
    """
    start = (1 << 40) + CAPACITY_MIN // 2

    def move(region):
        memory = bytes_of(region)
        for at in (TAIL_AT, FREE_AT, HEAD_AT):
            memory[at : at + 8] = struct.pack("<Q", start)

    ring_id = leave(spool, [], move)

    orphan = take(spool, ring_id)

    assert (orphan.tail, orphan.used) == (start, 0)
    orphan.close(is_done=True)


def test_the_locks_are_free_again(spool):
    """
    Whatever came of an adoption, another process may try.
    """
    ring_id = leave(spool, some(1))
    path = path_of(spool, ring_id)
    take(spool, ring_id).close(is_done=False)
    take(spool, ring_id, dead=False)

    lease = spool.open_ring(ring_id)

    assert path.exists()
    assert lease.take(PRODUCER)
    assert lease.take(CONSUMER)
    lease.close()
