# SPDX-License-Identifier: MIT
"""
The memory of rings: private maps, and maps of files.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from forking import fork
from wreckage import bytes_of

from ringamp.bindings import CAPACITY_MIN, HEADER_SIZE
from ringamp.buffer.outlet import Outlet
from ringamp.buffer.region import PrivateRegion, SharedRegion, new_ring_id
from ringamp.errors import NativeError

SIZE = HEADER_SIZE + CAPACITY_MIN


@pytest.fixture
def file(tmp_path):
    """
    A file of the size of the smallest ring, open.
    """
    fd = os.open(tmp_path / "ring", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    os.truncate(fd, SIZE)
    yield fd
    os.close(fd)


def in_child(question):
    """
    Ask *question* in a child of a fork; return whether it said yes.
    """
    pid = fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if question() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def maps_of(name):
    """
    Count the maps of a file in this process.
    """
    return Path("/proc/self/maps").read_text().count(name)


def test_private_memory_is_zero_at_birth():
    """
    All of it, as a ring's free bytes must be.
    """
    region = PrivateRegion(CAPACITY_MIN)

    assert not any(bytes_of(region))


def test_formatted_memory_is_an_empty_ring():
    """
    It can be attached, holds nothing, and no two have one name.
    """
    regions = [PrivateRegion(CAPACITY_MIN).format() for _ in range(2)]

    for region in regions:
        outlet = Outlet(region, library=b"lib/1")
        assert (outlet.used, outlet.pushed) == (0, 0)
        assert outlet.capacity == CAPACITY_MIN
    assert len({bytes(region.view(24, 16)) for region in regions}) == 2


def test_memory_that_is_no_ring_is_not_attached():
    """
    Neither what was never formatted, nor what is of another version.
    """
    region = PrivateRegion(CAPACITY_MIN)
    with pytest.raises(NativeError, match="cannot be attached"):
        Outlet(region, library=b"lib/1")

    region.format()
    bytes_of(region)[8:12] = b"\x63\0\0\0"
    with pytest.raises(NativeError, match="cannot be attached"):
        Outlet(region, library=b"lib/1")


def test_a_child_does_not_see_private_memory():
    """
    What its parent logged is not there, where the kernel can do that.
    """
    region = PrivateRegion(CAPACITY_MIN)
    bytes_of(region)[:4] = b"mine"
    if not region.wiped_on_fork:
        pytest.skip("this kernel does not wipe memory on fork")

    assert in_child(lambda: not any(bytes_of(region)))
    assert bytes_of(region)[:4] == b"mine"


def test_memory_that_cannot_be_had_is_told():
    """
    More than there are addresses for.
    """
    with pytest.raises(NativeError, match="cannot get 11529"):
        PrivateRegion(1 << 60)


def test_what_is_written_to_a_shared_map_is_in_the_file(file):
    """
    At once, for whoever reads it or maps it as well, and the other way.
    """
    one, other = (SharedRegion(file, CAPACITY_MIN) for _ in range(2))

    bytes_of(one)[SIZE - 4 :] = b"last"
    os.pwrite(file, b"first", 0)

    assert os.pread(file, 4, SIZE - 4) == b"last"
    assert bytes_of(other)[SIZE - 4 :] == b"last"
    assert bytes_of(one)[:5] == bytes_of(other)[:5] == b"first"


def test_a_child_has_zeros_for_a_shared_map(file):
    """
    The map is its parent's: the child finds memory of its own there, and
    what it writes to it reaches nobody.
    """
    region = SharedRegion(file, CAPACITY_MIN)
    bytes_of(region)[:6] = b"parent"

    def scribble():
        memory = bytes_of(region)
        if any(memory):
            return False
        memory[:5] = b"child"
        return memory[:5] == b"child"

    assert in_child(scribble)
    assert bytes_of(region)[:6] == b"parent"
    assert os.pread(file, 6, 0) == b"parent"


def test_a_file_that_cannot_be_mapped_is_told(file):
    """
    A descriptor that is none, or that may not be written through.
    """
    with pytest.raises(NativeError, match="cannot map"):
        SharedRegion(-1, CAPACITY_MIN)

    path = Path(f"/proc/self/fd/{file}")
    reader = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with pytest.raises(NativeError, match="cannot map"):
        SharedRegion(reader, CAPACITY_MIN)
    os.close(reader)


def test_a_map_goes_with_the_last_who_has_it(file, tmp_path):
    """
    Not before: an outlet that was closed may still be read from.
    """
    region = SharedRegion(file, CAPACITY_MIN)
    pointer = region.pointer
    name = str(tmp_path / "ring")
    assert maps_of(name) == 1

    del pointer, region
    gc.collect()

    assert maps_of(name) == 0


def test_ring_ids_are_random():
    """
    No two of many are the same, and each has its size.
    """
    drawn = {new_ring_id() for _ in range(1000)}

    assert len(drawn) == 1000
    assert {len(one) for one in drawn} == {16}
