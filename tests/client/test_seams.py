# SPDX-License-Identifier: MIT
"""
Transports and retry classes of the user's own.
"""

from __future__ import annotations

import pytest

import ringamp
from ringamp import MemoryTransport, Response, Status
from ringamp.collector import Fault


class Recorder:
    """
    A transport that keeps what it was given.
    """

    def __init__(self):
        self.payloads = []

    def send_payload(self, payload):
        """
        Take everything.
        """
        self.payloads.append(payload)
        return Response(Status.SUCCESS, 200)


def test_a_transport_gets_bytes_and_lazy_events(make_client, event):
    """
    It may keep both: later batches do not write over them.
    """
    recorder = Recorder()
    client = make_client(transport_class=recorder, upload_interval_in_sec=60)
    for round_number in range(3):
        for number in range(5):
            client.log_event(event(10 * round_number + number))
        client.flush().result(30)

    assert [type(p.body) for p in recorder.payloads] == [bytes] * 3
    numbers = [e["event_id"] for p in recorder.payloads for e in p.events]
    assert numbers == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24]
    assert recorder.payloads[0].events[-1]["event_id"] == 4
    assert 0 < recorder.payloads[0].timeout <= 10


@pytest.mark.parametrize("kind", ["no arguments", "options"])
def test_a_transport_class_is_instantiated(make_client, event, kind):
    """
    With the options, if it takes them.
    """
    made = []

    class Bare(Recorder):
        def __init__(self):
            super().__init__()
            made.append(None)

    class Knowing(Recorder):
        def __init__(self, options):
            super().__init__()
            made.append(options)

    client = make_client(
        transport_class=Bare if kind == "no arguments" else Knowing
    )
    client.log_event(event()).result(30)

    assert made == [None if kind == "no arguments" else client.options]


def test_a_transport_that_raises_is_retried(make_client, event):
    """
    Whatever it raises counts as no answer.
    """
    transport = MemoryTransport([LookupError("of mine"), OSError("no")])
    client = make_client(transport_class=transport, retry_timeouts=[5, 5])

    response = client.log_event(event()).result(30)

    assert response.status is Status.SUCCESS
    assert client.stats().retries == 2


def test_a_transport_that_returns_junk_is_told_so(make_client, event):
    """
    The error names what it returned.
    """

    class Junk(Recorder):
        def send_payload(self, payload):
            return 200

    client = make_client(transport_class=Junk(), retry_timeouts=[])

    response = client.log_event(event()).result(30)

    assert response.status is Status.SYSTEM_ERROR
    assert "returned int, not a Response" in response.error


class Once:
    """
    A retry object with the Node interface.
    """

    def __init__(self, answer=None):
        self.batches = []
        self.answer = answer or Response(Status.SUCCESS, 200)

    def send_events_with_retry(self, events):
        """
        Keep the events and answer.
        """
        self.batches.append(events)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class NodeSpelling(Once):
    """
    The same, as it is spelled in the Node SDK.
    """

    send_events_with_retry = None
    sendEventsWithRetry = Once.send_events_with_retry


ANSWERS = {
    "success": (Response(Status.SUCCESS, 200), "delivered"),
    "invalid": (Response(Status.INVALID, 400), "rejected"),
    "too large": (Response(Status.PAYLOAD_TOO_LARGE, 413), "rejected"),
    "failed": (Response(Status.FAILED, 500), "dropped"),
    "raises": (LookupError("of mine"), "dropped"),
    "junk": ("fine", "dropped"),
}


@pytest.mark.parametrize("kind", [Once, NodeSpelling])
@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_of_a_retry_object_is_final(make_client, event, name, kind):
    """
    It has all events of a batch, in order, and decides their end.
    """
    answer, counter = ANSWERS[name]
    retry = kind(answer)
    client = make_client(retry_class=retry, upload_interval_in_sec=60)
    for number in range(5):
        client.log_event(event(number))

    client.flush().result(30)

    (events,) = retry.batches
    assert [e["event_id"] for e in events] == [0, 1, 2, 3, 4]
    stats = client.stats()
    assert getattr(stats, counter) == 5
    assert stats.delivered + stats.rejected + stats.dropped == 5


def test_a_retry_class_sends_by_the_instances_transport(
    make_client, event, collector
):
    """
    `BaseRetry` brings what is needed; the API key is in no repr of it.
    """
    made = []

    class Twice(ringamp.BaseRetry):
        def send_events_with_retry(self, events):
            made.append(self)
            self.send_events(events[:2])
            return self.send_events(events[2:])

    client = make_client(retry_class=Twice, upload_interval_in_sec=60)
    for number in range(5):
        client.log_event(event(number))
    client.flush().result(30)

    assert [note.taken for note in collector.ledger.requests()] == [2, 3]
    assert client.stats().delivered == 5
    assert "0123456789" not in repr(vars(made[0]))


def test_no_retry_asks_once(make_client, event, collector):
    """
    What the first answer does not deliver is dropped or rejected.
    """
    collector.faults.add(Fault(status=500))
    client = make_client(retry_class=ringamp.NoRetry)

    response = client.log_event(event()).result(30)

    assert response.status is Status.FAILED
    assert client.stats().dropped == 1
    assert client.stats().requests == 1


def test_a_policy_instance_is_taken_as_it_is(make_client, event, collector):
    """
    Given made, with options of its own.
    """
    collector.faults.add(Fault(status=500))
    options = ringamp.Options.build(retry_timeouts=[1])
    client = make_client(retry_class=ringamp.OrderedRetry(options))

    assert client.log_event(event()).result(30).status is Status.SUCCESS


def test_a_transport_whose_close_raises_ends_no_shutdown(make_client, event):
    """
    What was logged is delivered, and the caller sees nothing of it.
    """

    class Leaves(Recorder):
        def close(self):
            raise LookupError("of mine")

    client = make_client(transport_class=Leaves())
    receipt = client.log_event(event())

    client.shutdown()

    assert receipt.result(0).status is Status.SUCCESS
