# SPDX-License-Identifier: MIT
"""
Whoever comes next: a program that takes over what others left in a spool.
"""

from __future__ import annotations

import json

import runner

SOURCE = """
import json, pathlib, sys, time
import workload

options = json.loads(sys.argv[1])
client = workload.begin(**options)
workload.log(client, "heir", 1)
spool = pathlib.Path(options["spool_dir"])
give_up = time.monotonic() + 10
while time.monotonic() < give_up:
    # Its own ring alone.
    if sum(not path.is_dir() for path in spool.rglob("*")) <= 1:
        break
    time.sleep(0.01)
client.shutdown()
"""


def pass_on(spool, url):
    """
    Let a process adopt all that is in *spool*; it logs heir-0.
    """
    run = runner.run(SOURCE, json.dumps(spool.options()), url=url)
    assert (run.code, run.hung, run.err) == (0, False, "")
