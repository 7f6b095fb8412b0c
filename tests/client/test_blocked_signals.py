# SPDX-License-Identifier: MIT
"""
The client's threads take no signal that is sent to the process; what of the
user's runs in them takes those that the user's own threads do.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading

import pytest

from ringamp import Response, Status
from ringamp.collector import Fault
from ringamp.transport.http import HTTPTransport

TAKEN = {
    *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL),
    *(signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS, signal.SIGPIPE),
    *(signal.SIGPROF, signal.SIGKILL, signal.SIGSTOP),
}
"""What a thread gets for its own deeds; a profiler's; what none can block."""

OURS = signal.valid_signals() - TAKEN
"""What a thread of the client's does not take."""

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def blocked():
    """
    The signals that the calling thread does not take.
    """
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


class Look(logging.Handler):
    """
    User code of every kind, which notes what its thread does not take.
    """

    def __init__(self):
        super().__init__()
        self._seen = []

    def __call__(self, *_):
        """
        As a callback.
        """
        self._seen.append((threading.get_ident(), blocked()))

    emit = __call__

    def send_payload(self, payload):
        """
        As a transport.
        """
        self()
        return Response(Status.SUCCESS, 200)

    def send_events_with_retry(self, events):
        """
        As a retry class of the Node SDK.
        """
        return self.send_payload(events)

    @property
    def elsewhere(self):
        """
        What was noted in other threads than the test's.
        """
        here = threading.get_ident()
        return [signals for thread, signals in self._seen if thread != here]


@pytest.fixture
def look():
    """
    One that the log forgets afterwards, where it was made a handler.
    """
    made = Look()
    logger = logging.getLogger("ringamp")
    yield made
    logger.removeHandler(made)


@pytest.fixture
def send(make_client, event):
    """
    Log events of several users, and wait until they are sent.
    """

    def run(**options):
        client = make_client(**options)
        for number in range(30):
            client.log_event(event(number, user_id=f"user-{number}"))
        client.flush().result(30)
        return client

    return run


@pytest.fixture
def on_the_wire(monkeypatch):
    """
    One that looks whenever our own transport sends.
    """
    made = Look()
    post = HTTPTransport.send_payload

    def send_payload(self, payload):
        made()
        return post(self, payload)

    monkeypatch.setattr(HTTPTransport, "send_payload", send_payload)
    return made


@pytest.mark.parametrize("uploads", [1, 3])
def test_the_threads_take_no_signal_of_the_process(send, on_the_wire, uploads):
    """
    The thread that flushes and those that upload block all but what they may
    get for what they do themselves; who logged takes what it took.
    """
    before = blocked()

    send(concurrent_uploads=uploads)

    assert set(map(frozenset, on_the_wire.elsewhere)) == {frozenset(OURS)}
    assert blocked() == before


PLACES = {
    "on_delivery": lambda look: {"on_delivery": look},
    "on_retry": lambda look: {"on_retry": look},
    "transport": lambda look: {"transport_class": look},
    "several uploads": lambda look: {
        "transport_class": look,
        "concurrent_uploads": 3,
    },
    "retry class": lambda look: {"retry_class": look},
}


@pytest.mark.parametrize("place", PLACES)
def test_user_code_takes_what_it_would_elsewhere(send, collector, look, place):
    """
    In our threads user code takes what the thread took that started them,
    and no more than that.
    """
    collector.faults.add(Fault(status=503))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        send(retry_timeouts=(1, 1), **PLACES[place](look))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    assert look.elsewhere
    for signals in look.elsewhere:
        assert signals == before | {signal.SIGUSR2}


def test_callbacks_of_futures_take_what_they_would_elsewhere(
    make_client, event, look
):
    """
    They run in the thread that flushes.
    """
    client = make_client(upload_interval_in_sec=60)

    future = client.log_event(event()).future()
    future.add_done_callback(look)
    client.flush().result(30)

    assert look.elsewhere == [blocked()]


def test_handlers_of_the_log_take_what_they_would_elsewhere(
    send, collector, look
):
    """
    A line about a failure is written by the thread that flushes.
    """
    logging.getLogger("ringamp").addHandler(look)
    collector.faults.add(Fault(status=503))

    send(log_level=2, retry_timeouts=(1, 1))

    assert set(map(frozenset, look.elsewhere)) == {frozenset(blocked())}


def test_a_child_that_a_callback_starts_can_be_ended(send):
    """
    What a thread blocks its children inherit, through any exec.
    """
    children = []

    def start(events, response):
        children.append(subprocess.Popen(SLEEPER))

    send(on_delivery=start).shutdown(30)

    for child in children:
        child.terminate()
    assert {child.wait(30) for child in children} == {-signal.SIGTERM}


def test_the_thread_blocks_again_after_user_code(
    send, event, until, look, on_the_wire
):
    """
    Also where that raised, and where it used another client meanwhile.
    """

    def tell(events, response):
        send(on_delivery=look)
        raise ValueError

    client = send(on_delivery=tell)
    until(lambda: client.stats().callback_errors)
    errors = client.stats().callback_errors
    client.log_event(event())
    until(lambda: client.stats().callback_errors > errors)

    assert set(map(frozenset, look.elsewhere)) == {frozenset(blocked())}
    assert set(map(frozenset, on_the_wire.elsewhere)) == {frozenset(OURS)}
