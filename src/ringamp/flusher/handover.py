# SPDX-License-Identifier: MIT
"""
What stands in a flusher's place where others do the sending, a relay or the
workers of a uWSGI master: no thread, no socket, nothing to wake.
"""

from __future__ import annotations

from ringamp.flusher.awaited import AwaitedResponse
from ringamp.status import SKIPPED_RESPONSE, Response, Status

HANDED_OVER = Response(
    Status.QUEUED,
    error="in the spool; a relay or another process sends it",
)
"""What receipts and flushes of such a process answer."""

EVERYTHING = 2**63
"""A position behind all there will ever be."""


class Handover:
    """
    Leaves everything in the ring's file.
    """

    has_thread = False

    def is_own_thread(self) -> bool:
        """
        There is no thread.
        """
        return False

    def wake(self) -> None:
        """
        The relay looks by itself.
        """

    def hurry(self) -> None:
        """
        The relay looks by itself.
        """

    def flush(self, target: int) -> AwaitedResponse:
        """
        A future that is done: nothing before *target* is sent from here.
        """
        future = AwaitedResponse()
        future.set_result(HANDED_OVER if target else SKIPPED_RESPONSE)
        return future

    def close(self, deadline: float) -> None:
        """
        What is in the file stays there.
        """
