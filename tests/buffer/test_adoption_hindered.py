# SPDX-License-Identifier: MIT
"""
Rings that cannot be taken over at this moment, or that change at it.
"""

from __future__ import annotations

import os

import pytest
from wreckage import (
    CAPACITY_AT,
    TAIL_AT,
    bytes_of,
    make_ring,
    names,
    number,
    path_of,
    take,
    write_at,
)

from ringamp.buffer import adoption
from ringamp.errors import NativeError, SpoolError


def test_a_file_that_is_cut_short_while_it_is_read(
    spool, ring_id, monkeypatch
):
    """
    It is refused as any that is too short; there is no SIGBUS in a read.
    """
    read = os.preadv

    def cut(fd, buffers, at):
        os.truncate(path_of(spool, ring_id), 5000)
        return read(fd, buffers, at)

    monkeypatch.setattr(adoption.os, "preadv", cut)

    with pytest.raises(SpoolError, match="was cut short"):
        take(spool, ring_id)

    assert names(spool) == [".bad"]


def test_a_header_that_is_cut_off_while_it_is_read(
    spool, ring_id, monkeypatch
):
    """
    Between the look at its size and the read.
    """
    monkeypatch.setattr(adoption.os, "pread", lambda *_: b"")

    with pytest.raises(SpoolError, match="was cut short"):
        take(spool, ring_id)


CHANGING = {
    "capacity": (CAPACITY_AT, number(1 << 30), "the checksum of its header"),
    "tail": (TAIL_AT, number(1 << 40), "its positions contradict"),
}


@pytest.mark.parametrize("name", CHANGING)
def test_a_header_that_changes_while_it_is_read(
    spool, ring_id, monkeypatch, name
):
    """
    What was read is checked, and not what was looked at before.
    """
    at, data, words = CHANGING[name]
    read = os.preadv

    def change(fd, buffers, position):
        write_at(path_of(spool, ring_id), at, data)
        return read(fd, buffers, position)

    monkeypatch.setattr(adoption.os, "preadv", change)

    with pytest.raises(SpoolError, match=words):
        take(spool, ring_id)


def test_a_file_that_comes_in_small_pieces(spool, ring_id, monkeypatch):
    """
    A system may read less than it was asked for; all of it is read then.
    """
    read = os.preadv
    monkeypatch.setattr(
        adoption.os,
        "preadv",
        lambda fd, buffers, at: read(fd, [buffers[0][:1000]], at),
    )

    orphan = take(spool, ring_id)

    assert orphan.findings.ready == 5
    orphan.close(is_done=True)


def test_a_disk_that_cannot_be_read(spool, ring_id, monkeypatch):
    """
    The ring is as good as before: it stays, and so do its locks.
    """

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(adoption.os, "preadv", fail)
    with pytest.raises(OSError, match="Input/output"):
        take(spool, ring_id)
    monkeypatch.undo()

    assert names(spool) == [".ring"]
    orphan = take(spool, ring_id)
    assert orphan.findings.ready == 5
    orphan.close(is_done=True)


def test_no_memory_for_it(spool, ring_id, monkeypatch):
    """
    It stays for somebody who has.
    """

    def refuse(capacity):
        raise NativeError(f"cannot get {capacity} bytes")

    monkeypatch.setattr(adoption, "PrivateRegion", refuse)
    with pytest.raises(NativeError):
        take(spool, ring_id)
    monkeypatch.undo()

    orphan = take(spool, ring_id)
    assert orphan.findings.ready == 5
    orphan.close(is_done=True)


def test_a_living_ring_whose_capacity_changes_at_the_last_moment(
    spool, monkeypatch
):
    """
    Between the look at its header and the map: nothing is read through a map
    that is smaller than what the ring says.
    """
    file, _ = make_ring(spool, is_consumed=False)
    shared = adoption.SharedRegion

    def change(fd, capacity):
        bytes_of(file.region)[CAPACITY_AT : CAPACITY_AT + 8] = number(1 << 30)
        return shared(fd, capacity)

    monkeypatch.setattr(adoption, "SharedRegion", change)

    with pytest.raises(NativeError, match="cannot be attached"):
        take(spool, file.ring_id, live=True)

    file.close(is_done=True)
