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


def run(*command):
    """
    Run a command to its end, within a minute.
    """
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
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
    assert done.stdout.count("The service:") == 4


@pytest.mark.parametrize("fault", ["status=403", "status=200, taken=False"])
def test_a_lost_event_is_noticed(fault):
    """
    Where the service refuses events, or only says that it took them, the
    demo says so with its exit code: it does not believe the workers.
    """
    done = run(sys.executable, "-c", SABOTAGED.format(fault=fault))

    assert done.returncode == 1, done.stdout + done.stderr
    assert cell(done.stdout, "lost") > 0


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
    deadline = time.monotonic() + 30
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
