# SPDX-License-Identifier: MIT
"""
Gets the memory a ring lives in: an anonymous map that a child does not see,
or the map of a file that others see as well.
"""

from __future__ import annotations

import mmap
import os
from typing import Any

from ringamp.bindings import (
    CAPACITY_MAX,
    CAPACITY_MIN,
    HEADER_SIZE,
    RING_ID_SIZE,
    ffi,
    lib,
    wipe_on_fork,
)
from ringamp.errors import NativeError


def round_capacity(wanted: int) -> int:
    """
    Round *wanted* bytes up to what a ring can be: a power of two.
    """
    power = 1 << max(wanted - 1, 1).bit_length()
    return min(max(power, CAPACITY_MIN), CAPACITY_MAX)


def new_ring_id() -> bytes:
    """
    Name a ring: random, so that no two on any machine share a name.
    """
    return os.urandom(RING_ID_SIZE)


class Region:
    """
    The memory of a ring of *capacity* bytes.

    Attributes:
        pointer: A `struct ra_region *`, valid while this object lives.

        capacity: Bytes of records.
    """

    pointer: Any
    capacity: int


class PrivateRegion(Region):
    """
    Private memory, zero at birth.

    A child finds it zeroed where the kernel can do that: it must not send
    what its parent logged, and so cannot even by mistake.

    Raises:
        NativeError: The memory could not be had.
    """

    def __init__(self, capacity: int) -> None:
        size = HEADER_SIZE + capacity
        try:
            self._map = mmap.mmap(
                -1,
                size,
                flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
            )
        except OSError as error:
            raise NativeError(
                f"cannot get {size} bytes of memory for the ring: {error}",
            ) from error
        # Exporting the buffer pins the map; both die with this object.
        self._buffer: Any = ffi.from_buffer(self._map)
        self.capacity = capacity
        self.pointer = ffi.cast("struct ra_region *", self._buffer)
        self.wiped_on_fork = wipe_on_fork(self._buffer, size)

    def format(self) -> PrivateRegion:
        """
        Make it an empty ring.
        """
        lib.ra_ring_format(self.pointer, self.capacity, new_ring_id(), 0)
        return self

    def view(self, start: int, length: int) -> memoryview:
        """
        Look at *length* of its bytes from *start*, the header included.
        """
        return memoryview(self._map)[start : start + length]


class SharedRegion(Region):
    """
    The map of a file of HEADER_SIZE + *capacity* bytes. A child that has
    inherited it must leave it alone: it is its parent's.

    Raises:
        NativeError: The file could not be mapped.
    """

    def __init__(self, fd: int, capacity: int) -> None:
        size = HEADER_SIZE + capacity
        address = lib.ra_map(fd, size)
        if address == ffi.NULL:
            raise NativeError(f"cannot map {size} bytes of a ring's file")
        # Unmapped when nobody has it any more, and so never under a push.
        self._map: Any = ffi.gc(
            address, lambda map_: lib.ra_unmap(map_, size), size
        )
        self.capacity = capacity
        self.pointer = ffi.cast("struct ra_region *", self._map)
