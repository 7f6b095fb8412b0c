# SPDX-License-Identifier: MIT
"""
What is asked of uWSGI, and what is registered with it, by a stand-in for the
module that exists only inside of it.
"""

from __future__ import annotations

import logging
import sys
import time
from types import SimpleNamespace

import pytest

import ringamp
from ringamp import logs, registry
from ringamp.flusher.prefork import forks_unseen, has_threads
from ringamp.integrations import uwsgi as integration

HOOKS = {"enable-threads": b"true", "py-call-uwsgi-fork-hooks": b"true"}


def make_uwsgi(opt=None, version=b"2.0.31", **answers):
    """
    Make the module as the master sees it, while it loads the application.
    """
    calls = {"masterpid": 7, "worker_id": 0, "mule_id": 0, **answers}
    functions = {
        name: lambda value=value: value for name, value in calls.items()
    }
    return SimpleNamespace(opt=opt or {}, version=version, **functions)


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
def install(monkeypatch):
    """
    Put such a module in place.
    """

    def put(module):
        monkeypatch.setitem(sys.modules, "uwsgi", module)
        return module

    return put


@pytest.fixture
def client(monkeypatch):
    """
    The default instance, over a transport that keeps what is sent.
    """
    monkeypatch.setattr(registry, "_instances", {})
    transport = ringamp.MemoryTransport()
    made = ringamp.init(
        "a-key", transport_class=transport, upload_interval_in_sec=60
    )
    yield made
    made.shutdown(30)


@pytest.mark.parametrize(
    ("opt", "version", "expected"),
    [
        ({}, b"2.0.31", True),
        ({}, b"2.0.27", True),
        ({}, b"2.0.21", False),
        ({}, "2.0.21", False),
        ({"enable-threads": True}, b"2.0.21", True),
        ({b"enable-threads": b"true"}, b"2.0.21", True),
        ({b"threads": b"2"}, b"2.0.21", True),
        ({"processes": b"2"}, b"2.0.21", False),
    ],
)
def test_threads_are_on_by_option_or_version(opt, version, expected):
    """
    Option names may be bytes or text, and so may the version.
    """
    assert has_threads(make_uwsgi(opt, version)) is expected


def test_an_old_uwsgi_that_tells_nothing_has_no_threads():
    """
    A module without options and version is taken for an old one.
    """
    assert has_threads(SimpleNamespace()) is False


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (make_uwsgi(), True),
        (make_uwsgi({"py-call-osafterfork": b"true"}), True),
        (make_uwsgi(worker_id=1), False),
        (make_uwsgi(mule_id=1), False),
        (make_uwsgi(i_am_the_spooler=True), False),
        (make_uwsgi(i_am_the_spooler=None), True),
        (make_uwsgi(masterpid=0), False),
        (make_uwsgi(HOOKS, b"2.0.21"), False),
        (make_uwsgi({"py-call-uwsgi-fork-hooks": b"1"}), False),
        (make_uwsgi({"py-call-uwsgi-fork-hooks": b"1"}, b"2.0.21"), True),
        (SimpleNamespace(), False),
    ],
)
def test_the_master_forks_unseen(install, module, expected):
    """
    Workers, mules and spoolers fork nobody, a server without a master has no
    one who forks, and with its fork hooks and threads Python knows of it.
    """
    install(module)

    assert forks_unseen() is expected


def test_no_uwsgi_forks_unseen():
    """
    Anywhere else the module is missing.
    """
    assert forks_unseen() is False


def test_a_master_starts_no_thread_and_flushes_inline(install, client, caplog):
    """
    Without a spool its events wait until somebody flushes, and are sent by
    that call; once a worker is what asks, the thread is started as ever.
    """
    module = install(make_uwsgi())
    with caplog.at_level(logging.ERROR, "ringamp"):
        receipt = client.log_event({"event_type": "x", "user_id": "user1"})
        assert client._session._flusher.has_thread is False
        assert client.flush().done()

    assert receipt.result(0).status == "success"
    assert "uWSGI's master" in caplog.text
    assert client._session._flusher.has_thread is False
    module.worker_id = lambda: 1
    client.log_event({"event_type": "x", "user_id": "user1"})
    assert client.flush().result(30).status == "success"
    assert client._session._flusher.has_thread is True


def test_a_master_leaves_its_ring_to_others(
    install, client, monkeypatch, tmp_path
):
    """
    With a spool the events are in a ring that nobody consumes: the first
    worker that looks sends them.
    """
    tmp_path.chmod(0o700)
    install(make_uwsgi())
    options = {"spool_dir": str(tmp_path), "buffer_bytes": 65536}
    others = ringamp.MemoryTransport()
    master = ringamp.get_instance("master").init(
        "a-key", transport_class=ringamp.MemoryTransport, **options
    )
    receipt = master.log_event({"event_type": "m", "user_id": "user1"})
    assert receipt.response.status == "queued"
    install(make_uwsgi(worker_id=1))
    worker = ringamp.get_instance("worker").init(
        "a-key", transport_class=others, **options
    )
    worker.log_event({"event_type": "w", "user_id": "user1"})
    give_up = time.monotonic() + 100
    while len(others.events) < 2 and time.monotonic() < give_up:
        time.sleep(0.01)
    worker.shutdown(30)
    master.shutdown(30)

    assert {event["event_type"] for event in others.events} == {"w", "m"}


def test_install_hooks_in_beside_others(install, client):
    """
    Hooks that another library has registered are called first.
    """
    called = []
    module = install(make_uwsgi(worker_id=1))
    module.post_fork_hook = lambda: called.append("fork")
    module.atexit = lambda: called.append("exit")

    assert integration.install() is True
    module.post_fork_hook()
    receipt = client.log_event({"event_type": "x", "user_id": "user1"})
    module.atexit()

    assert called == ["fork", "exit"]
    assert receipt.result(0).status == "success"
    assert not hasattr(module, "after_req_hook")


def test_without_threads_requests_send_at_their_ends(
    install, client, caplog, monkeypatch
):
    """
    `install` warns, and lets the end of a request wait until what was logged
    is sent, though not of every request.
    """
    called = []
    module = install(make_uwsgi(version=b"2.0.21", worker_id=1))
    module.after_req_hook = lambda: called.append("request")
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(integration, "SystemClock", clock)
    with caplog.at_level(logging.WARNING, "ringamp"):
        assert integration.install() is False
    receipts = []
    for later in (0, 0.5, 1.5):
        now[0] = 100 + later
        receipts.append(
            client.log_event({"event_type": "x", "user_id": "user1"})
        )
        module.after_req_hook()
        receipts.append(receipts[-1].response is not None)

    assert "--enable-threads" in caplog.text
    assert called == ["request"] * 3
    assert receipts[1::2] == [True, False, True]


def test_install_needs_uwsgi():
    """
    Anywhere else it says what is wrong.
    """
    with pytest.raises(ringamp.RingampError, match="not run by uWSGI"):
        integration.install()
