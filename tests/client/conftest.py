# SPDX-License-Identifier: MIT
"""
A collector and clients that send to it.
"""

from __future__ import annotations

import pytest

import ringamp
from ringamp.client import Client
from ringamp.collector import Collector, Settings

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def collector():
    """
    A collector without throttling, whose ledger says what arrived.
    """
    with Collector(settings=Settings(throttle=False)) as made:
        yield made


@pytest.fixture
def make_client(collector):
    """
    Make clients that send to the collector, and shut them down at the end.
    """
    made = []

    def make(**options):
        options.setdefault("server_url", collector.url)
        client = Client(f"test-{len(made)}")
        made.append(client)
        return client.init(KEY, **options)

    yield make
    for client in made:
        client.shutdown(0 if client.stats().pending else 5)


@pytest.fixture
def event():
    """
    Make an event that carries a number.
    """

    def make(number=0, **more):
        return {
            "event_type": "Checkout",
            "user_id": "datamonster",
            "event_id": number,
            **more,
        }

    return make


@pytest.fixture(autouse=True)
def _fresh_log():
    """
    Let every test see the log lines that an earlier one has seen.
    """
    from ringamp import logs

    logs._written.clear()
    level = logs.logger.level
    yield
    logs.logger.setLevel(level)


def statuses():
    """
    The statuses a receipt may have at once.
    """
    return set(ringamp.Status)
