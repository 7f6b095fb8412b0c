# SPDX-License-Identifier: MIT
"""
Where a request body is made: its bytes, and the places of its events.
"""

from __future__ import annotations

from typing import Any, Final

from ringamp.bindings import ffi


class Room:
    """
    Memory for one batch after the other. A new megabyte for each would cost
    its page faults every time.

    Args:
        size: Bytes of the longest body.

        count: Events of the largest batch.

    Attributes:
        body: The bytes.

        offsets: Where each event begins in them, and one more.

        positions: The ring position of each event.

        address: The same for the C core, a `struct ra_room *`.
    """

    __slots__ = ("address", "body", "count", "offsets", "positions", "size")

    def __init__(self, size: int, count: int) -> None:
        self.size: Final = size
        self.count: Final = count
        offsets = ffi.new("uint32_t[]", count + 1)
        positions = ffi.new("uint64_t[]", count)
        self.body: Final = memoryview(bytearray(size))
        self.offsets: Final = memoryview(ffi.buffer(offsets)).cast("I")
        self.positions: Final = memoryview(ffi.buffer(positions)).cast("Q")
        # The views above keep alive what this points to.
        self.address: Final[Any] = ffi.new(
            "struct ra_room *",
            {
                "body": ffi.from_buffer("unsigned char[]", self.body),
                "size": size,
                "offsets": offsets,
                "positions": positions,
            },
        )
