# SPDX-License-Identifier: MIT
"""
Clients with a transport of the test's own and nothing behind it, and the
spool of one project.
"""

from __future__ import annotations

import resource

import pytest
from shelving import make_keeper
from wreckage import open_spool, project_of

from ringamp import logs
from ringamp.client import Client
from ringamp.flusher import linger


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


@pytest.fixture
def patient(monkeypatch):
    """
    Have every batch linger for a minute, unless something hurries it.
    """
    monkeypatch.setattr(linger, "SHORTEST", 60.0)
    monkeypatch.setattr(linger, "next_linger", lambda *seen: 60.0)


@pytest.fixture
def spool(tmp_path):
    """
    The spool of one project.
    """
    opened = open_spool(tmp_path / "spool", max_bytes=1 << 16)
    yield opened
    opened.close()


@pytest.fixture
def lost():
    """
    The numbers of events that a keeper said were lost.
    """
    return []


@pytest.fixture
def keeper(spool, lost):
    """
    The keeper of a ring of this process.
    """
    return make_keeper(spool, lost)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    """
    Lift the limit of `no_room` before the runner says how a test ended: it
    may say so in a file.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        return (yield)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def no_room():
    """
    Let no file be written to for as long as the test wants.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(*, on=True):
        most = 0 if on else limits[0]
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))

    return limit


@pytest.fixture
def home(tmp_path):
    """
    The spool of the clients' project.
    """
    opened = open_spool(tmp_path / "spool", project_of("a-key", None))
    yield opened
    opened.close()


@pytest.fixture
def start(make_client, home, tmp_path):
    """
    Make clients with that spool.
    """

    def make(transport, **options):
        return make_client(transport, spool_dir=tmp_path / "spool", **options)

    return make
