# SPDX-License-Identifier: MIT
"""
Optional: rebuild right after the fork, and send what is left when a worker
ends, instead of at the first event and at interpreter exit.

gunicorn reads a file of this name where it is started; `--config /dev/null`
starts it without.
"""

from ringamp.integrations.gunicorn import post_fork, worker_exit

__all__ = ["post_fork", "worker_exit"]
