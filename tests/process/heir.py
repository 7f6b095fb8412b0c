# SPDX-License-Identifier: MIT
"""
A program that logs beside what others have left in its spool, and takes that
over; it tells what it counted.

    python tests/process/heir.py SPOOL_DIR NAME COUNT [OPTIONS as JSON]
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time

import sealed
from workload import begin, tell

QUIET = 1.0
"""Seconds without any change after which there is nothing more to do."""

PATIENCE = 30.0
"""Seconds after which it stops all the same, if it was not told another
number by RINGAMP_TEST_PATIENCE."""


def settle(client):
    """
    Wait until nothing happens any more.
    """
    patience = float(os.environ.get("RINGAMP_TEST_PATIENCE", PATIENCE))
    give_up = time.monotonic() + patience
    seen, since = None, time.monotonic()
    while time.monotonic() < min(give_up, since + QUIET):
        stats = client.stats()
        if stats != seen:
            seen, since = stats, time.monotonic()
        time.sleep(0.01)
    return seen


def main(path, name, count, options="{}"):
    """
    Log, wait, shut down, tell.
    """
    logging.basicConfig(format="%(levelname)s %(message)s")
    client = begin(
        **{
            "spool_dir": path,
            "buffer_bytes": 1 << 16,
            "retry_timeouts": [20, 20],
            "log_level": "ERROR",
            **json.loads(options),
        }
    )
    longest, receipts = 0.0, []
    for tag in sealed.tags_of(name, int(count)):
        started = time.monotonic()
        receipts.append(client.log_event(sealed.event(tag)))
        longest = max(longest, time.monotonic() - started)
    answers = [receipt.result(30) for receipt in receipts]
    stats = settle(client)
    started = time.monotonic()
    client.shutdown(3)
    tell(
        answers=sorted({str(answer.status) for answer in answers}),
        longest=longest,
        shutdown=time.monotonic() - started,
        **{name: getattr(stats, name) for name in stats.__struct_fields__},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
