# SPDX-License-Identifier: MIT
"""
The README's quick start runs: its blocks as they stand, but for the URL that
is given to `init`, as the README itself says to do it, and an interval so
long that all depends on how the process ends.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter

import pytest
from documents import TEXTS, python_blocks

from ringamp.collector import Collector, Settings

pytestmark = pytest.mark.process

SCRIPT, GUNICORN, CELERY, FASTAPI, ERRORS = python_blocks(TEXTS["README.md"])

SHUTDOWN = "    await asyncio.to_thread(client.shutdown)\n"
"""What the block for FastAPI does when a worker ends."""


@pytest.fixture
def collector():
    """
    The service.
    """
    with Collector(settings=Settings(throttle=False)) as made:
        yield made


@pytest.fixture
def write(collector, tmp_path):
    """
    Write a block into a file, with the service's URL in it.
    """

    def put(name, block):
        options = f'server_url="{collector.url}", upload_interval_in_sec=60'
        text, count = re.subn(r'"API_KEY"', f'"API_KEY", {options}', block)
        assert count == 1
        (tmp_path / name).write_text(text)

    return put


@pytest.fixture
def started(tmp_path):
    """
    Start programs in the folder of the block; what they say is read from
    stderr. None of them outlives its test.
    """
    with contextlib.ExitStack() as stack:

        def start(*command):
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=tmp_path,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.communicate)
            stack.callback(process.terminate)
            return process

        yield start


def run(tmp_path, *arguments):
    """
    Run Python to its end; give what it printed.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def port_of(process, words):
    """
    Read the port from the line in which a server says where it listens.
    """
    for line in process.stderr:
        if found := re.search(rf"{words} http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError("the server did not start")


def get(port, cookie=None):
    """
    Request a page; give the cookie that it sets, if any.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        headers = {} if cookie is None else {"Cookie": cookie}
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (200, 204)
        return (answer.getheader("Set-Cookie") or "").partition(";")[0]


def visit(port):
    """
    Be one visitor who views three pages, and two who view one each.
    """
    cookie = get(port)
    again = [get(port, cookie), get(port, cookie)]

    assert cookie.startswith("device=")
    assert again == ["", ""]
    get(port)
    get(port)


def views(collector):
    """
    Count the page views of each visitor, the most first.
    """
    events = collector.ledger.events()
    assert {event["event_type"] for event in events} <= {"Page Viewed"}
    seen = Counter(event["device_id"] for event in events)
    return sorted(seen.values(), reverse=True)


def test_the_script_sends(write, collector, tmp_path):
    """
    The event is at the service when the flush is over.
    """
    write("script.py", SCRIPT)

    run(tmp_path, "script.py")

    (event,) = collector.ledger.events()
    assert event["event_type"] == "Checkout"
    assert event["event_properties"] == {"items": 3, "total": 41.5}


def test_the_script_sends_without_the_flush(write, collector, tmp_path):
    """
    Where it waits for nothing, the interpreter's exit sends.
    """
    without, count = re.subn(
        r"^client\.flush.*\n", "", SCRIPT, flags=re.MULTILINE
    )
    assert count == 1
    write("script.py", without)

    run(tmp_path, "script.py")

    assert collector.ledger.summary().accepted == 1


@pytest.mark.parametrize("preload", [(), ("--preload",)])
def test_the_gunicorn_app_sends(write, started, collector, preload):
    """
    The workers send what they logged when the server ends, and one visitor
    has one device id.
    """
    write("app.py", GUNICORN)
    server = started(
        *("gunicorn", "--workers", "2", "--bind", "127.0.0.1:0"),
        *(*preload, "app:app"),
    )
    visit(port_of(server, "Listening at:"))
    server.terminate()
    server.communicate(timeout=30)

    assert server.returncode == 0
    assert views(collector) == [3, 1, 1]


def test_the_fastapi_app_sends(write, started, collector):
    """
    What was logged right before SIGTERM arrives, since the lifespan ends
    with a shutdown.
    """
    write("main.py", FASTAPI)
    server = started("uvicorn", "main:app", "--port", "0")
    visit(port_of(server, "running on"))
    server.terminate()
    server.communicate(timeout=30)

    assert views(collector) == [3, 1, 1]


def test_uvicorn_needs_the_lifespan(write, started, collector):
    """
    Without that line SIGTERM loses events, as the README says.
    """
    assert SHUTDOWN in FASTAPI
    write("main.py", FASTAPI.replace(SHUTDOWN, ""))
    server = started("uvicorn", "main:app", "--port", "0")
    visit(port_of(server, "running on"))
    server.terminate()
    server.communicate(timeout=30)

    assert server.returncode == -signal.SIGTERM
    assert views(collector) == []


@pytest.fixture
def broker(tmp_path):
    """
    Run a Redis of our own on a free port of the loopback.
    """
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have Redis: apt-get install redis-server")
        pytest.skip("there is no redis-server: apt-get install redis-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(program, "--bind", "127.0.0.1", "--port", str(port)),
        *("--save", "", "--dir", tmp_path),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True
    ) as server:
        said = iter(server.stdout.readline, "")
        assert any("Ready to accept connections" in line for line in said)
        yield f"redis://127.0.0.1:{port}"
        server.terminate()
        server.communicate(timeout=10)


@pytest.mark.slow
def test_the_celery_task_sends(write, started, broker, collector, tmp_path):
    """
    Tasks that a worker's processes ran have logged, and their events are
    sent when the worker ends.
    """
    assert '"redis://localhost"' in CELERY
    write("tasks.py", CELERY.replace("redis://localhost", broker))
    run(
        tmp_path,
        "-c",
        "import tasks; [tasks.charge.delay(f'user-{n}', n) for n in range(5)]",
    )
    worker = started(
        *("celery", "--app", "tasks", "worker"),
        *("--concurrency", "2", "--loglevel", "INFO"),
    )
    for _ in range(5):
        assert any(" succeeded in " in line for line in worker.stderr)
    worker.terminate()
    worker.communicate(timeout=30)

    events = collector.ledger.events()
    assert sorted(event["user_id"] for event in events) == [
        f"user-{number}" for number in range(5)
    ]


def test_the_errors_are_told(write, collector, tmp_path):
    """
    What the block prints is what its comments say.
    """
    write("errors.py", ERRORS)
    promised = re.findall(r"print\(.*\) +# (.*)", ERRORS)

    reason, outcome, stats = run(tmp_path, "errors.py").splitlines()

    assert reason == promised[0]
    assert outcome == reason.removeprefix("invalid ")
    for part in promised[2].split(", ..., "):
        assert part.removesuffix(", ...") in stats
    assert collector.ledger.summary().accepted == 0
