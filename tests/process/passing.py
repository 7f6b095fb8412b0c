# SPDX-License-Identifier: MIT
"""
Whoever comes next: a program that takes over what others left in a spool.
"""

from __future__ import annotations

import runner

SOURCE = """
import workload

client = workload.begin()
workload.log(client, "heir", 1)
workload.wait_alone()
client.shutdown()
"""


def pass_on(spool, url):
    """
    Let a process adopt all that is in *spool*; it logs heir-0.
    """
    run = runner.run(SOURCE, url=url, RINGAMP_TEST_OPTIONS=spool.env())
    assert (run.code, run.hung, run.err) == (0, False, "")
