# SPDX-License-Identifier: MIT
"""
A collector, workers that only write their rings, and relays for them. All of
one process: locks belong to open files, so they tell these apart as well.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from relaying import KEY, ManualClock, Worker

from ringamp import logs
from ringamp.collector import Collector, Settings
from ringamp.options import Options
from ringamp.relay import RelayAgent


@pytest.fixture(autouse=True)
def _fresh_log(monkeypatch, caplog):
    """
    Let lines that an earlier test wrote be written again; keep warnings.
    """
    monkeypatch.setattr(logs, "_written", {})
    caplog.set_level(logging.WARNING, "ringamp")


@pytest.fixture
def collector():
    """
    A collector without throttling, whose ledger says what arrived.
    """
    with Collector(
        settings=Settings(throttle=False), keep_events=1_000_000
    ) as made:
        yield made


@pytest.fixture
def clock():
    """
    Time that tests move.
    """
    return ManualClock()


@pytest.fixture
def spool(tmp_path):
    """
    The spool directory.
    """
    return tmp_path / "spool"


@pytest.fixture
def worker(collector, spool):
    """
    Make workers that leave the sending to a relay.
    """
    made = []

    def make(name="w", **options):
        options.setdefault("server_url", collector.url)
        options.setdefault("spool_dir", spool)
        options.setdefault("delivery", "relay")
        options.setdefault("buffer_bytes", 1 << 20)
        made.append(Worker(name, **options))
        return made[-1]

    yield make
    for one in made:
        one.client.shutdown(0)


@pytest.fixture
def relay(collector, spool, clock):
    """
    Make relays.
    """
    made = []

    def make(key=KEY, **options):
        options.setdefault("server_url", collector.url)
        options.setdefault("spool_dir", spool)
        agent = RelayAgent(
            key, Options.build(options), clock=clock, sleep=clock.sleep
        )
        made.append(agent)
        return agent

    yield make
    for agent in made:
        agent.stop()
        agent.run()


@pytest.fixture
def tags(collector):
    """
    What the collector took, by tag.
    """
    return lambda: [
        event["event_properties"]["tag"] for event in collector.ledger.events()
    ]


@pytest.fixture
def files(spool):
    """
    Name the files of one part of the spool.
    """

    def names(folder):
        return sorted(path.name for path in Path(spool).glob(f"*/{folder}/*"))

    return names
