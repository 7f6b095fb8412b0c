# SPDX-License-Identifier: MIT
"""
Tests of `ringamp.collector.process` and `python -m ringamp.collector`.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from forking import fork

from ringamp.collector import CollectorProcess, Fault, Loss, Settings

pytestmark = pytest.mark.process

EVENTS = [{"event_type": "x", "user_id": "alice", "insert_id": "a"}]

PARENT = """
import os, sys, time
from ringamp.collector import CollectorProcess
collector = CollectorProcess(counting=True)
collector.start()
print(collector.base_url, flush=True)
if os.fork() == 0:
    os.close(1)
    time.sleep(30)
    os._exit(0)
print("forked", flush=True)
time.sleep(30)
"""


def is_alive(pid):
    """
    Say whether a process runs.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def is_served(url):
    """
    Say whether somebody accepts connections there.
    """
    port = int(url.rpartition(":")[2])
    with contextlib.suppress(ConnectionError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    return False


def test_it_serves_and_can_be_asked(post):
    """
    The process takes options, events, faults and questions.
    """
    given = Settings(api_keys=frozenset({"KEY"}))
    with CollectorProcess(settings=given) as collector:
        pid = collector.pid
        assert post(collector.url, EVENTS).status == 200
        collector.add_fault(Fault(status=503), times=None)
        assert post(collector.batch_url, EVENTS).status == 503
        collector.clear_faults()

        assert collector.summary().statuses["503"] == 1
        assert collector.insert_ids() == ["a"]
        assert collector.check(["a"])
        assert collector.requests()[0].taken == 1
        with pytest.raises(ValueError, match="times"):
            collector.add_fault(Fault(), times=0)
        collector.reset()
        assert collector.summary().requests == 0

    assert not is_alive(pid)
    collector.stop()


def test_any_number_of_ids_can_be_checked():
    """
    A question larger than what is read at once is asked in parts.
    """
    names = [f"{number}-\u00e4{'x' * 300}" for number in range(20_000)]
    with CollectorProcess() as collector:
        said = collector.check(names)

    assert said.missing == names
    assert said.doubled == []


def test_losses_can_be_asked_for(post):
    """
    What the service drops silently is told by the process.
    """
    sent = [{**EVENTS[0], "groups": {"a": ["g"] * 11}}]
    with CollectorProcess() as collector:
        post(collector.url, sent)

        assert collector.losses() == [Loss("groups", "a", 1)]


def test_hosts_and_pages_can_be_allowed(pool):
    """
    The process is given whom it may serve.
    """
    page = "http://localhost:3000"
    with CollectorProcess(
        allow_hosts=["collector"], allow_origins=[page]
    ) as collector:
        url = f"{collector.base_url}/_collector/summary"
        named = pool.request("GET", url, headers={"Host": "collector:1"})
        asked = pool.request(
            "OPTIONS", collector.url, headers={"Origin": page}
        )

    assert (named.status, asked.status) == (200, 204)


WRONG_ARGUMENTS = {
    "port": (["--port", "99999"], 2, "99999"),
    "latency": (["--latency", "nan"], 2, "nan"),
    "host": (["--allow-host", "a/b"], 2, "a/b"),
    "origin": (["--allow-origin", "a"], 2, "origin"),
    "short ids": (["--short-ids", "a"], 2, "refuse"),
    "where": (["--host", "a..b"], 1, "cannot listen"),
}


@pytest.mark.parametrize("case", WRONG_ARGUMENTS)
def test_wrong_arguments_of_the_module_are_told(case):
    """
    Each ends with a line that says what is wrong, and with its exit code.
    """
    arguments, code, told = WRONG_ARGUMENTS[case]
    said = subprocess.run(
        [sys.executable, "-m", "ringamp.collector", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert said.returncode == code
    assert told in said.stderr.splitlines()[-1]
    assert "Traceback" not in said.stderr


def test_an_unknown_key_is_refused(post):
    """
    The settings reach the process whole.
    """
    given = Settings(api_keys=frozenset({"OTHER"}))
    with CollectorProcess(settings=given) as collector:
        assert post(collector.url, EVENTS).json()["error"] == "Invalid API key"


def test_it_ends_when_the_block_fails():
    """
    An exception in the block ends the process as well.
    """
    pids = []

    def fail():
        with CollectorProcess(counting=True) as collector:
            pids.append(collector.pid)
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert not is_alive(pids[0])


def test_a_fork_of_the_parent_does_not_end_it():
    """
    A child that leaves the block by itself leaves the process alone.
    """
    with CollectorProcess(counting=True) as collector:
        pid = fork()
        if pid == 0:
            collector.stop()
            os._exit(0)
        os.waitpid(pid, 0)

        assert collector.summary().requests == 0


def test_it_ends_when_its_parent_is_killed():
    """
    SIGKILL of the parent ends it, though a fork holds its stdin open.
    """
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True
    ) as parent:
        url = parent.stdout.readline().strip()
        assert parent.stdout.readline() == "forked\n"
        assert is_served(url)
        parent.kill()

    give_up = time.monotonic() + 30
    while is_served(url):
        assert time.monotonic() < give_up, "it lives on"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_module_prints_where_it_listens(number, pool):
    """
    `python -m ringamp.collector` prints one line of JSON, serves without a
    parent that watches, and ends well on a signal.
    """
    command = [sys.executable, "-m", "ringamp.collector", "--counting"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        ready = json.loads(process.stdout.readline())
        status = pool.request("POST", ready["url"], body=b"{}").status
        process.send_signal(number)

        assert status == 200
        assert process.wait(timeout=10) == 0
        assert process.stdout.read() == b""


def test_a_failed_start_is_told():
    """
    A port in use is an error here, and no process is left.
    """
    with CollectorProcess(counting=True) as first:
        port = int(first.base_url.rpartition(":")[2])
        second = CollectorProcess(port=port)
        with pytest.raises(RuntimeError, match="did not start"):
            second.start()
        with pytest.raises(RuntimeError, match="does not run"):
            second.summary()
