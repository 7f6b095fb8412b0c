# SPDX-License-Identifier: MIT
"""
The ways a process ends that has a spool: what it cannot send any more is on
disk, for whoever comes next.
"""

from __future__ import annotations

import signal

import pytest
import runner
from passing import pass_on
from slowness import slow_but
from test_exit import ENDS, IMPORTS

from ringamp.collector import Fault

pytestmark = pytest.mark.process

ORDERLY = (
    "sys.exit",
    "an exception",
    "a handler of SIGTERM",
    "KeyboardInterrupt",
    "a thread goes on that is no daemon",
)


@pytest.mark.parametrize("end", slow_but(ORDERLY[:3:2], ORDERLY))
def test_an_orderly_end_sends_all_and_leaves_nothing(collector, spool, end):
    """
    Where the interpreter comes to its end, all is sent, and no file is left.
    """
    line, code = ENDS[end]
    run = runner.run(
        f"""
        {IMPORTS}
        client = workload.begin()
        workload.log(client, "p", 500)
        {line}
        """,
        url=collector.url,
        RINGAMP_TEST_OPTIONS=spool.env(upload_interval_in_sec=60),
    )

    assert (run.code, run.hung) == (code, False)
    assert not runner.blames_us(run)
    late = [("late", 5)] if "late" in line else []
    assert collector.took_once(("p", 500), *late)
    assert spool.files() == []


DEATHS = {
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "abort": ("os.abort()", -signal.SIGABRT),
    "segfault": ("ctypes.string_at(0)", -signal.SIGSEGV),
    "_exit": ("os._exit(0)", 0),
    "exec": ("os.execv('/bin/true', ['true'])", 0),
    "fatal": ("ctypes.pythonapi.Py_FatalError(b'x')", -signal.SIGABRT),
}


@pytest.mark.parametrize("death", slow_but(["SIGKILL"], DEATHS))
def test_scenario_18_a_sudden_end_leaves_all_to_the_next(
    collector, spool, death
):
    """
    Where nothing of Python runs any more, the next process of the same
    project sends what was logged up to the last instant.
    """
    line, code = DEATHS[death]
    run = runner.run(
        f"""
        import ctypes, os, signal, workload
        client = workload.begin()
        workload.log(client, "p", 500)
        {line}
        """,
        url=collector.url,
        RINGAMP_TEST_OPTIONS=spool.env(upload_interval_in_sec=60),
    )
    assert (run.code, run.hung) == (code, False)
    assert collector.events() == []
    pass_on(spool, collector.url)

    assert collector.took_once(("p", 500), ("heir", 1))
    assert spool.files() == []


def test_scenario_4_crashes_are_found_within_a_scan(collector, spool):
    """
    A sibling that is at work sends what crashed workers had logged, by its
    next look at the spool.
    """
    run = runner.run(
        """
        import ctypes, os, time, workload
        client = workload.begin()

        def crash(name, call, *args):
            workload.log(client, name, 50)
            call(*args)

        workload.log(client, "p", 5)
        client.flush().result(30)
        codes = [
            workload.reap(workload.fork(crash, "s", ctypes.string_at, 0)),
            workload.reap(workload.fork(crash, "a", os.abort)),
        ]
        begin = time.monotonic()
        workload.wait_alone()
        stats = client.stats()
        workload.tell(codes=codes, seconds=time.monotonic() - begin,
                      adopted=stats.adopted, recovered=stats.recovered)
        """,
        url=collector.url,
        RINGAMP_TEST_OPTIONS=spool.env(),
    )

    assert (run.code, run.hung) == (0, False)
    (told,) = run.told
    assert told["codes"] == [-signal.SIGSEGV, -signal.SIGABRT]
    assert (told["adopted"], told["recovered"]) == (2, 100)
    assert told["seconds"] < 20
    assert collector.took_once(("p", 5), ("s", 50), ("a", 50))
    assert spool.files() == []


@pytest.mark.parametrize("has_spool", slow_but([True], [False, True]))
@pytest.mark.parametrize("answer", ["taken", "refused"])
def test_scenario_20_the_flusher_is_inside_a_request(
    collector, spool, answer, has_spool
):
    """
    The interpreter ends while the flusher waits for an answer that comes too
    late. It ends cleanly and in time; with a spool the next process sends
    what had no answer, and the service takes no event twice.
    """
    status = None if answer == "taken" else 503
    collector.add_fault(Fault(delay=30, status=status))
    options = spool.options() if has_spool else {}
    run = runner.run(
        f"""
        import workload
        client = workload.begin(
            shutdown_timeout_millis=300, **{options!r})
        workload.log(client, "p", 50)
        workload.wait_asked()
        workload.log(client, "q", 50)
        """,
        url=collector.url,
    )
    assert (run.code, run.hung, run.err) == (0, False, "")
    assert run.seconds < 20
    collector.clear_faults()
    if has_spool:
        pass_on(spool, collector.url)
        assert collector.took_once(("p", 50), ("q", 50), ("heir", 1))
        assert spool.files() == []


@pytest.mark.parametrize("begin", ["before", "inside"])
def test_scenario_20_an_exit_handler_begins_to_log(collector, spool, begin):
    """
    The first event of a process is logged by an exit handler, where 3.12
    starts no thread; the client may even be made there. Nothing hangs, and
    what is not sent is on disk.
    """
    early = "client = workload.begin()" if begin == "before" else ""
    late = "client = workload.begin()" if begin == "inside" else ""
    run = runner.run(
        f"""
        import atexit, workload
        {early}

        def last():
            global client
            {late}
            workload.log(client, "p", 5)

        atexit.register(last)
        """,
        url=collector.url,
        RINGAMP_TEST_OPTIONS=spool.env(),
    )
    assert (run.code, run.hung, run.err) == (0, False, "")
    pass_on(spool, collector.url)

    assert collector.took_once(("p", 5), ("heir", 1))
    assert spool.files() == []


def test_an_exit_while_others_rings_are_sent(collector, spool):
    """
    A process that ends in the midst of sending what a dead one left, to a
    service that answers late, leaves that to the next: none is lost, none
    taken twice.
    """
    options = spool.env(upload_interval_in_sec=60)
    died = runner.run(
        """
        import os, workload
        workload.log(workload.begin(), "dead", 500)
        os._exit(0)
        """,
        url=collector.url,
        RINGAMP_TEST_OPTIONS=options,
    )
    assert died.code == 0
    collector.add_fault(Fault(delay=1), times=None)
    run = runner.run(
        """
        import time, workload
        client = workload.begin(shutdown_timeout_millis=200)
        workload.log(client, "p", 1)
        while client.stats().adopted == 0:
            time.sleep(0.001)
        workload.wait_asked()
        """,
        url=collector.url,
        RINGAMP_TEST_OPTIONS=options,
    )
    assert (run.code, run.hung, run.err) == (0, False, "")
    collector.clear_faults()
    pass_on(spool, collector.url)

    assert collector.took_once(("dead", 500), ("p", 1), ("heir", 1))
    assert spool.files() == []
