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

    No single hook is run by every kind of process, so a session is registered
    with each that exists here; closing twice is harmless.

        atexit           ordinary interpreters; children of multiprocessing
                         only from 3.13 on.
        multiprocessing  a `Finalize` that was made in the child runs on all
                         Pythons; those made before, and on 3.13 what atexit
                         knew, the child forgets when it begins its work.
        celery           the prefork pool's children end by `os._exit`; their
                         signal worker_process_shutdown comes before that.

    So registration waits for the session's first event. What is registered
    earlier would be forgotten: in a module that children of multiprocessing
    import, or in a hook that the application runs after a fork.

    A child inherits its parent's registrations. They find that the session
    is of another generation and leave it alone: what the parent logged is
    the parent's to send.
"""

from __future__ import annotations

import atexit
import sys
import weakref
from collections.abc import Callable
from typing import Any, Protocol

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
_finalizer: Any = None


def close_at_exit(session: Closable) -> None:
    """
    See to it that *session* is closed when this process ends.
    """
    _sessions.add(session)
    # Anew each time: what is there may be inherited, or be forgotten by now.
    atexit.unregister(_at_exit)
    atexit.register(_at_exit)
    for name, register in _REGISTRARS.items():
        module = sys.modules.get(name)
        if module is not None:
            register(module)


def _register_finalizer(util: Any) -> None:
    """
    Register with multiprocessing, whose functions billiard uses as well.
    """
    global _finalizer  # noqa: PLW0603 - one a process.
    if _finalizer is not None:
        _finalizer.cancel()
    _finalizer = util.Finalize(None, _at_exit, exitpriority=FINALIZE_PRIORITY)


def _register_receiver(signals: Any) -> None:
    """
    Register with celery, which knows by the name that it is the same.
    """
    signals.worker_process_shutdown.connect(
        _at_exit, weak=False, dispatch_uid="ringamp"
    )


_REGISTRARS: dict[str, Callable[[Any], None]] = {
    "multiprocessing.util": _register_finalizer,
    "celery.signals": _register_receiver,
}
"""Modules that have an end of their own, where they are loaded."""


def _at_exit(**_: object) -> None:
    """
    Close what this process built; leave alone what an ancestor did.
    """
    current = generation()
    for session in list(_sessions):
        if session.generation == current:
            session.close_at_exit()
