# SPDX-License-Identifier: MIT
"""
Gets the memory a ring lives in: an anonymous map that a child does not see.
"""

from __future__ import annotations

import mmap
from typing import Any

from ringamp.bindings import (
    CAPACITY_MAX,
    CAPACITY_MIN,
    HEADER_SIZE,
    ffi,
    wipe_on_fork,
)
from ringamp.errors import NativeError


def round_capacity(wanted: int) -> int:
    """
    Round *wanted* bytes up to what a ring can be: a power of two.
    """
    power = 1 << max(wanted - 1, 1).bit_length()
    return min(max(power, CAPACITY_MIN), CAPACITY_MAX)


class Region:
    """
    Private memory for a ring of *capacity* bytes, zero at birth.

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
        self.pointer: Any = ffi.cast("struct ra_region *", self._buffer)
        self.wiped_on_fork = wipe_on_fork(self._buffer, size)
