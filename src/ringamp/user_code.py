# SPDX-License-Identifier: MIT
"""
What is made of an exception that came out of user code.
"""

from __future__ import annotations

import threading

from ringamp.redaction import redact

WORDS_MAX = 500
"""Characters of an exception's words that are kept; bodies have a million."""


def ends_program(error: BaseException) -> bool:
    """
    Whether *error*, which came out of user code, is not about that code.

    Signal handlers run in the main thread; there a SystemExit is the end of
    the program and must pass. Elsewhere it is a callback that called
    `sys.exit`, or a task that was cancelled, and must not end the one thread
    that sends.
    """
    if isinstance(error, Exception):
        return False
    return threading.main_thread().ident == threading.get_ident()


def words_of(error: BaseException, head: bytes = b"") -> str:
    """
    Put what user code raised into words that may be logged: short, and
    without the API key of *head*.
    """
    try:
        words = repr(error)
    except Exception:
        words = f"{type(error).__name__}, which cannot be shown"
    words = redact(words.encode("utf-8", "replace"), head).decode()
    return words if len(words) <= WORDS_MAX else f"{words[:WORDS_MAX]}..."
