# SPDX-License-Identifier: MIT
"""
Signal handlers that use the client, in the middle of whatever is going on.
"""

from __future__ import annotations

import signal
import sys
import time

import pytest

from ringamp import Status
from ringamp.collector import Fault


@pytest.mark.parametrize("call", ["shutdown", "flush", "log", "init"])
def test_a_signal_handler_may_use_the_client_in_the_middle_of_a_call(
    make_client, event, collector, call
):
    """
    Wherever the main thread is: it neither hangs nor loses anything.
    """
    client = make_client(buffer_bytes=1 << 20, on_full="block")
    receipts, calls = [], []

    def handle(*args):
        calls.append(len(receipts))
        if call == "shutdown":
            client.shutdown(30)
        elif call == "flush":
            client.flush()
        elif call == "log":
            receipts.append(client.log_event(event(-1)))
        else:
            client.init("another-key", server_url=collector.url)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.05)
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            receipts.append(client.log_event(event(len(receipts))))
            if len(receipts) % 100 == 0:
                client.flush()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    client.shutdown(30)

    assert calls
    queued = [r for r in receipts if r.status is Status.QUEUED]
    assert {r.result(0).status for r in queued} == {Status.SUCCESS}
    assert collector.ledger.summary().accepted == len(queued)
    if call != "shutdown":
        assert len(queued) == len(receipts)


def test_an_exit_in_a_signal_handler_ends_a_shutdown(
    make_client, event, collector
):
    """
    SIGTERM while the main thread waits for the service means what it says:
    `sys.exit` in its handler is not taken for a failed request.
    """
    collector.faults.add(Fault(delay=30))
    client = make_client(upload_interval_in_sec=60)
    client.log_event(event())

    def stop(*args):
        sys.exit(3)

    before = signal.signal(signal.SIGALRM, stop)
    began = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(SystemExit):
            client.shutdown(30)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert time.monotonic() - began < 9
