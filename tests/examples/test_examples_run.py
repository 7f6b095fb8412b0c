# SPDX-License-Identifier: MIT
"""
Every example runs as it stands, started as its reader starts it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ringamp.collector import Collector, Settings

pytestmark = pytest.mark.process

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

SAID = {
    "script.py": [
        "At once: queued",
        "In the end: success",
        "neither user_id nor device_id",
        "The collector took 3 events.",
    ],
    "middleware.py": [
        "Mozilla/5.0: queued",
        "Googlebot/2.1: skipped",
        "The collector took 2 events.",
    ],
    "custom_transport.py": ["5 events in the copy"],
    "custom_retry.py": ["success"],
}


@pytest.mark.parametrize("name", SAID)
def test_the_script_says_what_it_promises(name):
    """
    A script ends well and prints what its text says, and nothing else goes
    wrong on the way.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", name],
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in SAID[name]:
        assert words in done.stdout


@pytest.mark.parametrize("given", ["argument", "environment"])
def test_a_script_sends_where_it_is_told(given):
    """
    With a URL, as an argument or in the environment, a script sends there
    and starts no collector of its own.
    """
    with Collector() as collector:
        as_argument = given == "argument"
        done = subprocess.run(
            [
                sys.executable,
                "script.py",
                *([collector.url] if as_argument else []),
            ],
            cwd=EXAMPLES,
            env={
                **os.environ,
                "RINGAMP_URL": "" if as_argument else collector.url,
            },
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

        assert done.returncode == 0, done.stderr
        assert "The collector took" not in done.stdout
        assert collector.ledger.summary().accepted == 3


def get(url):
    """
    Read *url*.
    """
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def listens_at(server, words="Listening at: "):
    """
    Read a server's log up to the line that says where it listens.
    """
    for line in server.stderr:
        if words in line:
            return line.split(words)[1].split()[0]
    return pytest.fail("the server did not start")


def test_the_celery_task_logs():
    """
    The task, called as a function, logs its revenue event; what a real
    worker does is tested where the other servers are.
    """
    with Collector(settings=Settings(throttle=False)) as collector:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import celery_app; celery_app.charge('customer-1', 9.99)",
            ],
            cwd=EXAMPLES,
            env={**os.environ, "RINGAMP_URL": collector.url},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

        assert done.returncode == 0, done.stderr
        assert collector.ledger.summary().accepted == 1


@pytest.mark.parametrize("hooks", [(), ("--config", os.devnull)])
@pytest.mark.parametrize("preload", [(), ("--preload",)])
def test_the_gunicorn_app_loses_no_request(preload, hooks):
    """
    Each request that gunicorn's workers answered is one event at the
    collector after the server has ended, with the hooks of the file that
    gunicorn finds beside the app and without.
    """
    with Collector(settings=Settings(throttle=False)) as collector:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "--bind",
                "127.0.0.1:0",
                "--workers",
                "2",
                *preload,
                *hooks,
                "gunicorn_app:app",
            ],
            cwd=EXAMPLES,
            env={**os.environ, "RINGAMP_URL": collector.url},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            url = listens_at(server)
            answers = [get(f"{url}/shop") for _ in range(20)]
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)

        assert server.returncode == 0
        assert len(answers) == 20
        assert collector.ledger.summary().accepted == 20


def test_the_fastapi_app_loses_no_request():
    """
    Each request that uvicorn answered is one event at the collector after
    SIGTERM, although uvicorn then runs no exit handlers.
    """
    with Collector(settings=Settings(throttle=False)) as collector:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "--port", "0"),
                "fastapi_app:app",
            ],
            cwd=EXAMPLES,
            env={**os.environ, "RINGAMP_URL": collector.url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            url = listens_at(server, "running on ")
            answers = [get(f"{url}/") for _ in range(20)]
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)

        assert len(set(answers)) == 20, "each has a device id of its own"
        assert collector.ledger.summary().accepted == 20
