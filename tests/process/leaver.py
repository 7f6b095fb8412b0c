# SPDX-License-Identifier: MIT
"""
A program whose children die and leave something in a spool.

    python tests/process/leaver.py SPOOL_DIR API_KEY NAME=WHAT:COUNT...

Each NAME is a process of its own, which logs COUNT events of that name
(sealed.py) and is killed. WHAT says what it leaves: `ring`, a ring with all
of them; `backlog` and `held`, files for a service that is out or throttles;
`letters`, dead letters; `nothing`, a ring of which all was sent.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import sealed
from workload import reap

import ringamp
from ringamp import Response, Status

THROTTLED = {"code": 429, "error": "too many", "eps_threshold": 10}

FOREVER = 3600


class Service:
    """
    A service that answers as it was told.
    """

    def __init__(self, what):
        self.what = what

    def send_payload(self, payload):
        """
        Answer a request.
        """
        if self.what == "backlog":
            return Response(Status.FAILED, 503, error="HTTP 503")
        if self.what == "letters":
            return Response(Status.INVALID, 403, error="HTTP 403")
        if self.what == "held":
            users = {one["user_id"]: 30 for one in payload.events}
            body = {**THROTTLED, "throttled_users": users}
            return Response(Status.RATE_LIMIT, 429, body)
        return Response(Status.SUCCESS, 200)


def has_arrived(client, what, count):
    """
    Say whether all that was logged is where it is to be left.
    """
    stats = client.stats()
    return {
        "ring": stats.pending,
        "backlog": stats.spooled,
        "held": stats.held,
        "letters": stats.rejected,
        "nothing": stats.delivered,
    }[what] == count


def leave(path, key, name, what, count):
    """
    Log events of *name*, see them where they are to be, and die.
    """
    client = ringamp.init(
        key,
        server_url=os.environ["RINGAMP_TEST_URL"],
        spool_dir=path,
        buffer_bytes=1 << 16,
        transport_class=Service(what),
        retry_timeouts=[],
        upload_interval_in_sec=FOREVER if what == "ring" else 0,
    )
    for tag in sealed.tags_of(name, count):
        client.log_event(sealed.event(tag))
    give_up = time.monotonic() + 30
    while not has_arrived(client, what, count):
        if time.monotonic() > give_up:
            os._exit(3)
        time.sleep(0.002)
    os.kill(os.getpid(), signal.SIGKILL)


def gather(part, path):
    """
    Move what is in the spool *part* into the spool at *path*.
    """
    for source in sorted(part.rglob("*")):
        target = path / source.relative_to(part)
        if source.is_dir():
            target.mkdir(0o700, parents=True, exist_ok=True)
        elif target.exists():
            target.write_bytes(target.read_bytes() + source.read_bytes())
        else:
            source.rename(target)
    shutil.rmtree(part)


def main(path, key, *orders):
    """
    Make the processes, each with a spool of its own, since what one leaves
    is not for the next to take; then put all into one.
    """
    for order in orders:
        name, what, count = order.replace(":", "=").split("=")
        part = Path(f"{path}.{name}")
        pid = os.fork()
        if pid == 0:
            leave(part, key, name, what, int(count))
        assert reap(pid, 20) == -signal.SIGKILL, f"{order} did not go well"
        gather(part, Path(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
