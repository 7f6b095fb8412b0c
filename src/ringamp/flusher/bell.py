# SPDX-License-Identifier: MIT
"""
The bell: what the flusher sleeps by.

It is a lock that is held while nobody rings. Who sleeps takes it, with a
time limit where something falls due by itself; who rings gives it back. It
rings at most once, so many rings wake once.
"""

from __future__ import annotations

import threading
from typing import Any

from ringamp.clock import Clock
from ringamp.flusher.threads import Kind


class Bell:
    """
    Wakes one sleeper.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Of no use before there is a thread, but for who starts it.
        self._lock: Any = threading.Lock()
        self._lock.acquire()

    def suit(self, kind: Kind) -> None:
        """
        Be one that such a thread can sleep by.
        """
        self._lock = kind.make_locked()

    def ring(self) -> None:
        """
        Wake who sleeps, or who will sleep next.
        """
        try:
            self._lock.release()
        except RuntimeError:
            # It rings already; two may ring at the same moment.
            return

    def sleep_until(self, due: float | None) -> None:
        """
        Sleep until it rings, at the longest until *due* of the clock.
        """
        if due is None:
            self._lock.acquire()
        elif (left := due - self._clock.monotonic()) > 0:
            self._lock.acquire(timeout=min(left, threading.TIMEOUT_MAX))
