# SPDX-License-Identifier: MIT
"""
What happens at a fork and at the end of a process. The only registrar of
hooks.

Fork

    Nothing needs to run at a fork. The C core notices it (generation.c), the
    first call in the child that sees another generation rebuilds. No lock,
    thread, socket or memory of the parent is touched: they are replaced.
    No hook in the parent stops anything, so the parent's flusher goes on.
    The one hook before a fork imports what `init` imports, where that has not
    happened: a child must not import, since it may have inherited a lock of
    the import system that another thread of the parent held.

    Greenlets are the exception: a fork copies them as it copies all objects,
    and in the child gevent or eventlet goes on with the parent's flusher. It
    ends where it wakes up (loop.py); but it may wait for an answer that is
    the parent's. Where one of the two is loaded, a hook closes the child's
    copies of the sockets at once.

Exit

    No single hook is run by every kind of process, so a session is registered
    with each that matters; closing twice is harmless.

        atexit           with the first session. Forks inherit it, at its
                         place among the application's own handlers: those
                         registered after `init` run before it.
        multiprocessing  ends its children by `os._exit` up to 3.12, and they
                         forget atexit's handlers from 3.13 on. They run a
                         `Finalize` if it was made after they began their
                         work, so not one made while a module is imported or
                         in a fork hook: hence with a session's first event.
        celery           ends the children of its prefork pool by `os._exit`,
                         after its signal worker_process_shutdown.

    What a child inherits finds that a session is of another generation and
    leaves it alone: what the parent logged is the parent's to send.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from ringamp.bindings import generation
from ringamp.clock import SystemClock

FINALIZE_PRIORITY = 100
"""Any number makes multiprocessing run it before it joins its own threads."""


class Closable(Protocol):
    """
    What is closed at exit.
    """

    generation: int

    def hurry(self) -> None:
        """
        Have the thread send what is left, if there is one.
        """

    def close_at_exit(self, waited: float = 0.0) -> None:
        """
        Send what is left, within the limit the options set, of which
        *waited* seconds have passed.
        """

    def abandon(self) -> None:
        """
        In a forked child: let go of what is the parent's.
        """


_sessions: weakref.WeakSet[Closable] = weakref.WeakSet()
_is_registered = False
_is_hooked = False
_finalizer: Any = None


def load_before_fork(module: str) -> None:
    """
    See to it that no child of this process has to import *module*.
    """
    os.register_at_fork(before=partial(importlib.import_module, module))


def close_at_exit(session: Closable) -> None:
    """
    See to it that *session* is closed when the interpreter ends.
    """
    global _is_registered  # noqa: PLW0603 - one registration a program.
    _sessions.add(session)
    if not _is_registered:
        _is_registered = True
        atexit.register(_at_exit)


def close_with_worker() -> None:
    """
    See to it that sessions are closed if this process is a worker whose
    interpreter does not end. Called with a session's first event.
    """
    for name, register in _REGISTRARS.items():
        module = sys.modules.get(name)
        if module is not None:
            register(module)


def _register_finalizer(process: Any) -> None:
    """
    Register with multiprocessing or billiard, if they made this process.
    """
    global _finalizer  # noqa: PLW0603 - one a process.
    if getattr(process.current_process(), "_parent_pid", None) is None:
        return
    if _finalizer is not None:
        _finalizer.cancel()
    # Billiard uses the registry of multiprocessing.
    util = sys.modules["multiprocessing.util"]
    _finalizer = util.Finalize(None, _at_exit, exitpriority=FINALIZE_PRIORITY)


def _register_receiver(signals: Any) -> None:
    """
    Register with celery, which tells a second time by the name.
    """
    signals.worker_process_shutdown.connect(
        _at_exit, weak=False, dispatch_uid="ringamp"
    )


def _register_hook(_: Any) -> None:
    """
    Register with Python's own `os.fork`, once a program.
    """
    global _is_hooked  # noqa: PLW0603 - one a program.
    if not _is_hooked:
        _is_hooked = True
        os.register_at_fork(after_in_child=_abandon_inherited)


_REGISTRARS: dict[str, Callable[[Any], None]] = {
    "multiprocessing.process": _register_finalizer,
    "billiard.process": _register_finalizer,
    "celery.signals": _register_receiver,
    "gevent.monkey": _register_hook,
    "eventlet.patcher": _register_hook,
}
"""Modules of those that make workers or greenlets, where they are loaded."""


def _abandon_inherited() -> None:
    """
    In a forked child: let go of what the parent's sessions have open.
    """
    current = generation()
    for session in list(_sessions):
        if session.generation != current:
            session.abandon()


def _at_exit(**_: object) -> None:
    """
    Close what this process built; leave alone what an ancestor did.
    """
    current = generation()
    begin = SystemClock.monotonic()
    living = [one for one in list(_sessions) if one.generation == current]
    # All threads send while one is waited for, and the time that passes is
    # everybody's: ten instances whose service is down cost what one does.
    for session in living:
        session.hurry()
    for session in living:
        session.close_at_exit(SystemClock.monotonic() - begin)
