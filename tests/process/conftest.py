# SPDX-License-Identifier: MIT
"""
Fixtures of the process tests: one collector in a process of its own, which
forgets everything between two tests.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import hostile
import runner
from steady import Steady

collector_package = pytest.importorskip("ringamp.collector")


class Books:
    """
    A collector, and what it took by the tags of events.

    Args:
        process: The `CollectorProcess`.
    """

    def __init__(self, process):
        self._process = process
        self.url = process.url
        self.base_url = process.base_url
        self.summary = process.summary
        self.requests = process.requests
        self.add_fault = process.add_fault
        self.clear_faults = process.clear_faults

    def events(self):
        """
        Return the events that were taken.
        """
        address = f"{self._process.base_url}/_collector/events"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return json.load(answer)

    def tags(self):
        """
        Count the events taken, by tag.
        """
        return Counter(
            event["event_properties"]["tag"] for event in self.events()
        )

    def took_once(self, *names):
        """
        Say whether just the events of *names* were taken, each exactly once,
        and no two with one insert_id.

        Args:
            *names: Pairs of a name and a count, as `workload.log` has them.
        """
        expected = Counter(
            f"{name}-{number}"
            for name, count in names
            for number in range(count)
        )
        events = self.events()
        insert_ids = {event["insert_id"] for event in events}
        tags = Counter(event["event_properties"]["tag"] for event in events)
        assert tags - expected == Counter(), "nobody logged these"
        assert expected - tags == Counter(), "these are missing"
        return len(insert_ids) == len(events)


class SpoolDir:
    """
    A directory for a spool.

    Args:
        path: The directory.
    """

    def __init__(self, path):
        self.path = path

    def options(self, **more):
        """
        Return options of `init` that use it, with a small ring.
        """
        return {"spool_dir": str(self.path), "buffer_bytes": 1 << 20, **more}

    def env(self, **more):
        """
        Return the same for `RINGAMP_TEST_OPTIONS` of a program.
        """
        return json.dumps(self.options(**more))

    def files(self):
        """
        Name all files, of all projects.
        """
        return sorted(
            str(path.relative_to(self.path))
            for path in self.path.rglob("*")
            if not path.is_dir()
        )


@pytest.fixture
def spool(tmp_path):
    """
    An empty directory for a spool.
    """
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    return SpoolDir(path)


@pytest.fixture(scope="session")
def collector_process():
    """
    The collector's process, for the whole run.
    """
    with collector_package.CollectorProcess(
        settings=collector_package.LENIENT, keep_events=1_000_000
    ) as process:
        yield process


@pytest.fixture
def collector(collector_process):
    """
    The collector, with nothing in its books.
    """
    collector_process.reset()
    yield Books(collector_process)
    collector_process.clear_faults()


@pytest.fixture
def start(tmp_path, collector):
    """
    Start programs that log at a steady rate; kill them at the end.
    """
    started = []

    def start_one(name, rate, **options):
        one = Steady(tmp_path, name, rate, collector.url, **options)
        started.append(one.program)
        return one

    yield start_one
    for program in started:
        program.end()


@pytest.fixture(scope="session")
def template(tmp_path_factory, collector_process):
    """
    What processes of two projects left in a spool when they were killed.
    """
    path = tmp_path_factory.mktemp("template")
    return hostile.prepare(path, collector_process.url)


@pytest.fixture
def left(template, spool):
    """
    The same, for a test to damage.
    """
    return hostile.copy_of(template, spool.path)


@pytest.fixture
def live(spool, collector):
    """
    Start a client in the spool, wait for its end, and see that it lived as it
    should; return what it told.
    """

    def run(*, answers=("success",), patience=30, **options):
        done = runner.run(
            runner.HERE / "heir.py",
            *(spool.path, "own", hostile.OWN, json.dumps(options)),
            url=collector.url,
            deadline=hostile.DEADLINE + patience,
            RINGAMP_TEST_PATIENCE=str(patience),
        )
        return hostile.check(done, answers)

    return run
