# SPDX-License-Identifier: MIT
"""
User code that runs on the thread which sends, and waits for what that thread
would have to do: it is told at once.
"""

from __future__ import annotations

import threading

import pytest

from ringamp import BaseRetry, MemoryTransport, Status

WAITS = {
    "result": lambda client, receipt: receipt.result(),
    "future": lambda client, receipt: receipt.future().exception(),
    "flush": lambda client, receipt: client.flush().result(),
}


class Trap:
    """
    Waits in user code, once, and keeps what was raised.
    """

    def __init__(self, wait, event):
        self.client = self.receipt = None
        self.raised = []
        self.sprung = threading.Event()
        self._wait = wait
        self._event = event

    def spring(self):
        """
        Wait for an event that has no outcome: the one that is being sent, or
        another where all that were sent have one.
        """
        if self.raised:
            return
        self.raised.append(None)
        receipt = self.receipt
        if receipt.response is not None:
            receipt = self.client.log_event(self._event(8))
        try:
            self._wait(self.client, receipt)
        except RuntimeError as error:
            self.raised[0] = str(error)
        finally:
            self.sprung.set()

    def options(self, where):
        """
        The options that set it up.
        """
        trap = self

        class Transport(MemoryTransport):
            def send_payload(self, payload):
                trap.spring()
                return super().send_payload(payload)

        class Retry(BaseRetry):
            def send_events_with_retry(self, events):
                trap.spring()
                return self.send_events(events)

        return {
            "on_delivery": {
                "transport_class": MemoryTransport(),
                "on_delivery": lambda *told: trap.spring(),
            },
            "on_retry": {
                "transport_class": MemoryTransport([500]),
                "retry_timeouts": [1, 1],
                "on_retry": lambda *told: trap.spring(),
            },
            "transport": {"transport_class": Transport()},
            "uploads": {
                "transport_class": Transport(),
                "concurrent_uploads": 4,
            },
            "retry": {
                "transport_class": MemoryTransport(),
                "retry_class": Retry,
            },
        }[where]


PLACES = ["on_retry", "transport", "uploads", "retry"]
CASES = [
    ("on_delivery", "sending"),
    *((place, how) for place in PLACES for how in ("sending", "closing")),
]


@pytest.mark.parametrize(("where", "how"), CASES)
@pytest.mark.parametrize("name", WAITS)
def test_who_would_wait_for_itself_is_told(
    make_client, event, where, how, name
):
    """
    Wherever user code runs while events are sent, also at the end, when the
    thread that closes sends them; and everything is delivered.
    """
    trap = Trap(WAITS[name], event)
    client = make_client(upload_interval_in_sec=60, **trap.options(where))
    trap.client = client

    trap.receipt = client.log_event(event(1))
    if how == "sending":
        client.flush()
        # A callback comes after the flush is done.
        assert trap.sprung.wait(30)
    client.shutdown(30)

    assert "would wait for ever" in trap.raised[0]
    stats = client.stats()
    assert stats.pending == stats.dropped == 0
    assert stats.logged == stats.delivered >= 1


def test_what_is_done_can_be_asked_for_anywhere(make_client, event):
    """
    A receipt that has its outcome does not wait.
    """
    seen = []
    client = make_client(
        transport_class=MemoryTransport(),
        on_delivery=lambda *told: seen.append(first and first[0].result(0)),
    )
    first = []
    first.append(client.log_event(event(1)))
    first[0].result(30)
    client.log_event(event(2))
    client.shutdown(30)

    assert seen[-1].status is Status.SUCCESS


def test_another_client_may_be_waited_for(make_client, event):
    """
    It has threads of its own.
    """
    other = make_client(transport_class=MemoryTransport())
    seen = []
    client = make_client(
        transport_class=MemoryTransport(),
        on_delivery=lambda *told: seen.append(
            other.log_event(event(1)).result(30).status
        ),
    )

    client.log_event(event(2))
    client.shutdown(30)

    assert seen == [Status.SUCCESS]


def test_other_threads_wait_as_ever(make_client, event):
    """
    While a callback runs, a thread beside it waits for an event.
    """
    inside, leave = threading.Event(), threading.Event()

    def hold(*told):
        inside.set()
        leave.wait(30)

    client = make_client(transport_class=MemoryTransport(), on_delivery=hold)
    client.log_event(event(1))
    assert inside.wait(30)
    receipt = client.log_event(event(2))
    threading.Timer(0.05, leave.set).start()

    assert receipt.result(30).status is Status.SUCCESS
