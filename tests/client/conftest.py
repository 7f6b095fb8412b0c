# SPDX-License-Identifier: MIT
"""
A collector and clients that send to it.
"""

from __future__ import annotations

import threading
import time

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
        # A busy machine may take its time for a shutdown.
        options.setdefault("shutdown_timeout_millis", 60_000)
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


@pytest.fixture
def until():
    """
    Wait until a condition holds, and fail where it never does.
    """

    def wait(condition, seconds=30):
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, "it did not come true in time"
            time.sleep(0.002)
        return value

    return wait


@pytest.fixture
def held():
    """
    A class: the real transport, whose requests wait until they are let go.
    """

    class Held(ringamp.HTTPTransport):
        begun = threading.Semaphore(0)
        let_go = threading.Event()

        def send_payload(self, payload):
            self.begun.release()
            self.let_go.wait(60)
            return super().send_payload(payload)

    yield Held
    Held.let_go.set()


@pytest.fixture
def recorder():
    """
    A class: the real transport, which also keeps the bytes of every body.
    """

    class Recorder(ringamp.HTTPTransport):
        bodies = []  # noqa: RUF012 - of this test's class alone.

        def send_payload(self, payload):
            self.bodies.append(bytes(payload.body))
            return super().send_payload(payload)

    return Recorder
