# SPDX-License-Identifier: MIT
"""
gunicorn with a spool: however a worker ends, what it had logged arrives once,
and what it could not send itself is sent by the others within seconds.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from importlib.util import find_spec

import pytest
import runner
from passing import pass_on
from servers import INSISTENT, Site

pytest.importorskip("gunicorn")
pytestmark = [pytest.mark.process, pytest.mark.slow]

CLASSES = {
    "sync": (),
    "gthread": ("--threads", "4"),
    "gevent": (),
}

PRELOAD = {"plain": (), "preload": ("--preload",)}

SCANS = 30
"""Seconds in which leftovers must have been found: two looks, and the time
that a busy machine takes for them."""


MOST = 20
"""Requests after which workers end in some tests."""

CONF = """
import json, os

def note(what, worker):
    with open(os.environ["NOTES"], "ab", buffering=0) as notes:
        line = json.dumps({"what": what, "pid": worker.pid}) + "\\n"
        notes.write(line.encode())

def post_fork(server, worker):
    note("fork", worker)

def post_worker_init(worker):
    note("ready", worker)

def worker_exit(server, worker):
    note("exit", worker)
"""


def is_alive(pid):
    """
    Whether a worker runs; its master reaps those that have ended.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_at_rest(site, most):
    """
    Whether two workers run that have had less than *most* requests, and none
    is being started: that one knows no signals yet.
    """
    forked, ready, ended = (
        {note["pid"] for note in site.notes(what=what)}
        for what in ("fork", "ready", "exit")
    )
    living = {pid for pid in ready - ended if is_alive(pid)}
    return (
        forked == ready
        and len(living) == 2
        and all(len(site.by_pid[pid]) < most for pid in living)
    )


def stop(site, number=signal.SIGTERM, most=math.inf):
    """
    Stop a server, as soon as it is at rest.
    """
    assert runner.wait_until(lambda: is_at_rest(site, most))
    return site.stop(number)


@pytest.fixture
def serve(collector, spool, tmp_path):
    """
    Start gunicorn with two workers of this class. Nothing is sent before the
    end of a worker, except what others left.
    """

    def start(worker_class, *options, **env):
        if worker_class == "gevent" and find_spec("gevent") is None:
            pytest.skip("gevent is not installed")
        (tmp_path / "gunicorn.conf.py").write_text(CONF)
        chosen = spool.options(upload_interval_in_sec=60)
        return Site(
            tmp_path,
            [
                *(sys.executable, "-m", "gunicorn", "app:app"),
                *("--bind", "unix:{socket}", "--graceful-timeout", "8"),
                *("--workers", "2", "--worker-class", worker_class),
                *CLASSES[worker_class],
                *options,
            ],
            collector.url,
            OPTIONS=json.dumps(chosen),
            **env,
        )

    return start


@pytest.mark.parametrize("preload", PRELOAD)
@pytest.mark.parametrize("worker_class", CLASSES)
def test_scenario_14_a_reload_and_a_stop(
    collector, spool, serve, worker_class, preload
):
    """
    Through a HUP and a TERM every event arrives once, and nothing is left on
    disk.
    """
    with serve(worker_class, *PRELOAD[preload]) as site:
        before = site.ask_all(40)
        site.send(signal.SIGHUP)
        site.ask_others(before)
        run = stop(site)

    assert (run.code, run.hung) == (0, False)
    assert not runner.blames_us(run)
    assert collector.took_once(("r", site.asked))
    assert spool.files() == []


@pytest.mark.parametrize(
    ("worker_class", "preload"),
    [("sync", "preload"), ("gthread", "plain"), ("gevent", "preload")],
)
def test_scenario_14_workers_that_end_after_some_requests(
    collector, spool, serve, worker_class, preload
):
    """
    With `max_requests` workers come and go; none loses or leaves anything.
    """
    recycling = ("--max-requests", str(MOST))
    with serve(worker_class, *PRELOAD[preload], *recycling) as site:
        assert runner.wait_until(
            lambda: site.ask(20, INSISTENT) and len(site.by_pid) > 2
        )
        run = stop(site, most=MOST)

    assert (run.code, run.hung) == (0, False)
    assert not runner.blames_us(run)
    assert collector.took_once(("r", site.asked))
    assert spool.files() == []


