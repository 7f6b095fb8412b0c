# SPDX-License-Identifier: MIT
"""
Files that are no rings of ours: put aside with the reason, as they were, and
nothing of them sent.
"""

from __future__ import annotations

import os

import pytest
from shelves import STRANGER, as_root
from wreckage import (
    CAPACITY_AT,
    CRC_AT,
    FREE_AT,
    HEAD_AT,
    MAGIC_AT,
    OTHER_PROJECT,
    TAIL_AT,
    VERSION_AT,
    bytes_of,
    event,
    leave,
    make_ring,
    names,
    number,
    path_of,
    seal,
    take,
    write_at,
)

from ringamp.bindings import CAPACITY_MAX, CAPACITY_MIN, HEADER_SIZE
from ringamp.buffer.adoption import readopt
from ringamp.buffer.lease import CONSUMER, PRODUCER
from ringamp.errors import SpoolError

SIZE = HEADER_SIZE + CAPACITY_MIN


TAMPERED = {
    "another magic": (MAGIC_AT, b"RINGAMP2", "it is no ring"),
    "the other byte order": (MAGIC_AT, b"1PMAGNIR", "it is no ring"),
    "a later version": (VERSION_AT, number(2, 4), "it is of another version"),
    "a bit of the header": (100, b"\1", "the checksum of its header is wrong"),
    "another capacity": (CAPACITY_AT, number(1 << 17), "the checksum of its"),
    "another checksum": (CRC_AT, b"none", "the checksum of its header is"),
    "free behind head": (FREE_AT, number(8), "its positions contradict"),
    "head behind tail": (HEAD_AT, number(1 << 30), "its positions contradict"),
    "an odd head": (HEAD_AT, number(4), "its positions contradict"),
    "tail in another lap": (TAIL_AT, number(1 << 20), "its positions contra"),
    "tail at the end": (TAIL_AT, number(2**64 - 8), "its positions contra"),
}
"""Where, what is written there, and how it is told."""


@pytest.mark.parametrize("name", TAMPERED)
def test_a_header_that_was_changed(spool, ring_id, name):
    """
    It is put aside, told in words, and not changed by us.
    """
    at, data, words = TAMPERED[name]
    path = path_of(spool, ring_id)
    write_at(path, at, data)
    content = path.read_bytes()

    with pytest.raises(SpoolError, match=f"{path}: {words}"):
        take(spool, ring_id)

    assert names(spool) == [".bad"]
    assert path_of(spool, ring_id, ".bad").read_bytes() == content
    assert take(spool, ring_id) is None


SEALED = {
    "project": ({"project": OTHER_PROJECT}, "it is of another project"),
    "flags": ({"flags": 2}, "it is of another version"),
    "min_id_length": ({"min_id_length": 1025}, "its min_id_length is 1025;"),
}
"""Headers that somebody sealed who can compute checksums."""


@pytest.mark.parametrize("name", SEALED)
def test_a_header_that_was_sealed_by_others(spool, name):
    """
    The right checksum does not make it ours.
    """
    how, words = SEALED[name]
    ring_id = leave(spool, [event()], lambda one: seal(spool, one, **how))

    with pytest.raises(SpoolError, match=words):
        take(spool, ring_id)

    assert names(spool) == [".bad"]


def test_the_largest_limit_on_ids_that_there_is(spool):
    """
    The option's own largest value is none too many.
    """
    ring_id = leave(
        spool, [event()], lambda one: seal(spool, one, min_id_length=1024)
    )

    orphan = take(spool, ring_id)

    assert orphan.min_id_length == 1024
    orphan.close(is_done=True)


SIZES = [
    (0, "has 0 bytes"),
    (1, "has 1 bytes"),
    (HEADER_SIZE, "has 8192 bytes"),
    (SIZE - 1, "has 73727 bytes"),
    (SIZE + 1, "its size is not what its header says"),
    (2 * SIZE, "its size is not what its header says"),
    (HEADER_SIZE + CAPACITY_MAX, "its size is not what its header says"),
    (HEADER_SIZE + CAPACITY_MAX + 1, "are allowed"),
    (1 << 42, "are allowed"),
]


@pytest.mark.parametrize(("size", "words"), SIZES)
def test_a_file_of_another_size(spool, ring_id, size, words):
    """
    Cut short, or made longer with a hole of up to terabytes: it is told by
    what the system says of it, and not read.
    """
    os.truncate(path_of(spool, ring_id), size)

    with pytest.raises(SpoolError, match=words):
        take(spool, ring_id)

    assert names(spool) == [".bad"]


def test_a_fifo_does_not_block(spool, ring_id):
    """
    It is put aside like anything else that is no file.
    """
    path_of(spool, ring_id).unlink()
    os.mkfifo(path_of(spool, ring_id))

    with pytest.raises(SpoolError, match="is no regular file of this user"):
        take(spool, ring_id)

    assert names(spool) == [".bad"]


@pytest.mark.parametrize("kind", ["link", "dangling", "directory"])
def test_what_cannot_be_opened_stays(spool, ring_id, tmp_path, kind):
    """
    A link is not followed, not even to a sound ring.
    """
    path = path_of(spool, ring_id)
    if kind == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "dangling":
        path.unlink()
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.unlink()
        path.mkdir()

    assert take(spool, ring_id) is None
    assert names(spool) == [".ring"]
    assert not (tmp_path / "nowhere").exists()


@as_root
def test_another_users_file(spool, ring_id):
    """
    Root could read it, and does not.
    """
    os.chown(path_of(spool, ring_id), STRANGER, STRANGER)

    with pytest.raises(SpoolError, match="is no regular file of this user"):
        take(spool, ring_id)


def test_a_living_ring_that_is_none_of_ours_stays(spool):
    """
    It may be of a later version, which another process can read; its
    consumer's lock is free for that one.
    """
    file, _ = make_ring(spool, is_consumed=False)
    bytes_of(file.region)[VERSION_AT] = 2

    with pytest.raises(SpoolError, match="another version"):
        take(spool, file.ring_id, live=True)

    assert names(spool) == [".ring"]
    lease = spool.open_ring(file.ring_id)
    assert lease.take(CONSUMER)
    assert not lease.take(PRODUCER)
    lease.close()
    file.close(is_done=True)


def test_a_ring_that_breaks_before_its_producer_dies(spool):
    """
    It was sound when a relay began to send from it. It is put aside, as any
    broken one, and its locks are free.
    """
    file, ring = make_ring(spool, is_consumed=False)
    ring.push_event(event())
    live = take(spool, file.ring_id, live=True)
    path = path_of(spool, file.ring_id)
    write_at(path, MAGIC_AT, b"scribble")
    file.close(is_done=False)
    assert live.is_orphaned()

    with pytest.raises(SpoolError, match="it is no ring"):
        readopt(spool, live, b"lib/1")

    assert names(spool) == [".bad"]


def test_what_cannot_be_put_aside_is_told_all_the_same(spool, ring_id):
    """
    Where a directory has the name that the file would get.
    """
    path_of(spool, ring_id, ".bad").mkdir()
    write_at(path_of(spool, ring_id), MAGIC_AT, b"scribble")

    with pytest.raises(SpoolError, match="it is no ring"):
        take(spool, ring_id)

    assert names(spool) == [".bad", ".ring"]
