# SPDX-License-Identifier: MIT
"""
gunicorn as a user starts it: every request logs an event, all arrive.
"""

from __future__ import annotations

import os
import signal
import sys

import pytest
import runner
from servers import INSISTENT, Site
from slowness import slow_but

pytest.importorskip("gunicorn")
pytestmark = pytest.mark.process

CLASSES = {
    "sync": ("--workers", "2"),
    "gthread": ("--workers", "2", "--threads", "4"),
}

PRELOAD = [(), ("--preload",)]

LATE = {"OPTIONS": '{"uploadIntervalInSec": 60}'}

HOOKS = """
from ringamp.integrations import gunicorn as hooks

def post_fork(server, worker):
    hooks.post_fork(server, worker)
    import workload
    with open(__import__("os").environ["NOTES"], "a") as notes:
        notes.write('{"what": "fork", "threads": %d}\\n' % workload.threads())

def worker_exit(server, worker):
    hooks.worker_exit(server, worker)
    import app, workload
    app.note(what="exit", stats=workload.counts(app.client))
"""


@pytest.fixture
def serve(collector, tmp_path):
    """
    Start gunicorn with these options. Nothing is sent before the end of a
    worker, so that all depends on it.
    """

    def start(*options, hooks=False, **env):
        (tmp_path / "gunicorn.conf.py").write_text(HOOKS if hooks else "")
        command = [sys.executable, "-m", "gunicorn", "app:app"]
        bind = ["--bind", "unix:{socket}", "--graceful-timeout", "8"]
        return Site(
            tmp_path, [*command, *bind, *options], collector.url, **LATE, **env
        )

    return start


@pytest.mark.parametrize("hooks", slow_but([True], [False, True]))
@pytest.mark.parametrize("preload", slow_but(PRELOAD[1:], PRELOAD))
@pytest.mark.parametrize("worker_class", slow_but(["sync"], CLASSES))
def test_scenario_14_term_loses_nothing(
    collector, serve, worker_class, preload, hooks
):
    """
    After TERM every request's event has arrived once, hooks or none.
    """
    options = CLASSES[worker_class]
    with serve(
        *("--worker-class", worker_class), *options, *preload, hooks=hooks
    ) as site:
        # Of both workers, since one that has just been forked knows no TERM.
        site.ask_all(80)
        run = site.stop()

    assert (run.code, run.hung) == (0, False)
    assert "Traceback" not in run.err
    assert collector.took_once(("r", site.asked))
    loads = site.notes(what="load")
    assert len(loads) == (1 if preload else 2)
    assert {note["threads"] for note in loads} == {1}
    exits = site.notes(what="exit")
    assert len(exits) == (2 if hooks else 0)
    assert len(site.notes(what="fork", threads=1)) == len(exits)
    delivered = 0
    for note in exits:
        assert note["stats"]["delivered"] == note["stats"]["logged"]
        delivered += note["stats"]["delivered"]
    assert delivered == (site.asked if hooks else 0)


@pytest.mark.parametrize("preload", slow_but(PRELOAD[1:], PRELOAD))
@pytest.mark.parametrize("worker_class", slow_but(["sync"], CLASSES))
def test_scenario_14_hup_loses_nothing(
    collector, serve, worker_class, preload
):
    """
    A reload replaces the workers in the midst of it; nothing is lost.
    """
    options = CLASSES[worker_class]
    with serve(*("--worker-class", worker_class), *options, *preload) as site:
        before = site.ask_all(40)
        site.send(signal.SIGHUP)
        site.ask_others(before)
        run = site.stop()

    assert (run.code, run.hung) == (0, False)
    assert "Traceback" not in run.err
    assert collector.took_once(("r", site.asked))


@pytest.mark.slow
@pytest.mark.parametrize("worker_class", CLASSES)
def test_scenario_14_max_requests_lose_nothing(collector, serve, worker_class):
    """
    Workers that end after a few requests send what they logged.
    """
    options = CLASSES[worker_class]
    with serve(
        *("--worker-class", worker_class),
        *options,
        *("--preload", "--max-requests", "10"),
    ) as site:
        workers = set()
        for _ in range(12):
            workers |= site.ask(10, INSISTENT)
        run = site.stop()

    assert (run.code, run.hung) == (0, False)
    assert len(workers) > 4
    assert collector.took_once(("r", 120))


@pytest.mark.parametrize("worker_class", slow_but(["sync"], CLASSES))
def test_scenario_13_a_master_that_logs_while_it_preloads(
    collector, serve, worker_class
):
    """
    What is logged at import is the master's, which sends it once.
    """
    with serve(
        *("--worker-class", worker_class, "--preload"),
        *CLASSES[worker_class],
        AT_IMPORT="master",
    ) as site:
        site.ask_all(40)
        run = site.stop()

    assert (run.code, run.hung) == (0, False)
    assert collector.took_once(("r", site.asked), ("master", 10))


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
def test_scenario_14_a_quick_shutdown_loses_nothing(collector, serve, number):
    """
    QUIT and INT end the workers at once, through the interpreter's exit.
    """
    with serve(*CLASSES["sync"]) as s:
        s.ask_all(40)
        run = s.stop(number)

    assert (run.code, run.hung) == (0, False)
    assert collector.took_once(("r", s.asked))


def test_scenario_14_a_worker_timeout_loses_nothing(collector, serve):
    """
    The arbiter aborts a worker that is stuck in Python code with SIGABRT; it
    sends what it had logged before it ends.
    """
    with serve(
        *("--workers", "1"),
    ) as site:
        (pid,) = site.ask(20)
        os.kill(pid, signal.SIGABRT)
        assert runner.wait_until(lambda: site.ask(1) != {pid})
        run = site.stop()

    assert (run.code, run.hung) == (0, False)
    assert collector.took_once(("r", site.asked))
