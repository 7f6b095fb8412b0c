# SPDX-License-Identifier: MIT
"""
Clients with a transport of the test's own, and nothing behind it.
"""

from __future__ import annotations

import pytest

from ringamp import logs
from ringamp.client import Client


@pytest.fixture
def make_client():
    """
    Make clients without a service; shut them down at the end.
    """
    made = []

    def make(transport, **options):
        made.append(Client(f"loop-{len(made)}"))
        return made[-1].init("a-key", transport_class=transport, **options)

    yield make
    for client in made:
        client.shutdown(0)


@pytest.fixture(autouse=True)
def _fresh_log(monkeypatch):
    """
    Let lines that an earlier test wrote be written again; undo the level.
    """
    monkeypatch.setattr(logs, "_written", {})
    level = logs.logger.level
    yield
    logs.logger.setLevel(level)
