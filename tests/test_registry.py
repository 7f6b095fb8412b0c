# SPDX-License-Identifier: MIT
"""
The named instances, and the functions of the module that are about all of
them.
"""

from __future__ import annotations

import inspect
import itertools
import threading

import pytest

import ringamp
from ringamp import MemoryTransport, OptionsError, Status

_numbers = itertools.count()


def a_name():
    """
    Make up a name that no instance has.
    """
    return f"registry-{next(_numbers)}"


def event(number=0):
    """
    Make an event that carries a number.
    """
    return {"event_type": "t", "user_id": "somebody", "event_id": number}


@pytest.fixture
def started():
    """
    Start named instances that keep what they send in memory; shut all down.
    """

    def start(name=None, **options):
        transport = MemoryTransport()
        client = ringamp.get_instance(name or a_name())
        client.init("a-key", transport_class=transport, **options)
        return client, transport

    yield start
    ringamp.shutdown_all(0)


def test_a_name_is_one_instance():
    """
    In both spellings of the function; the default one has a name as well.
    """
    name = a_name()

    assert ringamp.get_instance(a_name()) is not ringamp.get_instance(name)
    assert ringamp.get_instance(name) is ringamp.getInstance(name)
    assert ringamp.get_instance() is ringamp.get_instance("default")
    assert ringamp.get_instance(None) is ringamp.get_instance()


def test_a_name_shows_in_the_repr():
    """
    Beside the counts, for whoever debugs with several instances.
    """
    name = a_name()

    assert repr(ringamp.get_instance(name)).startswith(f"<Client '{name}': ")


def test_racing_threads_get_the_same_instance():
    """
    Nobody makes a second one of the same name.
    """
    name = a_name()
    start, got = threading.Barrier(8), []

    def ask():
        start.wait()
        got.append(ringamp.get_instance(name))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(map(id, got))) == 1


@pytest.mark.parametrize("name", ["", 5, b"bytes", ["a"]])
def test_a_name_is_a_text(name):
    """
    The error says what was given.
    """
    with pytest.raises(OptionsError, match="instance name: "):
        ringamp.get_instance(name)


def test_init_of_the_module_is_the_default_instances():
    """
    `ringamp.init` gives back what `get_instance` gives, with options in
    either spelling and in either way.
    """
    transport = MemoryTransport()
    client = ringamp.init(
        "a-key",
        {"transportClass": transport, "maxCachedEvents": 7},
        upload_interval_in_sec=60,
    )
    try:
        assert client is ringamp.get_instance()
        assert client.options.max_cached_events == 7
        client.log_event(event(3))
    finally:
        ringamp.shutdown_all(5)

    assert [one["event_id"] for one in transport.events] == [3]
    assert client.log_event(event()).status is Status.DROPPED


def test_key_and_options_may_be_named(started):
    """
    `init(api_key=..., options={...})` is `init(..., {...})`, of the package
    and of a client.
    """
    client, _ = started()
    options = {"transportClass": MemoryTransport(), "maxCachedEvents": 7}

    client.init(api_key="a-key", options=options, min_id_length=3)

    assert client.options.max_cached_events == 7
    assert client.options.min_id_length == 3
    parameters = [*inspect.signature(ringamp.init).parameters]
    assert parameters == ["api_key", "options", "kwargs"]


def test_shutdown_all_sends_what_each_has(started):
    """
    Every instance of the process is drained, one that never began is left
    alone, and a second time does nothing.
    """
    pairs = [started(upload_interval_in_sec=60) for _ in range(3)]
    unborn = ringamp.get_instance(a_name())
    for number, (client, _) in enumerate(pairs):
        client.log_event(event(number))

    ringamp.shutdown_all()
    ringamp.shutdown_all()

    assert [t.events[0]["event_id"] for _, t in pairs] == [0, 1, 2]
    assert [c.stats().delivered for c, _ in pairs] == [1, 1, 1]
    assert unborn.stats().logged == 0


def test_shutdown_all_gives_each_the_time_that_was_asked_for(started):
    """
    With no time at all the events are dropped and told, not lost.
    """
    client, transport = started(upload_interval_in_sec=60)
    receipt = client.log_event(event())

    ringamp.shutdown_all(0)

    assert receipt.result(0).status is Status.DROPPED
    assert transport.events == []


def test_postfork_in_the_parent_changes_nothing(started):
    """
    Servers may call it whenever they like: events, counts and the thread
    stay what they are.
    """
    client, transport = started(upload_interval_in_sec=60)
    client.log_event(event(1))
    session = client._session

    ringamp.postfork()
    ringamp.postfork()

    assert client._session is session
    assert client.stats().pending == 1
    client.flush().result(30)
    assert len(transport.events) == 1
