# SPDX-License-Identifier: MIT
"""
A process is killed while it holds events of a throttled id.
"""

from __future__ import annotations

import json
import signal

import pytest
import runner

from ringamp.collector import Fault

pytestmark = pytest.mark.process

HOLDS = """
    import json, os, signal, sys, time, workload

    client = workload.begin(**json.loads(sys.argv[1]))
    workload.log(client, "held", 5)
    client.flush()
    while client.stats().held < 5:
        time.sleep(0.01)
    # The same id's, which line up behind.
    workload.log(client, "later", 5)
    client.flush()
    while client.stats().held < 10:
        time.sleep(0.01)
    workload.tell(held=10, used=client.stats().buffer_used)
    os.kill(os.getpid(), signal.SIGKILL)
"""

ADOPTS = """
    import json, sys, time, workload

    client = workload.begin(**json.loads(sys.argv[1]))
    workload.log(client, "heir", 1)
    give_up = time.monotonic() + 30
    while client.stats().recovered_delivered < 10:
        if time.monotonic() > give_up:
            break
        time.sleep(0.01)
    workload.tell(recovered=client.stats().recovered_delivered)
"""


def test_what_a_killed_process_held_is_sent_by_the_next(collector, spool):
    """
    The ring holds none of it by then, the held files do; whoever adopts the
    ring sends them, each event once.
    """
    collector.add_fault(Fault(users=("datamonster@gmail.com",)))
    options = json.dumps(spool.options(upload_interval_in_sec=60))
    first = runner.run(HOLDS, options, url=collector.url)
    assert first.code == -signal.SIGKILL
    assert first.the(held=10)["used"] == 0
    left = spool.files()
    assert [name for name in left if name.endswith(".held")]
    assert collector.tags() == {}

    second = runner.run(ADOPTS, json.dumps(spool.options()), url=collector.url)

    assert (second.code, second.err) == (0, "")
    assert second.told == [{"recovered": 10}]
    assert collector.took_once(("held", 5), ("later", 5), ("heir", 1))
    assert spool.files() == []
