# SPDX-License-Identifier: MIT
"""
Time, behind one small object that tests replace.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """
    What the flusher and the policies may ask of time.
    """

    def monotonic(self) -> float:
        """
        Seconds from an arbitrary start; never steps back.
        """

    def wall(self) -> float:
        """
        Seconds since the epoch; may step.
        """


class SystemClock:
    """
    The machine's clocks.
    """

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)