@pytest.mark.parametrize("worker_class", CLASSES)
def test_scenario_14_a_quick_stop(collector, spool, serve, worker_class):
    """
    QUIT ends the workers at once, and they send what is left. One of gthread
    may lock itself up in the handler of that signal, while it starts a thread
    for a request; it is killed, and leaves its events to whoever comes next.
    """
    with serve(worker_class, "--graceful-timeout", "3") as site:
        site.ask_all(40)
        run = stop(site, signal.SIGQUIT)
    pass_on(spool, collector.url)

    assert (run.code, run.hung) == (0, False)
    assert not runner.blames_us(run)
    assert collector.took_once(("r", site.asked), ("heir", 1))
    assert spool.files() == []


@pytest.mark.parametrize(
    ("worker_class", "preload"),
    [("sync", "plain"), ("gthread", "preload"), ("gevent", "plain")],
)
def test_scenario_14_a_worker_that_is_stuck_in_c(
    collector, spool, serve, worker_class, preload
):
    """
    A worker that is stuck in C code, with the GIL, is killed by the arbiter;
    the others send what it had logged, its last event included.
    """
    # An idle worker of gthread gives a sign of life each second.
    with serve(worker_class, *PRELOAD[preload], "--timeout", "2") as site:
        workers = site.ask_all(40)
        last = site.harm("/stuck")
        assert runner.wait_until(lambda: site.ask(2) - workers, 60)
        (pid,) = workers - site.ask_all(4)
        lost = site.by_pid[pid] | {last}
        assert runner.wait_until(
            lambda: lost <= collector.tags().keys(), SCANS
        )
        run = stop(site)

    assert (run.code, run.hung) == (0, False)
    assert "WORKER TIMEOUT" in run.err
    assert not runner.blames_us(run)
    assert collector.took_once(("r", site.asked))
    assert spool.files() == []


@pytest.mark.parametrize("worker_class", ["sync", "gevent"])
def test_scenario_21_a_master_with_greenlets(
    collector, spool, serve, worker_class
):
    """
    An application that puts gevent in place while a master loads it, and logs
    there: the master's flusher is a greenlet, which every fork copies.
    """
    with serve(
        worker_class, "--preload", AT_IMPORT="master", PATCH="gevent"
    ) as site:
        site.ask_all(40)
        run = stop(site)

    assert (run.code, run.hung) == (0, False)
    assert not runner.blames_us(run)
    assert collector.took_once(("r", site.asked), ("master", 10))
    assert collector.summary().duplicates == 0
    assert spool.files() == []


@pytest.mark.parametrize("harm", ["/kill", "/segfault"])
def test_scenario_4_a_worker_that_dies_in_a_request(
    collector, spool, serve, harm
):
    """
    What a worker had logged before the kernel killed it is sent by its
    sibling, also where the master is preloaded and has a ring of its own.
    """
    with serve("sync", "--preload", AT_IMPORT="master") as site:
        workers = site.ask_all(20)
        last = site.harm(harm)
        (pid,) = workers - site.ask_all(4)
        lost = site.by_pid[pid] | {last}
        assert runner.wait_until(
            lambda: lost <= collector.tags().keys(), SCANS
        )
        run = stop(site)

    assert (run.code, run.hung) == (0, False)
    assert not runner.blames_us(run)
    assert collector.took_once(("r", site.asked), ("master", 10))
    assert spool.files() == []


def test_scenario_5_a_master_that_is_killed(collector, spool, serve):
    """
    A whole server is killed at once, as the kernel does where a container
    has no memory left; the next one sends what all its processes had logged.
    """
    with serve("sync", "--preload", AT_IMPORT="each") as site:
        workers = site.ask_all(40)
        (load,) = site.notes(what="load")
        os.killpg(site.program.pid, signal.SIGKILL)
        site.program.wait(30)
        assert len(collector.events()) == 0
    with serve("sync") as next_site:
        next_site.numbers = site.numbers
        next_site.ask_all(4)
        assert runner.wait_until(
            lambda: len(collector.events()) >= site.asked + 10, SCANS
        )
        run = stop(next_site)

    assert (run.code, run.hung) == (0, False)
    assert len(workers) == 2
    assert collector.took_once(
        ("r", site.asked + next_site.asked), (f"load{load['pid']}", 10)
    )
    assert spool.files() == []
