# SPDX-License-Identifier: MIT
"""
What uWSGI tells about a process that it runs: may there be a thread?

Not in the master, which loads the application and then forks the workers in
C, by default without a word to Python. A thread that waits for the GIL at
that moment is not copied, but its place in the GIL's queue is: the worker
stands still at the first change of threads, before its first request. A
thread that holds the GIL in the master does the same to any worker that is
forked later. So whatever the master logs is sent by others.

Mules and spoolers are forked as well, but fork nobody.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

HAS_THREADS = (2, 0, 27)
"""The version from which on threads are on by default."""


def has_threads(uwsgi: Any) -> bool:
    """
    Whether Python threads run in this uWSGI.

    It has no call for that. From `HAS_THREADS` on the option `enable-threads`
    is on, and `threads` implies it in every version.
    """
    given = _options(uwsgi)
    if "enable-threads" in given or "threads" in given:
        return True
    version = getattr(uwsgi, "version", b"0")
    text = version.decode() if isinstance(version, bytes) else str(version)
    numbers = [int(part) for part in text.split(".") if part.isdigit()]
    return tuple(numbers) >= HAS_THREADS


def forks_unseen() -> bool:
    """
    Whether this is the master of a uWSGI that forks workers behind Python's
    back.
    """
    # Exists only inside uWSGI, which makes it before the application.
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None or not _ask(uwsgi, "masterpid"):
        return False
    if any(_ask(uwsgi, name) for name in _FORKED):
        return False
    has_hooks = "py-call-uwsgi-fork-hooks" in _options(uwsgi)
    return not (has_hooks and has_threads(uwsgi))


_FORKED = ("worker_id", "mule_id", "i_am_the_spooler")
"""What a process answers to one of, if uWSGI has forked it already."""


def _ask(uwsgi: Any, name: str) -> Any:
    call = getattr(uwsgi, name, None)
    return call() if callable(call) else None


def _options(uwsgi: Any) -> Mapping[str, Any]:
    """
    Its options; names may be bytes, and an old version may have none.
    """
    options: Mapping[Any, Any] = getattr(uwsgi, "opt", None) or {}
    return {
        key.decode() if isinstance(key, bytes) else key: value
        for key, value in options.items()
    }
