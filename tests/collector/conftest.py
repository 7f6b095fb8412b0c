# SPDX-License-Identifier: MIT
"""
Fixtures of the collector's tests: a running one, and a way to post to it.
"""

import pytest
import urllib3

from ringamp.collector import Collector


@pytest.fixture
def collector():
    """
    A collector in a thread of this process.
    """
    with Collector() as running:
        yield running


@pytest.fixture
def pool():
    """
    A pool of keep-alive connections that hides no failure.
    """
    with urllib3.PoolManager(retries=False, timeout=10) as manager:
        yield manager


@pytest.fixture
def post(pool):
    """
    Post events, or a whole upload, as JSON.
    """

    def send(url, events, **more):
        return pool.request(
            "POST", url, json={"api_key": "KEY", "events": events}, **more
        )

    return send
