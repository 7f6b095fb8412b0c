# SPDX-License-Identifier: MIT
"""
Hooks for uWSGI. In the module that uWSGI loads, after `ringamp.init`:

    import ringamp.integrations.uwsgi
    ringamp.integrations.uwsgi.install()

Without it a worker rebuilds at its first event, also where uWSGI runs none of
Python's fork hooks, which is its default. What `install` adds: it says so
when threads are off, rebuilds right after the fork, and sends what is left
before uWSGI ends the interpreter.

uWSGI runs no exit handler, of nobody, in a worker that it ends in the middle
of a request or of writing its log line. `--die-on-term` does that; a graceful
stop does not:

    --hook-master-start "unix_signal:15 gracefully_kill_them_all"
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from typing import Any

from ringamp.errors import RingampError
from ringamp.logs import logger
from ringamp.registry import postfork, shutdown_all

_NO_THREADS = (
    "uWSGI runs without threads, so events are sent only while a request is "
    "handled and at exit; start it with --enable-threads"
)


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
    return threads


def has_threads(uwsgi: Any) -> bool:
    """
    Whether Python threads run in this uWSGI.

    It has no call for that. From 2.0.27 on the option `enable-threads` is on
    by default, and `threads` implies it in every version. Option values may
    be bytes, and an old version may have no `opt` at all.
    """
    options: Mapping[Any, Any] = getattr(uwsgi, "opt", None) or {}
    given = {
        key.decode() if isinstance(key, bytes) else key: value
        for key, value in options.items()
    }
    if "enable-threads" in given or "threads" in given:
        return True
    version = getattr(uwsgi, "version", b"0")
    text = version.decode() if isinstance(version, bytes) else str(version)
    numbers = [int(part) for part in text.split(".") if part.isdigit()]
    return numbers >= [2, 0, 27]


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
