# SPDX-License-Identifier: MIT
"""
Hooks for uWSGI. In the module that uWSGI loads, after `ringamp.init`:

    import ringamp.integrations.uwsgi
    ringamp.integrations.uwsgi.install()

Without it a worker rebuilds at its first event, also where uWSGI runs none of
Python's fork hooks, which is its default. What `install` adds: where threads
are off it says so, and sends at the end of a request, at most once a second;
it rebuilds right after the fork, and sends what is left before uWSGI ends the
interpreter.

What the master logs while it loads the application is sent by its workers, if
there is a spool. Without one call `flush().result()` there: no thread may run
in a process that uWSGI forks (`ringamp.flusher.prefork`).

uWSGI runs no exit handler, of nobody, in a worker that it ends in the middle
of a request or of writing its log line. `--die-on-term` does that; a graceful
stop does not:

    --hook-master-start "unix_signal:15 gracefully_kill_them_all"
"""

from __future__ import annotations

import importlib
import logging
from typing import Any

from ringamp.clock import SystemClock
from ringamp.errors import RingampError
from ringamp.flusher.prefork import has_threads
from ringamp.logs import logger
from ringamp.registry import flush_all, postfork, shutdown_all

_NO_THREADS = (
    "uWSGI runs without threads, so events are sent only at the end of a "
    "request and at exit; start it with --enable-threads"
)

PAUSE = 1.0
"""Seconds between two requests that send at their ends, without threads."""

PATIENCE = 1.0
"""Seconds for which the end of a request waits for the service. The thread
runs only meanwhile; what it does not come to is sent at the next one."""


def install() -> bool:
    """
    Register the hooks with the uWSGI that runs this process.

    Returns:
        Whether threads are on.

    Raises:
        RingampError: This process is not run by uWSGI.

    .. versionadded:: 0.1.0
    """
    try:
        # Exists only inside uWSGI.
        uwsgi: Any = importlib.import_module("uwsgi")
    except ImportError:
        raise RingampError(
            "ringamp.integrations.uwsgi.install: this process is not run by "
            "uWSGI; call it in the module that uWSGI loads",
        ) from None
    uwsgi.post_fork_hook = _after(getattr(uwsgi, "post_fork_hook", None))
    uwsgi.atexit = _after_exit(getattr(uwsgi, "atexit", None))
    threads = has_threads(uwsgi)
    if not threads:
        # Straight to the logger: once a process, whatever was logged before.
        logger.log(logging.WARNING, _NO_THREADS)
        previous = getattr(uwsgi, "after_req_hook", None)
        uwsgi.after_req_hook = _after_request(previous)
    return threads


def _after(previous: Any) -> Any:
    """
    Run *previous*, which another library may have registered, then ours.
    """

    def hook() -> None:
        if callable(previous):
            previous()
        postfork()

    return hook


def _after_exit(previous: Any) -> Any:
    def hook() -> None:
        if callable(previous):
            previous()
        shutdown_all()

    return hook


def _after_request(previous: Any) -> Any:
    last = 0.0

    def hook() -> None:
        nonlocal last
        if callable(previous):
            previous()
        now = SystemClock.monotonic()
        if now - last >= PAUSE:
            last = now
            flush_all(PATIENCE)

    return hook
