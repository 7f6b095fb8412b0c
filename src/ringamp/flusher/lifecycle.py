# SPDX-License-Identifier: MIT
"""
What happens at a fork and at the end of a process. The only registrar of
hooks.

Fork

    Nothing needs to run at a fork. The C core notices it (generation.c), the
    first call in the child that sees another generation rebuilds. No lock,
    thread, socket or memory of the parent is touched: they are replaced.
    There is no hook before a fork and none in the parent, so the parent's
    flusher goes on.

Exit

    `atexit` serves ordinary interpreters. Children of multiprocessing run
    its callbacks only from 3.13 on, and clear those registered before the
    fork; a `multiprocessing.util.Finalize` made in the child runs on all. So
    both are registered, where multiprocessing is loaded, in each process
    anew, and closing twice is harmless.

    A child inherits its parent's registrations. They find that the session
    is of another generation and leave it alone: what the parent logged is
    the parent's to send.
"""

from __future__ import annotations

import atexit
import sys
import weakref
from typing import Protocol

from ringamp.bindings import generation

FINALIZE_PRIORITY = 100
"""Any number makes multiprocessing run it before it joins its own threads."""


class Closable(Protocol):
    """
    What is closed at exit.
    """

    generation: int

    def close_at_exit(self) -> None:
        """
        Send what is left, within the limit the options set.
        """


_sessions: weakref.WeakSet[Closable] = weakref.WeakSet()
_registered_in = 0


def close_at_exit(session: Closable) -> None:
    """
    See to it that *session* is closed when this process ends.
    """
    global _registered_in  # noqa: PLW0603 - one registration a process.
    _sessions.add(session)
    if _registered_in == session.generation:
        return
    _registered_in = session.generation
    atexit.register(_at_exit)
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, _at_exit, exitpriority=FINALIZE_PRIORITY)


def _at_exit() -> None:
    """
    Close what this process built; leave alone what an ancestor did.
    """
    current = generation()
    for session in list(_sessions):
        if session.generation == current:
            session.close_at_exit()
