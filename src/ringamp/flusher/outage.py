# SPDX-License-Identifier: MIT
"""
Whether the service is out, and when it is tried again. Pure.

A batch whose retries are used up says that it is; then one batch is tried at
a time, without retries of its own, after pauses that grow. The first batch
that is taken ends it.
"""

from __future__ import annotations

FIRST_PAUSE = 1.0
"""Seconds before the first try."""

LONGEST_PAUSE = 30.0
"""Seconds between two tries of a long outage: two requests a minute and
process."""


class Outage:
    """
    What is known about the service.

    Attributes:
        is_on: Whether it is out.

        next_try: When it may be tried, of the monotonic clock.
    """

    __slots__ = ("_pause", "is_on", "next_try")

    def __init__(self) -> None:
        self.is_on = False
        self.next_try = 0.0
        self._pause = FIRST_PAUSE

    def note_failure(self, now: float) -> None:
        """
        Note that a batch was given up, or that a try failed. One that comes
        before the next try was under way when the outage became known.
        """
        if self.is_on and now < self.next_try:
            return
        self.is_on = True
        self.next_try = now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def note_success(self) -> None:
        """
        Note that the service took something.
        """
        if self.is_on:
            self.is_on = False
            self.next_try = 0.0
            self._pause = FIRST_PAUSE

    def may_try(self, now: float) -> bool:
        """
        Whether something may be sent now.
        """
        return not self.is_on or now >= self.next_try
