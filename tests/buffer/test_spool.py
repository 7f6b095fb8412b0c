# SPDX-License-Identifier: MIT
"""
The directory of ring files: its layout, the making of rings, their end, and
what is swept.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest
import wreckage
from descriptors import descriptors
from wreckage import (
    OTHER_PROJECT,
    PROJECT,
    drain,
    event,
    fill,
    leave,
    make_ring,
    open_spool,
    path_of,
)

from ringamp.bindings import CAPACITY_MIN, HEADER_SIZE
from ringamp.buffer.lease import CONSUMER, PRODUCER
from ringamp.buffer.region import new_ring_id
from ringamp.buffer.spool import RING, STALE_MS, TEMPORARY, ring_text

NOW = int(time.time() * 1000)

LATER = NOW + 2 * STALE_MS

EVENT = b'{"event_type":"t","user_id":"somebody"}'


def mode(path):
    """
    Return the permissions of a file.
    """
    return stat.S_IMODE(path.stat().st_mode)


def old(path):
    """
    Make a file of two minutes ago; return it.
    """
    path.touch()
    os.utime(path, (NOW / 1000 - 120, NOW / 1000 - 120))
    return path


@pytest.mark.parametrize("mask", [0, 0o077])
def test_the_layout(tmp_path, mask):
    """
    Three directories under the project's hash, for their user alone, and one
    file for a ring, whatever the umask is.
    """
    before = os.umask(mask)
    try:
        spool = open_spool(tmp_path / "a" / "b")
        file, _ = make_ring(spool)
    finally:
        os.umask(before)

    own = tmp_path / "a" / "b" / PROJECT.hex()
    made = [own.parent, own, *own.iterdir()]
    assert {path.name for path in own.iterdir()} == {
        "rings",
        "backlog",
        "dead-letters",
    }
    assert {mode(path) for path in made} == {0o700}
    (ring,) = (path for path in own.rglob("*") if path.is_file())
    assert ring == own / "rings" / f"{file.ring_id}.ring"
    assert mode(ring) == 0o600
    assert ring.stat().st_size == HEADER_SIZE + CAPACITY_MIN
    file.close(is_done=True)
    spool.close()


def test_a_ring_has_all_its_blocks(spool):
    """
    A hole in a mapped file would be a SIGBUS on a full disk.
    """
    file, _ = make_ring(spool, 1 << 20)

    there = path_of(spool, file.ring_id).stat()

    assert there.st_blocks * 512 >= HEADER_SIZE + (1 << 20)
    file.close(is_done=True)


def test_the_header_says_whose_it_is(spool):
    """
    The project, the time, this process and its limit on ids.
    """
    file, _ = make_ring(spool, min_id_length=7, now_ms=123_456)

    header = path_of(spool, file.ring_id).read_bytes()[:HEADER_SIZE]

    assert header[:8] == b"RINGAMP1"
    assert ring_text(header[24:40]) == file.ring_id
    assert header[40:56] == PROJECT
    numbers = [
        int.from_bytes(header[at : at + 4], "little") for at in (64, 68)
    ]
    assert numbers == [os.getpid(), 7]
    assert int.from_bytes(header[56:64], "little") == 123_456
    file.close(is_done=True)


def test_a_ring_is_named_as_its_insert_ids(spool):
    """
    Somebody who looks for the process of an event finds the file.
    """
    file, ring = make_ring(spool)
    ring.push_event(event())

    (taken,) = fill(ring).events()

    assert taken["insert_id"].startswith(f"{file.ring_id}-")
    file.close(is_done=True)


@pytest.mark.parametrize(
    ("is_consumed", "free"), [(True, []), (False, [CONSUMER])]
)
def test_a_ring_is_locked_before_it_is_seen(spool, is_consumed, free):
    """
    Byte 0 while the process lives; byte 1 as well where it sends by itself.
    """
    file, _ = make_ring(spool, is_consumed=is_consumed)

    other = spool.open_ring(file.ring_id)

    had = [byte for byte in (PRODUCER, CONSUMER) if other.take(byte)]
    assert had == free
    other.close()
    file.close(is_done=True)


def test_a_ring_that_is_done_is_gone(spool):
    """
    One that is not stays for others, who can lock it then.
    """
    done, _ = make_ring(spool)
    left, _ = make_ring(spool)

    done.close(is_done=True)
    left.close(is_done=False)

    assert spool.ring_ids() == [left.ring_id]
    lease = spool.open_ring(left.ring_id)
    assert lease.take(PRODUCER)
    assert lease.take(CONSUMER)
    lease.close()


def test_a_ring_whose_file_was_removed_goes_on(spool):
    """
    Somebody empties the directory: what is logged is still sent, and the
    end is quiet.
    """
    file, ring = make_ring(spool)
    ring.push_event(event(1))
    path_of(spool, file.ring_id).unlink()
    ring.push_event(event(2))

    assert wreckage.numbers(drain(ring)) == [1, 2]
    file.close(is_done=True)


def test_projects_do_not_see_each_other(spool, tmp_path):
    """
    Two in one directory: each names its own rings alone.
    """
    other = open_spool(tmp_path / "spool", OTHER_PROJECT)
    mine, theirs = leave(spool, [event()]), leave(other, [event()])

    assert spool.ring_ids() == [mine]
    assert other.ring_ids() == [theirs]
    other.close()


def test_only_rings_are_named(spool):
    """
    Not what is half-made or put aside, nor names that no ring has.
    """
    mine = leave(spool, [event()])
    folder = Path(spool.rings.path)
    for name in (
        f"{'a' * 26}.tmp",
        f"{'a' * 26}.bad",
        f"{'a' * 26}.ring.bak",
        f"{'a' * 25}.ring",
        f"{'A' * 26}.ring",
        f"{'w' * 26}.ring",
        f"{'٣' * 26}.ring",
        f"{'a' * 26}.ring\n",
        ".ring",
        "copy of a.ring",
        os.fsdecode(b"\xff.ring"),
    ):
        (folder / name).touch()

    assert spool.ring_ids() == [mine]


def test_what_cannot_be_opened_is_passed_over(spool):
    """
    A directory, a link, or what has gone: nobody can send from it.
    """
    names = [ring_text(new_ring_id()) for _ in range(3)]
    path_of(spool, names[0]).mkdir()
    path_of(spool, names[1]).symlink_to("/dev/null")

    assert [spool.open_ring(name) for name in names] == [None] * 3


def test_what_is_put_aside_is_not_named_again(spool):
    """
    Its bytes stay, for people; what has gone cannot be put aside.
    """
    mine = leave(spool, [event()])
    content = path_of(spool, mine).read_bytes()

    spool.quarantine(mine)
    spool.quarantine(mine)

    assert spool.ring_ids() == []
    assert path_of(spool, mine, ".bad").read_bytes() == content


def test_half_made_rings_are_swept_when_they_are_old(spool):
    """
    A writer needs a moment; who is older has none any more. A clock that was
    set back makes a file of the future, which is as old.
    """
    folder = Path(spool.rings.path)
    stale = old(folder / f"{'a' * 26}{TEMPORARY}")
    future = old(folder / f"{'b' * 26}{TEMPORARY}")
    os.utime(future, (NOW / 1000 + 3600, NOW / 1000 + 3600))
    fresh = folder / f"{'c' * 26}{TEMPORARY}"
    fresh.touch()
    # The suite may have begun minutes ago.
    os.utime(fresh, (NOW / 1000, NOW / 1000))
    directory = folder / f"d{TEMPORARY}"
    directory.mkdir()
    os.utime(directory, (1, 1))
    ring = old(folder / f"{'e' * 26}{RING}")

    spool.sweep(NOW)

    assert not stale.exists()
    assert not future.exists()
    assert fresh.exists()
    assert directory.exists()
    assert ring.exists()


def test_a_ring_that_is_being_made_is_not_swept(spool):
    """
    However long ago it was made: it has another name by then.
    """
    file, _ = make_ring(spool)

    spool.sweep(LATER)

    assert spool.ring_ids() == [file.ring_id]
    file.close(is_done=True)


def test_what_the_dead_held_is_anybodys(spool):
    """
    Where there is no ring of that name any more; what has one is left to
    whoever adopts that ring.
    """
    living, _ = make_ring(spool)
    held = {
        owner: spool.backlog.put(
            [EVENT], now_ms=NOW, owner=owner, min_id_length=5, held=True
        )
        for owner in (living.ring_id, ring_text(new_ring_id()))
    }

    spool.sweep(NOW)

    assert spool.backlog.held() == [(held[living.ring_id], living.ring_id)]
    (freed,) = spool.backlog.names()
    assert freed.split("-")[1] != living.ring_id
    living.close(is_done=True)


def test_one_thing_that_cannot_be_swept_keeps_nothing_else(spool):
    """
    A directory in the place of a file that is to be freed: the others are
    freed all the same, and no error comes of it.
    """
    blocked, other = (
        spool.backlog.put(
            [EVENT],
            now_ms=NOW,
            owner=ring_text(new_ring_id()),
            min_id_length=5,
            held=True,
        )
        for _ in range(2)
    )
    folder = Path(spool.rings.path).parent / "backlog"
    (folder / blocked.replace(".held", ".json")).mkdir()
    (folder / blocked.replace(".held", ".json") / "x").touch()

    spool.sweep(NOW)

    assert other.replace(".held", ".json") in spool.backlog.names()


def test_the_backlog_gets_three_quarters(tmp_path):
    """
    Of what the option allows; a quarter is for dead letters.
    """
    spool = open_spool(tmp_path, max_bytes=4000)

    assert spool.backlog_bytes == 3000
    with pytest.raises(OSError, match="1000 are allowed"):
        spool.dead_letters.put(
            [EVENT * 50],
            now_ms=NOW,
            reason="",
            status="invalid",
            status_code=400,
        )
    spool.close()


def test_a_closed_spool_holds_nothing_open(tmp_path):
    """
    And closing it twice does no harm.
    """
    before = descriptors()
    spool = open_spool(tmp_path)
    assert descriptors() > before

    spool.close()
    spool.close()

    assert descriptors() == before
