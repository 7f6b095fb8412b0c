# SPDX-License-Identifier: MIT
"""
`ringamp demo`, run as a user runs it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

DEMO = [sys.executable, "-W", "error", "-m", "ringamp", "demo"]

SABOTAGED = """
import sys
from ringamp.cli import demo, main
from ringamp.collector import Fault
demo.misfortunes = lambda: [demo.Misfortune(0.0, Fault({fault}), 1, "worse")]
sys.argv = ["ringamp", "demo", "--events", "20000"]
main.main()
"""

DOUBLED = """
import sys
import ringamp
from ringamp.cli import demo, main
make = demo.an_event
def an_event(index, number):
    if number in (8, 9, 10):
        ringamp.get_instance().log_event(make(index, number))
    return make(index, number)
demo.an_event = an_event
sys.argv = ["ringamp", "demo", "--events", "2000", "--workers", "1"]
main.main()
"""

KILLED = """
import os, signal, sys
from ringamp.cli import demo, main
make = demo.an_event
def an_event(index, number):
    if (index, number) == (1, 3000):
        os.kill(os.getpid(), signal.SIGKILL)
    return make(index, number)
demo.an_event = an_event
sys.argv = ["ringamp", "demo", "--events", "20000", "--workers", "3"]
main.main()
"""


LOSSES = ["status=403", "status=200, taken=False"]


def run(*command):
    """
    Run a command to its end, within a minute.
    """
    return subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False
    )


def cell(output, name):
    """
    Read a row of the demo's table.
    """
    found = re.search(rf"│ {re.escape(name)} +│ +([\d,.]+) │", output)
    assert found is not None, output
    return float(found[1].replace(",", ""))


def test_the_demo_loses_and_doubles_nothing():
    """
    The faults happen, and the table shows every event delivered once.
    """
    done = run(*DEMO, "--events", "40001", "--workers", "3")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert cell(done.stdout, "logged") == 40001
    assert cell(done.stdout, "delivered") == 40001
    for nothing in ("rejected", "dropped", "lost", "duplicates"):
        assert cell(done.stdout, nothing) == 0
    assert cell(done.stdout, "retries") >= 1
    assert cell(done.stdout, "microseconds per log_event (median)") > 0
    assert "Faults: 429 x5, 500 x1, reset after x1, delay x1" in done.stdout
    assert cell(done.stdout, "copies resent, which the service dropped") > 0


@pytest.mark.slow
@pytest.mark.parametrize("fault", LOSSES)
def test_a_lost_event_is_noticed(fault):
    """
    Where the service refuses events, or only says that it took them, the
    demo says so with its exit code: it does not believe the workers.
    """
    done = run(sys.executable, "-c", SABOTAGED.format(fault=fault))

    assert done.returncode == 1, done.stdout + done.stderr
    assert cell(done.stdout, "lost") > 0


@pytest.mark.slow
def test_an_event_taken_twice_is_noticed():
    """
    Where a worker logs an event a second time, it has an insert_id of its
    own and each counts as delivered; the demo sees that it was doubled.
    """
    done = run(sys.executable, "-c", DOUBLED)

    assert done.returncode == 1, done.stdout + done.stderr
    assert cell(done.stdout, "duplicates") == 3
    assert cell(done.stdout, "lost") == 0


@pytest.mark.slow
def test_a_worker_that_is_killed_is_noticed():
    """
    Events that die with a worker are lost, and the demo ends and says so.
    """
    done = run(sys.executable, "-c", KILLED)

    assert done.returncode == 1, done.stdout + done.stderr
    assert cell(done.stdout, "lost") > 0
    assert cell(done.stdout, "workers that ended early") == 1


def test_an_interrupted_demo_leaves_no_process():
    """
    Ctrl-C ends the workers and the collector as well.
    """
    demo = subprocess.Popen(
        [*DEMO, "--events", "2000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + 100
    while len(members(demo.pid)) < 6 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(members(demo.pid)) == 6, "demo, collector and four workers"

    os.killpg(demo.pid, signal.SIGINT)
    demo.communicate(timeout=30)

    while members(demo.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members(demo.pid) == []


def members(group):
    """
    List the living processes of a process group.
    """
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(entry.name)
    return found
