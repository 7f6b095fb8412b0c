# SPDX-License-Identifier: MIT
"""
What holds for the tests of every folder: they find the modules that lie
beside this file, they reach this machine alone, and each begins when the
threads of the one before have ended.
"""

from __future__ import annotations

import ipaddress
import sys
import time
from pathlib import Path

import pytest

TASKS = Path("/proc/self/task")

PATIENCE = 1.0
"""Seconds for which the threads of a test are waited for."""


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
