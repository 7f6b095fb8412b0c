# SPDX-License-Identifier: MIT
"""
Celery's prefork pool, whose children end by `os._exit`: tasks log events,
nobody flushes, all arrive. With a broker of files, and with a real Redis.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
import runner
from passing import pass_on

pytest.importorskip("celery")
pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.timeout(180),
]

TASKS = """
import json, os, signal
import celery, workload

# Nothing is sent before the end of a child, so that all depends on it.
client = workload.begin(
    upload_interval_in_sec=60, **json.loads(os.environ["OPTIONS"]))
app = celery.Celery("tasks", broker=os.environ["BROKER"])
app.conf.broker_transport_options = json.loads(os.environ["TRANSPORT"])
app.conf.worker_hijack_root_logger = False
app.conf.broker_connection_retry_on_startup = True

@app.task
def log(number):
    workload.log(client, f"t{number}", 5)
    with open(os.environ["DONE"], "a") as done:
        done.write(f"{os.getpid()}\\n")

@app.task
def die(number):
    log(number)
    os.kill(os.getpid(), signal.SIGKILL)
"""

TASKS_COUNT = 12

SEND = "import tasks; [tasks.{task}.delay(n) for n in range({start}, {end})]"


@contextlib.contextmanager
def redis(tmp_path):
    """
    Run a Redis of our own, which listens at a socket in the directory.
    """
    pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have Redis: apt-get install redis-server")
        pytest.skip("redis-server is not installed")
    path = str(tmp_path / "r")
    options = ["--unixsocket", path, "--save", "", "--dir", str(tmp_path)]
    server = subprocess.Popen(
        [program, "--port", "0", *options], stdout=subprocess.DEVNULL
    )

    def listens():
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX) as sock,
        ):
            sock.connect(path)
            return True
        return False

    try:
        assert runner.wait_until(listens)
        yield f"redis+socket://{path}", "{}"
    finally:
        server.terminate()
        server.wait(30)


@contextlib.contextmanager
def files(tmp_path):
    """
    Let the broker be a folder.
    """
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    queue = tmp_path / "queue"
    folders = {
        "data_folder_in": str(queue),
        "data_folder_out": str(queue),
        "control_folder": str(tmp_path / "control"),
    }
    yield "filesystem://", json.dumps(folders)


def work(tmp_path, url, broker, options, calls, **client_options):
    """
    Let a worker do *calls*, lines of Python that send tasks; return how it
    ended, and which children did the tasks.
    """
    (tmp_path / "tasks.py").write_text(TASKS)
    done = tmp_path / "done"
    done.touch()
    with broker(tmp_path) as (address, transport):
        env = runner.environment(
            RINGAMP_TEST_URL=url,
            BROKER=address,
            TRANSPORT=transport,
            DONE=str(done),
            OPTIONS=json.dumps(client_options),
        )
        subprocess.run(
            [sys.executable, "-c", "\n".join(calls)],
            env=env,
            cwd=tmp_path,
            check=True,
            timeout=60,
        )
        worker = runner.Program(
            [
                *(sys.executable, "-m", "celery", "-A", "tasks", "worker"),
                *("--pool", "prefork", "--concurrency", "2"),
                *("--without-gossip", "--without-mingle"),
                *options,
            ],
            env,
            cwd=tmp_path,
        )
        try:
            assert runner.wait_until(
                lambda: len(done.read_text().splitlines()) == TASKS_COUNT, 60
            )
            os.kill(worker.pid, signal.SIGTERM)
        finally:
            run = worker.wait(60)
    return run, set(done.read_text().split())


@pytest.mark.parametrize(
    ("broker", "options"),
    [(files, ()), (redis, ()), (redis, ("--max-tasks-per-child", "1"))],
)
def test_scenario_19_a_prefork_pool_loses_nothing(
    collector, tmp_path, broker, options
):
    """
    Whether children end with the worker or after every task, each event
    logged by a task arrives once, and no hook has to be installed.
    """
    send = SEND.format(task="log", start=0, end=TASKS_COUNT)
    run, children = work(tmp_path, collector.url, broker, options, [send])

    assert (run.code, run.hung) == (0, False)
    assert "Traceback" not in run.err
    assert not options or len(children) == TASKS_COUNT
    assert collector.took_once(*((f"t{n}", 5) for n in range(TASKS_COUNT)))


def test_scenario_19_children_that_are_killed(collector, spool, tmp_path):
    """
    With a spool, a Redis and a child for every task, four of which are killed
    in the midst of theirs: the children that come later send what those had
    logged.
    """
    run, children = work(
        tmp_path,
        collector.url,
        redis,
        ("--max-tasks-per-child", "1"),
        [
            SEND.format(task="log", start=0, end=4),
            SEND.format(task="die", start=4, end=8),
            SEND.format(task="log", start=8, end=TASKS_COUNT),
        ],
        **spool.options(),
    )
    pass_on(spool, collector.url)

    assert (run.code, run.hung) == (0, False)
    assert run.err.count("WorkerLostError") >= 4
    assert not runner.blames_us(run)
    assert len(children) == TASKS_COUNT
    tasks = [(f"t{n}", 5) for n in range(TASKS_COUNT)]
    assert collector.took_once(*tasks, ("heir", 1))
    assert spool.files() == []
