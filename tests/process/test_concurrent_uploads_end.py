# SPDX-License-Identifier: MIT
"""
Processes that fork or end while several uploads are under way.
"""

from __future__ import annotations

import pytest
import runner
from passing import pass_on

from ringamp.collector import Fault

pytestmark = pytest.mark.process

SLOW = Fault(delay=1.5)

MANY = """
        client = workload.begin(concurrent_uploads=8)

        def log(name, count):
            for number in range(count):
                event = workload.event(f"{name}-{number}")
                event["user_id"] = f"user-{number % 50}"
                client.log_event(event)
"""


def test_scenario_7_a_fork_while_several_are_under_way(collector):
    """
    The child sends its own, by threads of its own, and none of its parent's;
    the parent's requests end as if nothing had been.
    """
    collector.add_fault(SLOW, times=16)
    run = runner.run(
        f"""
        import workload
        {MANY}
        log("p", 400)
        client.flush()
        workload.wait_asked(2)

        def child(number):
            log(f"c{{number}}", 400)
            client.flush().result(30)
            workload.tell(who="child", stats=workload.counts(client))

        children = [workload.fork(child, n) for n in range(3)]
        codes = [workload.reap(one) for one in children]
        client.flush().result(30)
        workload.tell(who="parent", codes=codes,
                      stats=workload.counts(client))
        """,
        url=collector.url,
    )

    assert (run.code, run.err, run.hung) == (0, "", False)
    assert run.the(who="parent")["codes"] == [0, 0, 0]
    assert run.the(who="parent")["stats"]["delivered"] == 400
    children = [(f"c{number}", 400) for number in range(3)]
    assert collector.took_once(("p", 400), *children)


@pytest.mark.parametrize(
    "end",
    ["", "sys.exit(3)", "raise KeyError(3)", "os.kill(os.getpid(), 15)"],
)
def test_the_interpreters_end_waits_for_all(collector, end):
    """
    However it ends in order: what is under way and what is in the ring.
    """
    collector.add_fault(SLOW, times=8)
    run = runner.run(
        f"""
        import os, signal, sys, time, workload
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))
        {MANY}
        log("p", 3000)
        {end}
        """,
        url=collector.url,
    )

    assert not run.hung
    assert not runner.blames_us(run)
    assert collector.took_once(("p", 3000))


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_what_was_under_way_at_a_death_is_on_disk(collector, spool, end):
    """
    A kill with eight requests under way: the next process sends all that was
    not answered, and nothing is taken twice.
    """
    collector.add_fault(Fault(delay=60, taken=False), times=8)
    runner.run(
        f"""
        import os, workload
        {MANY}
        log("p", 3000)
        client.flush()
        workload.wait_asked(8)
        {end}
        """,
        url=collector.url,
        RINGAMP_TEST_OPTIONS=spool.env(),
    )
    collector.clear_faults()
    pass_on(spool, collector.url)

    assert collector.took_once(("p", 3000), ("heir", 1))
    assert spool.files() == []
