# SPDX-License-Identifier: MIT
"""
uvicorn with two workers, which after a SIGTERM end by that signal's default
action: no exit handler of Python runs in them.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest
import runner
from passing import pass_on
from servers import Site

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytestmark = [pytest.mark.process, pytest.mark.slow]

APP = """
import asyncio, contextlib, json, os
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
import workload

client = workload.begin(**json.loads(os.environ["OPTIONS"]))

async def hello(request):
    client.log_event(workload.event(f"r-{request.url.query}"))
    if request.url.path == "/kill":
        os.kill(os.getpid(), 9)
    return PlainTextResponse(str(os.getpid()))

@contextlib.asynccontextmanager
async def lifespan(app):
    yield
    if os.environ["SHUTDOWN"]:
        await asyncio.to_thread(client.shutdown)

app = Starlette(
    routes=[Route("/", hello), Route("/kill", hello)], lifespan=lifespan)
"""

SCANS = 30
"""Seconds in which leftovers must have been found."""


@pytest.fixture
def serve(collector, spool, tmp_path):
    """
    Start uvicorn. Nothing is sent before a worker's end, except what others
    left.
    """

    def start(shutdown):
        options = spool.options(upload_interval_in_sec=60)
        return Site(
            tmp_path,
            [
                *(sys.executable, "-m", "uvicorn", "app:app"),
                *("--workers", "2", "--uds", "{socket}"),
            ],
            collector.url,
            app=APP,
            OPTIONS=json.dumps(options),
            SHUTDOWN=shutdown,
            PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]),
        )

    return start


@pytest.mark.parametrize("shutdown", ["", "in the lifespan"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_of_uvicorn(collector, spool, serve, number, shutdown):
    """
    A shutdown in the lifespan sends all; without one it is on disk, for
    whoever comes next.
    """
    with serve(shutdown) as site:
        site.ask_all(40)
        run = site.stop(number)

    assert run.hung is False
    assert not runner.blames_us(run)
    if shutdown:
        assert len(collector.events()) == site.asked
        assert spool.files() == []
    pass_on(spool, collector.url)
    assert collector.took_once(("r", site.asked), ("heir", 1))
    assert spool.files() == []


def test_a_worker_of_uvicorn_that_is_killed(collector, spool, serve):
    """
    Its sibling sends what it had logged; uvicorn starts another one.
    """
    with serve("in the lifespan") as site:
        workers = site.ask_all(20)
        last = site.harm("/kill")
        assert runner.wait_until(lambda: site.ask(2) - workers)
        (pid,) = workers - site.ask_all(4)
        lost = site.by_pid[pid] | {last}
        assert runner.wait_until(
            lambda: lost <= collector.tags().keys(), SCANS
        )
        run = site.stop()

    assert run.hung is False
    assert not runner.blames_us(run)
    assert collector.took_once(("r", site.asked))
    assert spool.files() == []
