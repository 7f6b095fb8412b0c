# SPDX-License-Identifier: MIT
"""
What a flusher runs as.

A thread; where gevent or eventlet has patched the interpreter, a greenlet.
That sleeps on locks of its own kind, since a real lock would stop all
greenlets. The patch may come between `init` and the first event, so it is
asked for when the flusher is started.

A greenlet goes on when its thread runs the loop of greenlets. That is certain
of the main thread alone: one of gevent's pool, which may be the first to log
an event, runs none, and ends when it likes. Then the flusher is a real thread
beside the greenlets.

Threads are started through `_thread` and not `threading`: a child may be
forked by C code that runs none of Python's fork hooks, at a moment when
another thread of the parent held the lock inside `threading`, which then
stays locked for ever in the child.
"""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from ringamp.signals import starter


class Kind(msgspec.Struct, frozen=True):
    """
    How one kind of thread is started, and made to sleep.

    Attributes:
        begin: Starts one, as `_thread.start_new_thread`.

        make_lock: Makes a lock that it may sleep on.

        is_thread: Whether it is no greenlet, but a thread that is ours alone.
    """

    begin: Callable[..., object]
    make_lock: Callable[[], Any]
    is_thread: bool

    def starter(self, run: Callable[[], None]) -> Callable[[], object]:
        """
        Make what starts one that calls *run*, and raises RuntimeError where
        none can be started. Where that is a thread it is one step of the
        interpreter: no signal handler runs in the midst of it.
        """
        if self.is_thread:
            return starter(self.begin, run)
        return partial(self.begin, run, ())

    def make_locked(self) -> Any:
        """
        Make a lock that is held.
        """
        lock = self.make_lock()
        lock.acquire()
        return lock


def _ask_gevent(monkey: Any) -> Kind | None:
    if not monkey.is_module_patched("_thread"):
        return None
    names = ["start_new_thread", "allocate_lock"]
    begin, make_lock = monkey.get_original("_thread", names)
    return Kind(begin, make_lock, is_thread=True)


def _ask_eventlet(patcher: Any) -> Kind | None:
    if not patcher.is_monkey_patched("thread"):
        return None
    module = patcher.original("_thread")
    return Kind(module.start_new_thread, module.allocate_lock, is_thread=True)


_PATCHERS: dict[str, Callable[[Any], Kind | None]] = {
    "gevent.monkey": _ask_gevent,
    "eventlet.patcher": _ask_eventlet,
}
"""
Modules of those that patch, and what they have put aside; None where they
have patched nothing.
"""


def kind_here() -> Kind:
    """
    What a flusher is to be that the calling thread starts.
    """
    put_aside = [
        kind
        for name, ask in _PATCHERS.items()
        if (module := sys.modules.get(name)) is not None
        and (kind := ask(module)) is not None
    ]
    is_main = threading.main_thread().native_id == threading.get_native_id()
    if put_aside and not is_main:
        return put_aside[0]
    return Kind(
        _thread.start_new_thread, threading.Lock, is_thread=not put_aside
    )
