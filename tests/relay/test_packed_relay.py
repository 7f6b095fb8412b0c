# SPDX-License-Identifier: MIT
"""
A relay with compression="gzip": the workers have no say in it.
"""

from __future__ import annotations

import pytest
from proxies import Proxy
from relaying import names


@pytest.fixture
def proxy(collector):
    """
    A proxy before the collector that cannot read gzip.
    """
    made = Proxy(collector, refusal=415)
    yield made
    made.stop()


def test_a_relay_sends_packed(worker, relay, collector, tags):
    """
    What workers logged, and what one of them left when it died.
    """
    living, dead = worker("l"), worker("d")
    living.log(300)
    dead.log(300)
    dead.die()

    assert relay(compression="gzip").run(once=True)

    assert sorted(tags()) == sorted(names("l", 300) + names("d", 300))
    summary = collector.ledger.summary()
    assert summary.bytes < 600 * 60


def test_a_refusal_costs_a_relay_nothing(
    worker, relay, collector, proxy, tags
):
    """
    Each event is taken once; only the first body was packed.
    """
    one = worker(server_url=proxy.url)
    one.log(4500)
    agent = relay(server_url=proxy.url, compression="gzip", retry_timeouts=[])

    assert agent.run(once=True)

    assert sorted(tags()) == sorted(names("w", 4500))
    assert proxy.codings == ["gzip", None, None, None]
    assert collector.ledger.summary().duplicates == 0
    assert one.client.stats().delivered == 4500
