# SPDX-License-Identifier: MIT
"""
What holds for the tests of every folder: which of them run and how many side
by side, they find the modules that lie beside this file, they reach this
machine alone, and each begins when the threads of the one before have ended.

The slow ones are left out where a folder, or nothing, is asked for:

    pytest                              all but the slow ones
    pytest --all                        all
    pytest -m slow                      the slow ones alone
    pytest tests/process/test_kills.py  whatever is in that file
"""

from __future__ import annotations

import ipaddress
import os
import sys
import time
from pathlib import Path

import hypothesis
import pytest

TASKS = Path("/proc/self/task")

PATIENCE = 1.0
"""Seconds for which the threads of a test are waited for."""

BYTECODE = Path(__file__).resolve().parents[1] / ".pytest_cache" / "bytecode"
"""Where compiled modules are kept while the environment forbids to keep them
beside their sources: each of the processes that run tests, and each of the
hundreds that tests start, would compile all of them again."""

if sys.dont_write_bytecode and sys.pycache_prefix is None:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(BYTECODE)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

WORKERS_A_CORE = 3
"""Processes that run tests, for each core: most tests wait for something."""

LEFT_OUT = pytest.StashKey[int]()
"""How many slow tests do not run."""


hypothesis.settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser):
    """
    Add the option that leaves nothing out.
    """
    parser.addoption(
        "--all", action="store_true", help="run the slow tests as well"
    )


def _names_a_file(config):
    """
    Say whether a file or a test of it was asked for, not only folders.
    """
    return any(not Path(argument).is_dir() for argument in config.args)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """
    Run a file here, and what shall be seen while it is printed.
    """
    if _names_a_file(config) or config.option.capture == "no":
        return 0
    return WORKERS_A_CORE * len(os.sched_getaffinity(0))


def pytest_collection_modifyitems(config, items):
    """
    Leave the slow tests out, where nobody asked for them.
    """
    option = config.option
    if option.all or option.markexpr or _names_a_file(config):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in set(slow)]
    config.stash[LEFT_OUT] = len(slow)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """
    Hear from a worker how many it left out; each collects all tests.
    """
    left_out = getattr(node, "workeroutput", {}).get("left_out", 0)
    node.config.stash[LEFT_OUT] = left_out


def pytest_sessionfinish(session):
    """
    In a worker, tell that.
    """
    if hasattr(session.config, "workeroutput"):
        left_out = session.config.stash.get(LEFT_OUT, 0)
        session.config.workeroutput["left_out"] = left_out


def pytest_terminal_summary(terminalreporter, config):
    """
    Say what did not run, and how to run it.
    """
    left_out = config.stash.get(LEFT_OUT, 0)
    if left_out:
        terminalreporter.write_line(
            f"{left_out} slow tests were left out: `pytest --all` runs them "
            "too, `pytest -m slow` runs them alone",
            yellow=True,
        )


class AwayFromHomeError(Exception):
    """
    A test, or what it tests, was about to connect to another machine.
    """


def _stay_here(event, args):
    """
    Refuse connections of this process to other machines.

    A hook of the interpreter, since a socket of any class is to be seen.
    """
    if event != "socket.connect":
        return
    address = args[1]
    if not isinstance(address, tuple) or address[0] == "localhost":
        return
    host = str(address[0]).partition("%")[0]
    if not ipaddress.ip_address(host).is_loopback:
        raise AwayFromHomeError(f"a connection to {host}, which is not here")


sys.addaudithook(_stay_here)


@pytest.fixture(autouse=True)
def _quiet():
    """
    Wait for the threads that the test has started: a client's last ones end a
    moment after its shutdown, and the next test may count threads or files.
    """
    before = {*TASKS.iterdir()}
    yield
    give_up = time.monotonic() + PATIENCE
    while {*TASKS.iterdir()} - before and time.monotonic() < give_up:
        time.sleep(0.0005)
