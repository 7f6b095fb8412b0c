# SPDX-License-Identifier: MIT
"""
What the programs of the process tests have in common: a client of the
collector, events that can be told apart, and a way to tell the test.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path

import ringamp

KEY = "0123456789abcdef0123456789abcdef"

HANG = 30.0
"""Seconds after which a process counts as hung."""

faulthandler.enable()


def begin(**options):
    """
    Initialise the default instance, with the options that the test wants as
    well. A busy machine may take its time for an exit.
    """
    url = options.pop("server_url", os.environ["RINGAMP_TEST_URL"])
    wanted = json.loads(os.environ.get("RINGAMP_TEST_OPTIONS", "{}"))
    usual = {"shutdown_timeout_millis": 60_000}
    return ringamp.init(KEY, server_url=url, **{**usual, **wanted, **options})


def event(tag):
    """
    Make an event that *tag* tells from all others.
    """
    return {
        "event_type": "process test",
        "user_id": "datamonster@gmail.com",
        "event_properties": {"tag": tag},
    }


def log(client, name, count, first=0):
    """
    Log events *name*-0, *name*-1 and so on; return their receipts.
    """
    return [
        client.log_event(event(f"{name}-{number}"))
        for number in range(first, first + count)
    ]


def wait_alone(seconds=30):
    """
    Wait until the spool holds our own ring's file and nothing else.
    """
    path = Path(ringamp.get_instance().options.spool_dir)
    give_up = time.monotonic() + seconds
    while sum(not each.is_dir() for each in path.rglob("*")) > 1:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def wait_asked(requests=1, seconds=30):
    """
    Wait until so many requests have come to the collector, answered or not.
    """
    address = os.environ["RINGAMP_TEST_URL"].replace(
        "2/httpapi", "_collector/summary"
    )
    give_up = time.monotonic() + seconds
    while True:
        with urllib.request.urlopen(address, timeout=seconds) as answer:
            if json.load(answer)["requests"] >= requests:
                return
        assert time.monotonic() < give_up
        time.sleep(0.01)


def tell(**fields):
    """
    Tell the test something. One write, so lines of processes do not mix.
    """
    os.write(1, json.dumps(fields).encode() + b"\n")


def counts(client):
    """
    Return the counters that must agree.
    """
    stats = client.stats()
    names = ("logged", "delivered", "rejected", "dropped", "pending")
    return {name: getattr(stats, name) for name in names}


def reap(pid, seconds=HANG):
    """
    Wait for a child; return its exit code, or "hung" for one that outlives
    *seconds*, which then prints its stacks and is killed.
    """
    give_up = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > give_up:
            os.kill(pid, signal.SIGABRT)
            os.waitpid(pid, 0)
            return "hung"
        time.sleep(0.005)


def fork(work, *args):
    """
    Fork a child that does *work* and ends by `os._exit`; return its pid.
    """
    pid = os.fork()
    if pid:
        return pid
    leave(work, *args)
    return None


def leave(work, *args):
    """
    Do *work* and end this process at once, with 0 if nothing was raised.
    """
    code = 1
    try:
        work(*args)
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def threads():
    """
    Count the threads of this process that the kernel knows.
    """
    return len(list(Path("/proc/self/task").iterdir()))


def sockets():
    """
    Count the sockets this process has open.
    """
    count = 0
    for file in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # That of the listing itself.
            count += str(file.readlink()).startswith("socket:")
    return count


def settle(client):
    """
    Wait until the flusher has nothing to do and sleeps.

    A fork that runs none of Python's hooks leaves a child that cannot switch
    threads, if at that moment a thread waits for the GIL: the GIL's own
    condition variable is copied with a waiter that does not exist.
    """
    client.flush().result(HANG)
    time.sleep(0.05)
