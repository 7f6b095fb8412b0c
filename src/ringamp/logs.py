# SPDX-License-Identifier: MIT
"""
The logger `ringamp`, its level, and a filter against repetition.
"""

from __future__ import annotations

import logging
import time

from ringamp.signals import as_the_user

logger = logging.getLogger("ringamp")
logger.addHandler(logging.NullHandler())

SILENT = logging.CRITICAL + 1

LEVELS = (SILENT, logging.ERROR, logging.WARNING, logging.DEBUG)
"""By the numbers of the Node SDK: NONE, ERROR, WARN, VERBOSE."""

REPEAT_AFTER = 60.0
"""Seconds for which the same kind of line is not written again: an outage
of an hour is 60 lines, not one a batch."""

REMEMBERED = 1024
"""Kinds of lines that are remembered; all are forgotten beyond it."""

_written: dict[str, float] = {}


def set_level(level: int) -> None:
    """
    Set the logger's level to an entry of `LEVELS`.

    A level that the application itself has set on the logger stands where
    the options ask for silence, which is their default.
    """
    if LEVELS[level] == SILENT and logger.level != logging.NOTSET:
        return
    logger.setLevel(LEVELS[level])


def log(level: int, kind: str, message: str, *args: object) -> None:
    """
    Write a line, unless one of the same *kind* was written a moment ago.

    A race between two threads may write it twice; a lock would cost more
    than that, and would be inherited by a forked child.
    """
    if not _is_enabled_for(level):
        return
    now = time.monotonic()
    if now - _written.get(kind, -REPEAT_AFTER) < REPEAT_AFTER:
        return
    if len(_written) >= REMEMBERED:
        _written.clear()
    _written[kind] = now
    with as_the_user():  # Handlers are the user's.
        logger.log(level, message, *args)


def _is_enabled_for(level: int) -> bool:
    """
    As the logger's own method, whose cache costs a lock: in a child that C
    code forked, a thread that does not exist may hold it.
    """
    return (
        not logger.disabled
        and level > logger.manager.disable
        and level >= logger.getEffectiveLevel()
    )
