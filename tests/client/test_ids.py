# SPDX-License-Identifier: MIT
"""
How the service tells two events apart, and whom they are about.
"""

from __future__ import annotations

import threading

import orjson
import pytest

from ringamp import Status
from ringamp.collector import Fault

FAULTS = {
    "500": Fault(status=500),
    "answer lost": Fault(reset="after"),
    "half an answer": Fault(half=True),
    "429 naming nobody": Fault(status=429),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_try_carries_the_same_bytes(
    make_client, event, collector, recorder, name
):
    """
    insert_id and time stay: else the service could not drop the repeats, and
    would shift the events.
    """
    collector.faults.add(FAULTS[name], times=3)
    client = make_client(transport_class=recorder, retry_timeouts=[20] * 4)

    assert client.log_event(event(1)).result(30).status is Status.SUCCESS

    assert len(recorder.bodies) == 4
    assert len(set(recorder.bodies)) == 1
    (sent,) = orjson.loads(recorder.bodies[0])["events"]
    assert {"insert_id", "time", "library"} <= set(sent)


def test_a_part_of_a_batch_keeps_its_insert_ids(
    make_client, event, collector, recorder
):
    """
    Halves and remainders are cut from the batch: each event has one
    insert_id and one time in all the requests it was in.
    """
    collector.faults.add(Fault(status=413), times=2)
    collector.faults.add(Fault(indexes=[1]))
    collector.faults.add(Fault(status=400, html=True), times=2)
    client = make_client(transport_class=recorder, upload_interval_in_sec=60)
    for number in range(20):
        client.log_event(event(number))
    client.flush().result(30)

    seen = {}
    for body in recorder.bodies:
        for one in orjson.loads(body)["events"]:
            names = seen.setdefault(one["event_id"], set())
            names.add((one["insert_id"], one["time"]))
    assert len(recorder.bodies) > 5
    assert set(seen) == set(range(20))
    assert {len(names) for names in seen.values()} == {1}
    assert client.stats().delivered == 19


def test_insert_ids_are_unique_among_threads_and_clients(
    make_client, event, collector
):
    """
    Nobody has to agree with anybody: two clients with several threads each.
    """
    clients = [make_client(), make_client()]

    def log(client):
        for number in range(500):
            client.log_event(event(number))

    threads = [
        threading.Thread(target=log, args=(client,))
        for client in clients
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.flush().result(30)

    assert collector.ledger.summary().duplicates == 0
    assert len(set(collector.ledger.insert_ids())) == 3000


def test_the_same_insert_id_is_taken_once_and_told_to_both(
    make_client, event, collector
):
    """
    The user's own insert_id is the user's own affair: the service drops the
    second, and both events were taken as far as anybody can say.
    """
    client = make_client(upload_interval_in_sec=60)
    receipts = [
        client.log_event(event(n, insert_id="the-same")) for n in range(2)
    ]
    client.flush()

    assert [r.result(30).status for r in receipts] == [Status.SUCCESS] * 2
    assert [e["event_id"] for e in collector.ledger.events()] == [0]
    assert client.stats().delivered == 2


def test_min_id_length_goes_with_every_request(make_client, collector):
    """
    Else the service would refuse what was allowed here.
    """
    client = make_client(min_id_length=2)

    receipt = client.log_event({"event_type": "t", "user_id": "ab"})
    response = receipt.result(30)

    assert response.status is Status.SUCCESS
    assert collector.ledger.events()[0]["user_id"] == "ab"
    short = client.log_event({"event_type": "t", "user_id": "a"})
    assert short.status is Status.INVALID
    assert "min_id_length (2)" in short.reason


def test_length_is_counted_in_characters(make_client, collector):
    """
    Four characters of many bytes are too short; five are not.
    """
    client = make_client()

    short = client.log_event({"event_type": "t", "user_id": "日本語日"})
    fine = client.log_event(
        {"event_type": "t", "user_id": "\N{GRINNING FACE}" * 5}
    )

    assert short.status is Status.INVALID
    assert fine.result(30).status is Status.SUCCESS


REFUSED = [
    "anonymous",
    "nil",
    "none",
    "null",
    "n/a",
    "na",
    "undefined",
    "unknown",
    "{}",
    "lmy47d",
    "0",
    "-1",
    '""',
    "00000000-0000-0000-0000-000000000000",
    "Anonymous",
    "NULL",
]
"""The values of the HTTP V2 API's list, and other spellings of two."""


@pytest.mark.parametrize("field", ["user_id", "device_id"])
@pytest.mark.parametrize("value", REFUSED)
def test_what_the_service_always_refuses_is_not_uploaded(
    make_client, collector, field, value
):
    """
    Even where *min_id_length* would allow it: alone the event is INVALID and
    says which field; beside a good id it is taken off.
    """
    other = "device_id" if field == "user_id" else "user_id"
    client = make_client(min_id_length=1)

    alone = client.log_event({"event_type": "t", field: value})
    beside = client.log_event(
        {"event_type": "t", field: value, other: "somebody-1"}
    )

    assert alone.status is Status.INVALID
    assert alone.reason.startswith(field)
    assert beside.result(30).status is Status.SUCCESS
    (sent,) = collector.ledger.events()
    assert field not in sent
    assert client.stats().ids_removed == 1
