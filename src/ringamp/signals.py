# SPDX-License-Identifier: MIT
"""
Which signals the threads of this package take: none that are sent to the
whole process.

The kernel hands such a signal mostly to the main thread, but to another where
that one has a signal to see to already. For Python's own handlers it is the
same. uWSGI's end the process where they stand, and in another thread than the
main one none of Python's exit handlers runs: what waits in memory is lost.

User code that runs in such a thread may start processes and threads, which
inherit what is blocked: a child that SIGTERM does not end. So it runs with
what the thread took that started ours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from ringamp.bindings import block_signals, thread_start, unblock_signals


class _Blocked(threading.local):
    """
    What this thread of ours would take if it were the user's: bits.
    """

    signals = 0


_blocked = _Blocked()


def starter(
    start: Callable[..., object], run: Callable[[], None]
) -> Callable[[], object]:
    """
    Make what has *start*, which is like `_thread.start_new_thread`, start a
    thread that calls *run* and takes no signals.
    """
    inherited = _blocked.signals

    def begin(taken: int) -> None:
        _blocked.signals = taken | inherited
        run()

    return partial(thread_start, start, begin)


@contextmanager
def as_the_user() -> Iterator[None]:
    """
    Take the signals meanwhile that a thread of the user's would; changes
    nothing in another thread than one of ours.

    Also decorates: user code that is called often.
    """
    signals = _blocked.signals
    if not signals:
        yield
        return
    _blocked.signals = 0
    unblock_signals(signals)
    try:
        yield
    finally:
        block_signals()
        _blocked.signals = signals
