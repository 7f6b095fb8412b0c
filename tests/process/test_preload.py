# SPDX-License-Identifier: MIT
"""
A master that loads the application and forks its workers, and processes that
start other programs.
"""

from __future__ import annotations

import pytest
import runner
from slowness import slow_but

pytestmark = pytest.mark.process

STRICT = ("-W", "error")
"""Any warning ends the program; comes after the one that is ignored."""


def test_scenario_13_a_silent_master_has_no_thread_and_no_warning(collector):
    """
    `init` starts nothing: the master has one thread, its forks warn of
    nothing on any Python, and its workers log.
    """
    run = runner.run(
        """
        import ringamp, threading, workload
        client = workload.begin()
        billing = ringamp.get_instance("billing").init(
            workload.KEY, server_url=workload.os.environ["RINGAMP_TEST_URL"])
        client.flush().result(0)
        client.stats()
        workload.tell(who="master", kernel=workload.threads(),
                      python=threading.active_count(),
                      sockets=workload.sockets())

        def worker(name):
            workload.log(client, name, 10)
            workload.log(billing, f"{name}b", 10)
            ringamp.shutdown_all()

        pids = [workload.fork(worker, f"w{n}") for n in range(4)]
        workload.tell(who="end", codes=[workload.reap(pid) for pid in pids],
                      kernel=workload.threads())
        """,
        url=collector.url,
        flags=STRICT,
    )

    assert (run.code, run.err) == (0, "")
    master, end = run.told
    idle = {"kernel": 1, "python": 1, "sockets": 0}
    assert master == {"who": "master", **idle}
    assert (end["codes"], end["kernel"]) == ([0, 0, 0, 0], 1)
    pairs = [(f"w{n}{which}", 10) for n in range(4) for which in ("", "b")]
    assert collector.took_once(*pairs)


def test_scenario_13_a_master_that_logs_at_import_sends_its_own(collector):
    """
    Events logged while the application is loaded are the master's; workers
    forked right after send theirs and no other.
    """
    run = runner.run(
        """
        import workload
        client = workload.begin()
        workload.log(client, "m", 10)
        pids = [
            workload.fork(lambda name: (workload.log(client, name, 10),
                                        client.shutdown()), f"w{n}")
            for n in range(4)]
        workload.tell(codes=[workload.reap(pid) for pid in pids])
        """,
        url=collector.url,
    )

    assert (run.code, run.err, run.told) == (0, "", [{"codes": [0] * 4}])
    assert collector.took_once(("m", 10), *((f"w{n}", 10) for n in range(4)))


STARTS = [
    "subprocess.run(command, check=True)",
    "subprocess.run(command, check=True, close_fds=False)",
    "subprocess.run(command, check=True, preexec_fn=lambda: None)",
    "os.waitpid(os.posix_spawn(command[0], command, os.environ), 0)",
    "os.spawnv(os.P_WAIT, command[0], command)",
    # As uvloop does: Python's hooks run, and then the child's program.
    "os.fork() or os.execv(command[0], command); os.wait()",
]


@pytest.mark.parametrize(
    "how", slow_but(["subprocess.run(command, check=True)"], STARTS)
)
def test_scenario_10_starting_programs_leaves_the_flusher_alone(
    collector, spool, how
):
    """
    A thousand programs in all are started while events are logged: the
    flusher goes on, nothing is reset, and no program inherits a descriptor of
    ours, be it a socket or a file of the spool.
    """
    run = runner.run(
        f"""
        import os, subprocess, workload
        client = workload.begin()
        workload.log(client, "p", 1)
        client.flush().result(30)
        session, thread = client._session, client._session._flusher._thread
        assert workload.sockets() == 1
        for number in range(170):
            workload.log(client, "p", 10, first=1 + 10 * number)
            command = ["/bin/true"]
            if number % 10 == 0:
                command = ["/bin/ls", "-l", "/proc/self/fd"]
            {how}
        client.flush().result(30)
        stats = client.stats()
        same = (client._session is session
                and session._flusher._thread == thread
                and workload.threads() == 2)
        workload.tell(same=same, retries=stats.retries,
                      delivered=stats.delivered)
        """,
        url=collector.url,
        RINGAMP_TEST_OPTIONS=spool.env(),
    )

    assert (run.code, run.err) == (0, "")
    assert run.told == [{"same": True, "retries": 0, "delivered": 1701}]
    assert "socket:" not in run.out
    assert ".ring" not in run.out
    assert str(spool.path) not in run.out
    assert run.out.count("total 0") == 17
    assert collector.took_once(("p", 1701))
    assert spool.files() == []
