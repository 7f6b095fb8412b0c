# SPDX-License-Identifier: MIT
"""
Fixtures of the tests of known defects: a collector as strict as the service,
and clients that are gone when the test ends.
"""

from __future__ import annotations

from itertools import count

import pytest

import ringamp
from ringamp import logs
from ringamp.logs import logger

collector_package = pytest.importorskip("ringamp.collector")

KEY = "0123456789abcdef0123456789abcdef"

_names = (f"defect-{number}" for number in count())


@pytest.fixture(autouse=True)
def fresh_log(monkeypatch):
    """
    Let lines that an earlier test wrote be written again; undo the level.
    """
    monkeypatch.setattr(logs, "_written", {})
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def start_collector():
    """
    Start collectors that stop when the test ends.
    """
    running = []

    def start(**settings):
        chosen = {"throttle": False, **settings}
        collector = collector_package.Collector(
            settings=collector_package.Settings(**chosen)
        )
        collector.start()
        running.append(collector)
        return collector

    yield start
    for collector in running:
        collector.stop()


@pytest.fixture
def collector(start_collector):
    """
    A collector with the limits of the HTTP V2 API.
    """
    return start_collector()


@pytest.fixture
def make_client(collector):
    """
    Make clients of the collector, retrying fast; shut them down at the end.
    """
    clients = []

    def make(**options):
        chosen = {
            "server_url": collector.url,
            "retry_timeouts": [20, 20, 40, 40],
            **options,
        }
        client = ringamp.get_instance(next(_names)).init(KEY, chosen)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.shutdown(0)


@pytest.fixture
def short_hold(monkeypatch):
    """
    Hold throttled ids for a moment instead of half a minute.
    """
    monkeypatch.setattr("ringamp.retry.ordered.HOLD", 0.2)
