# SPDX-License-Identifier: MIT
"""
uWSGI as a user starts it, which runs none of Python's fork hooks by default:
every request logs an event, all arrive.

They are stopped through the master's FIFO: uWSGI takes SIGTERM for a reload,
and with `--die-on-term` it ends workers at once, running no exit handler in
one that has answered a request and still writes its log line.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from servers import Site
from slowness import slow_but

pytestmark = pytest.mark.process

LIBC = ctypes.CDLL(None)

UWSGI = shutil.which("uwsgi", path=str(Path(sys.executable).parent))

OPTIONS = {
    "default": (),
    "master": ("--master", "--processes", "2"),
    "threads": ("--master", "--processes", "2", "--enable-threads"),
    "many threads": ("--master", "--processes", "2", "--threads", "3"),
    "lazy": ("--master", "--processes", "2", "--lazy-apps"),
    "fork hooks": (
        *("--master", "--processes", "2"),
        "--py-call-uwsgi-fork-hooks",
    ),
    "osafterfork": ("--master", "--processes", "2", "--py-call-osafterfork"),
}
if sys.version_info >= (3, 13):
    # An application that only answers dies there, too: uWSGI runs the hook of
    # a child without that before the fork, and 3.13 aborts on the lock.
    del OPTIONS["osafterfork"]


@pytest.fixture
def serve(collector, tmp_path):
    """
    Start uWSGI with these options.
    """
    if UWSGI is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have uWSGI: pip install uwsgi")
        pytest.skip("uWSGI is not installed: pip install uwsgi")

    def start(*options, **env):
        command = [UWSGI, "--home", sys.prefix, "--wsgi-file", "app.py"]
        given = ["--callable", "app", "--http-socket", "{socket}"]
        end = ["--die-on-term", "--need-app"]
        if "--master" in options:
            end += ["--master-fifo", "fifo", "--worker-reload-mercy", "8"]
        python_path = os.pathsep.join([".", *sys.path])
        return Site(
            tmp_path,
            [*command, *given, *end, *options],
            collector.url,
            **{"PYTHONPATH": python_path, **env},
        )

    return start


def command(tmp_path, letter):
    """
    Give the master a command, as soon as it listens: q stops, r reloads.
    """
    fifo = tmp_path / "fifo"

    def opened():
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None

    give_up = time.monotonic() + 30
    while (number := opened()) is None:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    os.write(number, letter)
    os.close(number)


def ask(site, count, options):
    """
    Make requests, until all workers have answered: uWSGI forgets to stop one
    that is still being started.
    """
    site.ask_all(count, 2 if "--master" in options else 1)


def stop(site, tmp_path, options):
    """
    Stop the server gracefully.
    """
    # Until no worker writes its log line any more: in the midst of that it
    # may end without its exit handlers, and nothing tells from outside.
    time.sleep(0.3)
    if "--master" in options:
        command(tmp_path, b"q")
        return site.program.wait(60)
    return site.stop()


@pytest.mark.parametrize("install", ["", "uwsgi"])
@pytest.mark.parametrize("options", slow_but(["threads"], OPTIONS))
def test_scenario_15_a_stop_loses_nothing(
    collector, serve, tmp_path, options, install
):
    """
    After a graceful stop every request's event has arrived once, with
    `install` or without, though nothing was sent before.
    """
    late = '{"uploadIntervalInSec": 60}'
    loads = 2 if options == "lazy" else 1
    with serve(*OPTIONS[options], INSTALL=install, OPTIONS=late) as site:
        ask(site, 60, OPTIONS[options])
        run = stop(site, tmp_path, OPTIONS[options])

    assert run.hung is False
    assert not re.search("Traceback|segmentation|Fatal", run.err)
    assert collector.took_once(("r", site.asked))
    assert {note["threads"] for note in site.notes(what="load")} == {1}
    installs = site.notes(what="install", threads=True)
    assert len(installs) == (loads if install else 0)


@pytest.mark.parametrize(
    "options",
    slow_but(["threads"], [name for name in OPTIONS if name != "default"]),
)
def test_scenario_15_a_reload_loses_nothing(
    collector, serve, tmp_path, options
):
    """
    A graceful reload replaces the workers in the midst of requests.
    """
    with serve(*OPTIONS[options]) as site:
        before = site.ask_all(40)
        command(tmp_path, b"r")
        site.ask_others(before)
        run = stop(site, tmp_path, OPTIONS[options])

    assert run.hung is False
    assert not re.search("Traceback|segmentation|Fatal", run.err)
    assert collector.took_once(("r", site.asked))


def test_a_reload_that_the_kernel_hands_to_the_flusher_loses_nothing(
    collector, serve, tmp_path
):
    """
    The main thread mostly gets a worker's SIGHUP, but any that takes it may;
    uWSGI's handler exits where it stands, and runs exit handlers in the main
    thread alone. So the flusher does not take it.
    """
    late = '{"uploadIntervalInSec": 60}'
    with serve(*OPTIONS["threads"], OPTIONS=late) as site:
        workers = site.ask_all(20)
        for pid in workers:
            threads = {
                int(t.name) for t in Path(f"/proc/{pid}/task").iterdir()
            }
            (flusher,) = threads - {pid}
            assert LIBC.tgkill(pid, flusher, signal.SIGHUP) == 0
        assert site.ask_all(20) == workers
        run = stop(site, tmp_path, OPTIONS["threads"])

    assert run.hung is False
    assert collector.took_once(("r", site.asked))


@pytest.mark.parametrize(
    "options", sorted({"master", "fork hooks", "osafterfork"} & OPTIONS.keys())
)
def test_scenario_15_a_master_that_logs_at_import(
    collector, serve, tmp_path, options
):
    """
    What is logged while the application is loaded is the master's to send,
    in a flush, since it must start no thread; the workers work.
    """
    with serve(*OPTIONS[options], AT_IMPORT="master", FLUSH="1") as site:
        site.ask_all(40)
        run = stop(site, tmp_path, OPTIONS[options])

    assert run.hung is False
    assert collector.took_once(("r", site.asked), ("master", 10))
