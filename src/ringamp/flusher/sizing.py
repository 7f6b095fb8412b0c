# SPDX-License-Identifier: MIT
"""
How large the next request may be.
"""

from __future__ import annotations

from ringamp.status import Status

SMALLEST = 16 * 1024
"""Below this a 413 says something about one event, not about requests."""

GROWTH = 1.25
"""After a success: from the smallest back to 1 MB in 19 requests."""


class SizeLimit:
    """
    A limit in bytes that a 413 halves and every success lets grow back.

    A proxy's limit may be lower than the service's, and may be lifted while
    this process lives; a limit that only shrinks would stay at the worst
    moment's value.
    """

    __slots__ = ("_most", "value")

    def __init__(self, most: int) -> None:
        self._most = most
        self.value = most

    def learn(self, status: Status, sent: int) -> None:
        """
        Note what was answered to a request of *sent* bytes.
        """
        if status is Status.PAYLOAD_TOO_LARGE:
            self.value = max(SMALLEST, min(self.value, sent // 2))
        elif self.value < self._most and status is Status.SUCCESS:
            self.value = min(self._most, int(self.value * GROWTH))
