# SPDX-License-Identifier: MIT
"""
Forks that run none of Python's hooks, and one that runs no hook at all.
"""

from __future__ import annotations

import platform
import sys

import pytest
import runner
from slowness import slow_but

from ringamp import bindings
from ringamp.collector import Fault

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="forks as Linux does"),
]

CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
"""The number of the system call; SIGCHLD and four zeros make it a fork."""

SOURCE = """
    import ctypes, os, signal, sys, workload
    client = workload.begin(shutdown_timeout_millis=4000)
    if sys.argv[1] == "logs":
        workload.log(client, "p", 5)
        workload.settle(client)
    libc = ctypes.PyDLL(None)
    FORKS = {
        "fork": lambda: libc.fork(),
        "clone": lambda: libc.syscall(
            ctypes.c_long(%s), ctypes.c_long(signal.SIGCHLD), 0, 0, 0, 0),
    }
    hooks = []
    os.register_at_fork(after_in_child=lambda: hooks.append(1))

    def life(name, kind, depth):
        workload.log(client, name, 6)
        if depth:
            workload.settle(client)
            pid = FORKS[kind]()
            if not pid:
                workload.leave(life, name + "g", kind, depth - 1)
            assert workload.reap(pid) == 0
        workload.tell(who=name, hooks=len(hooks), threads=workload.threads())
        client.shutdown()

    kind = sys.argv[2]
    pid = FORKS[kind]()
    if not pid:
        workload.leave(life, "c", kind, 1)
    code = workload.reap(pid)
    workload.log(client, "q", 5)
    client.shutdown()
    workload.tell(who="parent", code=code)
"""


@pytest.mark.parametrize("parent", ["logs", "is silent"])
@pytest.mark.parametrize("kind", slow_but(["fork"], ["fork", "clone"]))
def test_a_fork_by_c_code_is_noticed(collector, kind, parent):
    """
    Children and grandchildren that C code made log, shut down and end by
    `os._exit`; all arrives once, whether or not libc's handlers ran.
    """
    if kind == "clone":
        if CLONE is None:
            pytest.skip(f"no number of clone for {platform.machine()}")
        if not bindings.lib.ra_generation_wipes():
            pytest.skip("this kernel does not wipe on fork")
    run = runner.run(SOURCE % CLONE, parent, kind, url=collector.url)

    assert (run.code, run.hung, run.err) == (0, False, "")
    for name in ("c", "cg"):
        assert run.the(who=name)["hooks"] == 0
        assert run.the(who=name)["threads"] == 2
    assert run.the(who="parent")["code"] == 0
    logged = [("c", 6), ("cg", 6), ("q", 5)]
    if parent == "logs":
        logged.append(("p", 5))
    assert collector.took_once(*logged)


def test_a_hookless_child_needs_no_lock_of_the_parents_threads(collector):
    """
    A thread of the parent sits inside `threading` and `logging` locks when C
    code forks; the child sends, even where requests fail on the way.
    """
    source = """
    import ctypes, logging, threading, time, workload
    client = workload.begin()
    workload.log(client, "p", 2)
    workload.settle(client)
    held, enough = threading.Event(), threading.Event()

    def hold():
        with logging._lock, threading._active_limbo_lock:
            held.set()
            enough.wait(30)

    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    time.sleep(0.05)  # Until it sleeps, see workload.settle.
    pid = ctypes.PyDLL(None).fork()

    def child():
        client.log_event({"event_type": "no id"})
        workload.log(client, "c", 6)
        client.shutdown()

    if not pid:
        workload.leave(child)
    workload.tell(code=workload.reap(pid))
    workload.os._exit(0)
    """
    collector.add_fault(Fault())  # The parent's request goes well.
    collector.add_fault(Fault(status=500), times=2)
    run = runner.run(source, url=collector.url)

    assert (run.code, run.hung, run.told) == (0, False, [{"code": 0}])
    assert collector.took_once(("p", 2), ("c", 6))
