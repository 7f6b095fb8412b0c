# SPDX-License-Identifier: MIT
"""
uWSGI with a spool, in every way of running it: whatever its processes logged
arrives once, also where uWSGI runs no exit handler, or kills.
"""

from __future__ import annotations

import json
import os
import re
import sys

import pytest
import runner
from passing import pass_on
from servers import Site
from test_uwsgi import OPTIONS, UWSGI, ask, stop

pytestmark = [pytest.mark.process, pytest.mark.slow]

MASTER = ("--master", "--processes", "2")

ROWS = {**OPTIONS, "skip atexit": (*MASTER, "--skip-atexit")}
# As "threads"; the exits of the two are compared in test_uwsgi.py.
del ROWS["many threads"]

SCANS = 30
"""Seconds in which leftovers must have been found: two looks, and the time
that a busy machine takes for them."""


@pytest.fixture
def serve(collector, spool, tmp_path):
    """
    Start uWSGI with these options. Nothing is sent before the end of a
    worker, except what others left.
    """
    if UWSGI is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have uWSGI: pip install uwsgi")
        pytest.skip("uWSGI is not installed: pip install uwsgi")

    def start(*options, **env):
        command = [
            *(UWSGI, "--home", sys.prefix, "--wsgi-file", "app.py"),
            *("--callable", "app", "--http-socket", "{socket}"),
            *("--die-on-term", "--need-app"),
        ]
        if "--master" in options:
            command += ["--master-fifo", "fifo"]
            command += ["--worker-reload-mercy", "8"]
        chosen = spool.options(upload_interval_in_sec=60)
        return Site(
            tmp_path,
            [*command, *options],
            collector.url,
            PYTHONPATH=os.pathsep.join([".", *sys.path]),
            OPTIONS=json.dumps(chosen),
            **env,
        )

    return start


@pytest.mark.parametrize("row", ROWS)
def test_scenario_15_every_row_delivers(
    collector, spool, serve, tmp_path, row
):
    """
    What the workers logged, and the master while it loaded the application,
    is sent by them or by whoever comes next. Only files that say nothing are
    left, of processes whose end no handler sees, and they go with the next.
    """
    is_lazy = row == "lazy"
    with serve(
        *ROWS[row],
        AT_IMPORT="" if is_lazy else "master",
        INSTALL="uwsgi" if row == "threads" else "",
    ) as site:
        ask(site, 40, ROWS[row])
        run = stop(site, tmp_path, ROWS[row])
    pass_on(spool, collector.url)

    assert run.hung is False
    assert not re.search("Traceback|segmentation|Fatal", run.err)
    at_import = [] if is_lazy else [("master", 10)]
    assert collector.took_once(("r", site.asked), *at_import, ("heir", 1))
    assert spool.files() == []


HARMS = {
    "harakiri": ("/stuck", ("--harakiri", "1")),
    "segfault": ("/segfault", ()),
}


@pytest.mark.parametrize("harm", HARMS)
def test_scenario_15_a_worker_that_is_killed(
    collector, spool, serve, tmp_path, harm
):
    """
    A request that hangs until uWSGI's harakiri, or that crashes: its worker
    is gone without a word, and its sibling sends all it had logged.
    """
    path, options = HARMS[harm]
    with serve(*MASTER, *options) as site:
        workers = site.ask_all(20)
        last = site.harm(path)
        assert runner.wait_until(lambda: site.ask(2) - workers)
        (pid,) = workers - site.ask_all(4)
        lost = site.by_pid[pid] | {last}
        assert runner.wait_until(
            lambda: lost <= collector.tags().keys(), SCANS
        )
        run = stop(site, tmp_path, MASTER)
    pass_on(spool, collector.url)

    assert run.hung is False
    assert not runner.blames_us(run)
    assert collector.took_once(("r", site.asked), ("heir", 1))
    assert spool.files() == []
