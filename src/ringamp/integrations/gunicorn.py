# SPDX-License-Identifier: MIT
"""
Server hooks for gunicorn. In gunicorn.conf.py:

    from ringamp.integrations.gunicorn import post_fork, worker_exit

Without them a worker rebuilds at its first event and sends what is left when
the interpreter exits, which gunicorn's workers do on TERM, QUIT and a worker
timeout. With them both happen at the moment gunicorn names.
"""

from __future__ import annotations

from typing import Any

from ringamp.registry import postfork, shutdown_all


def post_fork(server: Any, worker: Any) -> None:
    """
    Rebuild every instance in the new worker.
    """
    del server, worker
    postfork()


def worker_exit(server: Any, worker: Any) -> None:
    """
    Send what is left, within *shutdown_timeout_millis*.
    """
    del server, worker
    shutdown_all()
