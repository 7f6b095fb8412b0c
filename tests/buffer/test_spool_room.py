# SPDX-License-Identifier: MIT
"""
Where there is no spool to be had: full disks, foreign directories, disks of
other machines.
"""

from __future__ import annotations

import os
import resource
import subprocess

import pytest
from descriptors import descriptors
from wreckage import (
    PROJECT,
    event,
    leave,
    make_ring,
    open_spool,
)

from ringamp.bindings import CAPACITY_MIN, HEADER_SIZE
from ringamp.buffer import spool as spool_module
from ringamp.errors import SpoolError


def test_a_ring_takes_a_part_of_the_room(spool, monkeypatch):
    """
    So that the first of several workers leaves some to the others: a
    quarter, and where that is too little for what was asked, a smaller ring.
    """
    monkeypatch.setattr(
        spool.rings, "free_bytes", lambda: 4 * (HEADER_SIZE + (1 << 18)) + 8
    )
    fitting, _ = make_ring(spool, 1 << 18)
    smaller, _ = make_ring(spool, 1 << 30)
    monkeypatch.setattr(
        spool.rings, "free_bytes", lambda: 4 * (HEADER_SIZE + (1 << 18)) - 8
    )
    smallest, _ = make_ring(spool, 1 << 18)

    rings = [fitting, smaller, smallest]
    assert [one.region.capacity for one in rings] == [
        1 << 18,
        1 << 18,
        1 << 17,
    ]
    for one in rings:
        one.close(is_done=True)


def test_where_there_is_no_room_for_the_smallest_ring(spool, monkeypatch):
    """
    It says how much there is and how much is needed, and makes nothing.
    """
    monkeypatch.setattr(spool.rings, "free_bytes", lambda: 200_000)

    with pytest.raises(SpoolError, match="has 200000 bytes left; 294912 are"):
        make_ring(spool)

    assert spool.rings.names() == []


def test_a_disk_that_fills_meanwhile(spool):
    """
    What could not be allocated leaves neither a file nor a descriptor.
    """
    before = descriptors()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CAPACITY_MIN, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            make_ring(spool)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert spool.rings.names() == []
    assert descriptors() == before


def test_a_real_disk_that_is_full(tmp_path):
    """
    On a file system of half a megabyte there is room for the smallest ring,
    then for none.
    """
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "x", tmp_path]
    if os.geteuid() or subprocess.run(command, check=False).returncode:
        pytest.skip("only root mounts a file system, and not everywhere")
    try:
        spool = open_spool(tmp_path / "spool")
        file, _ = make_ring(spool, 1 << 20)
        assert file.region.capacity == CAPACITY_MIN
        (tmp_path / "filler").write_bytes(bytes(200_000))
        with pytest.raises(SpoolError, match="bytes left"):
            make_ring(spool)
        file.close(is_done=True)
        spool.close()
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_a_disk_that_is_not_local(spool, tmp_path, monkeypatch):
    """
    Where other machines may change the file it is refused, by its kind.
    """
    kind = spool_module.lib.ra_filesystem(spool.rings.fd)
    monkeypatch.setitem(spool_module._NOT_LOCAL, kind, "NFS")
    before = descriptors()

    with pytest.raises(SpoolError, match="is on NFS; a local file system"):
        open_spool(tmp_path / "other")

    assert descriptors() == before


def test_kinds_of_disks_are_told_apart(spool):
    """
    The kernel names what a directory is on; a wrong descriptor is nothing.
    """
    assert spool_module.lib.ra_filesystem(spool.rings.fd) > 0
    assert spool_module.lib.ra_filesystem(-1) == 0
    assert 0 not in spool_module._NOT_LOCAL


def test_a_project_is_sixteen_bytes(tmp_path):
    """
    Anything else is a mistake of ours, and nothing is made for it.
    """
    with pytest.raises(ValueError, match="project: 3 bytes"):
        open_spool(tmp_path / "spool", project=b"abc")

    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize(
    "name", ["", PROJECT.hex(), *(f"{PROJECT.hex()}/{x}" for x in "rbd")]
)
@pytest.mark.parametrize("kind", ["link", "file", "wide"])
def test_a_directory_that_is_none_of_ours(tmp_path, name, kind):
    """
    A link, a file, or one that all may write to, at any depth: refused, and
    no descriptor stays open.
    """
    full = {"r": "rings", "b": "backlog", "d": "dead-letters"}
    parts = [full.get(part, part) for part in name.split("/") if part]
    path = tmp_path.joinpath("spool", *parts)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    for parent in reversed(path.relative_to(tmp_path).parents):
        (tmp_path / parent).mkdir(0o700, exist_ok=True)
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "file":
        path.touch()
    else:
        path.mkdir()
        path.chmod(0o777)
    before = descriptors()

    with pytest.raises(SpoolError, match=f"{path}: "):
        open_spool(tmp_path / "spool")

    assert descriptors() == before
    assert list(elsewhere.iterdir()) == []


def test_what_cannot_be_opened_now_is_told(spool):
    """
    Where files run out the ring is as good as before; it is tried again.
    """
    mine = leave(spool, [event()])
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            spool.open_ring(mine)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    spool.open_ring(mine).close()


def test_a_system_that_allocates_nothing_ahead(spool, monkeypatch):
    """
    As macOS: it is refused in words, so that the client goes on in memory.
    """
    monkeypatch.delattr(os, "posix_fallocate")

    with pytest.raises(SpoolError, match="no blocks ahead"):
        make_ring(spool, 1 << 16)
    assert spool.rings.names() == []
