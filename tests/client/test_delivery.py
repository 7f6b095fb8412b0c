# SPDX-License-Identifier: MIT
"""
The table of answers, end to end: what becomes of a batch.
"""

from __future__ import annotations

import pytest

import ringamp
from ringamp import Status
from ringamp.client import Client
from ringamp.collector import Collector, Fault, Settings

FAST = {"retry_timeouts": [10] * 8}


def log(client, event, count=40):
    """
    Log a batch's worth and flush it.
    """
    receipts = [client.log_event(event(number)) for number in range(count)]
    client.flush().result(30)
    return [receipt.result(0) for receipt in receipts]


PASSING = {
    "500": (Fault(status=500), {}),
    "502 with a page": (Fault(status=502, html=True), {}),
    "503": (Fault(status=503), {}),
    "408": (Fault(status=408), {}),
    "429 naming nobody": (Fault(status=429), {}),
    "302": (Fault(status=302, headers={"Location": "/elsewhere"}), {}),
    "reset before": (Fault(reset="before"), {}),
    "reset after": (Fault(reset="after"), {}),
    "half an answer": (Fault(half=True), {}),
    "slow": (Fault(delay=2), {"request_timeout_millis": 500}),
    "refused": (Fault(refuse=0.2), {"retry_timeouts": [50] * 20}),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_passing_trouble_loses_and_doubles_nothing(
    make_client, event, collector, name
):
    """
    The batch is sent again, with the same insert_ids and times, and every
    event is delivered once.
    """
    fault, options = PASSING[name]
    collector.faults.add(fault, times=2)
    client = make_client(upload_interval_in_sec=60, **{**FAST, **options})

    answers = log(client, event)

    assert {answer.status for answer in answers} == {Status.SUCCESS}
    taken = sorted(e["event_id"] for e in collector.ledger.events())
    assert taken == list(range(40))
    stats = client.stats()
    assert (stats.delivered, stats.rejected, stats.dropped) == (40, 0, 0)
    assert stats.retries >= 2


def test_a_resend_is_the_same_to_the_byte(make_client, event, collector):
    """
    insert_id, time and ids do not change: else the service could not tell.
    """
    collector.faults.add(Fault(reset="after"), times=3)
    client = make_client(upload_interval_in_sec=60, **FAST)

    log(client, event)

    summary = collector.ledger.summary()
    assert (summary.accepted, summary.duplicates) == (40, 120)
    sizes = {note.size for note in collector.ledger.requests()}
    assert len(sizes) == 1


def test_retries_used_up_drop_with_the_response(make_client, event, collector):
    """
    As many requests as configured, then the events are told their end.
    """
    collector.faults.add(Fault(status=503), times=None)
    client = make_client(upload_interval_in_sec=60, retry_timeouts=[5, 5])

    answers = log(client, event)

    assert {(a.status, a.status_code) for a in answers} == {
        (Status.FAILED, 503)
    }
    assert client.stats().dropped == 40
    assert collector.ledger.summary().requests == 3


@pytest.mark.parametrize(
    "family",
    [
        "events_with_invalid_fields",
        "events_with_missing_fields",
        "events_with_invalid_id_lengths",
        "silenced_events",
    ],
)
def test_named_events_are_rejected_alone(
    make_client, event, collector, family
):
    """
    The rest is resent at once and pays no retry.
    """
    collector.faults.add(Fault(indexes=[0, 7, 39], family=family))
    client = make_client(upload_interval_in_sec=60, retry_timeouts=[])

    answers = log(client, event)

    bad = [n for n, a in enumerate(answers) if a.status is Status.INVALID]
    assert bad == [0, 7, 39]
    taken = {e["event_id"] for e in collector.ledger.events()}
    assert taken == set(range(40)) - {0, 7, 39}


@pytest.mark.parametrize("first_only", [False, True])
def test_a_poisoned_batch_gives_up_its_bad_events_alone(event, first_only):
    """
    Whether the service names all bad events or the first one only.
    """
    poison = Settings(throttle=False, first_error_only=first_only)
    with Collector(settings=poison) as collector:
        client = Client("poisoned").init(
            "0123456789abcdef",
            server_url=collector.url,
            upload_interval_in_sec=60,
        )
        receipts = [
            client.log_event(
                event(n, price="much" if n % 10 == 3 else float(n))
            )
            for n in range(40)
        ]
        client.flush().result(30)
        client.shutdown()

        bad = [
            n
            for n, r in enumerate(receipts)
            if r.result(0).status is Status.INVALID
        ]
        assert bad == [3, 13, 23, 33]
        assert collector.ledger.summary().accepted == 36


def test_a_400_naming_nobody_is_halved_until_found(
    make_client, event, collector
):
    """
    A proxy that says no and does not say to what costs a few requests; what
    is innocent in the end is delivered.
    """
    page = Fault(status=400, html=True)
    collector.faults.add(page, times=4)
    client = make_client(upload_interval_in_sec=60, retry_timeouts=[])

    answers = log(client, event)

    assert {answer.status for answer in answers} == {Status.SUCCESS}
    assert collector.ledger.summary().accepted == 40


def test_halving_ends_with_single_events(make_client, event, collector):
    """
    Where everything is refused without a reason, each event is rejected.
    """
    collector.faults.add(Fault(status=400, html=True), times=None)
    client = make_client(upload_interval_in_sec=60)

    answers = log(client, event, 8)

    assert {answer.status_code for answer in answers} == {400}
    assert client.stats().rejected == 8
    assert client.stats().requests == 15


def test_a_wrong_api_key_rejects_all_at_once(event):
    """
    P4: with its response, and without asking again.
    """
    with Collector(settings=Settings(api_keys=frozenset({"x"}))) as collector:
        client = Client("keyless").init(
            "0123456789abcdef", server_url=collector.url
        )
        response = client.log_event(event()).result(30)
        client.shutdown()

        assert response.status is Status.INVALID
        assert "Invalid API key" in response.error
        assert "0123456789abcdef" not in response.error
        assert client.stats().rejected == 1
        assert collector.ledger.summary().requests == 1


def test_413_halves_and_recovers(make_client, event, collector):
    """
    P9, T6: the batch is cut, delivered, and requests grow back.
    """
    client = make_client(upload_interval_in_sec=60)
    collector.faults.add(Fault(status=413), times=2)

    answers = log(client, event, 1000)
    for _ in range(30):
        log(client, event, 1)
    before = collector.ledger.summary().requests
    log(client, event, 1000)

    assert {answer.status for answer in answers} == {Status.SUCCESS}
    assert collector.ledger.summary().requests == before + 1


def test_an_event_that_is_too_large_alone_is_rejected(
    make_client, event, collector
):
    """
    Halving ends.
    """
    collector.faults.add(Fault(status=413), times=None)
    client = make_client(upload_interval_in_sec=60)

    answers = log(client, event, 4)

    assert {answer.status for answer in answers} == {Status.PAYLOAD_TOO_LARGE}
    assert client.stats().rejected == 4


@pytest.mark.parametrize("status", [401, 403, 404, 451])
def test_other_refusals_are_final(make_client, event, collector, status):
    """
    Nothing is asked twice.
    """
    collector.faults.add(Fault(status=status))
    client = make_client(upload_interval_in_sec=60)

    answers = log(client, event)

    assert {a.status_code for a in answers} == {status}
    assert client.stats().rejected == 40
    assert client.stats().requests == 1


def test_no_request_is_larger_than_the_service_takes(
    make_client, event, collector
):
    """
    L2: neither by count nor by bytes, and large events are not held up.
    """
    client = make_client(upload_interval_in_sec=60)
    for number in range(4500):
        client.log_event(event(number))
    for number in range(30):
        client.log_event(event(number, event_properties={"x": "y" * 90_000}))

    assert client.flush().result(30).status is Status.SUCCESS

    notes = collector.ledger.requests()
    assert max(note.taken for note in notes) == 2000
    assert max(note.size for note in notes) < 1_000_000
    assert collector.ledger.summary().accepted == 4530


def test_batch_urls_take_more(make_client, event, collector):
    """
    20 MB of JSON instead of one.
    """
    client = make_client(
        server_url=collector.batch_url, upload_interval_in_sec=60
    )
    for number in range(30):
        client.log_event(event(number, event_properties={"x": "y" * 90_000}))

    assert client.flush().result(30).status is Status.SUCCESS
    assert collector.ledger.summary().requests == 1


def test_on_retry_is_asked_and_may_end_it(make_client, event, collector):
    """
    With the response, the number of the retry, and whether it is the last;
    only an explicit False ends the retries.
    """
    collector.faults.add(Fault(status=500), times=None)
    asked = []

    def on_retry(response, number, is_last):
        asked.append((response.status_code, number, is_last))
        return None if number < 2 else False

    client = make_client(
        retry_timeouts=[5, 5, 5], on_retry=on_retry, upload_interval_in_sec=60
    )

    answers = log(client, event, 3)

    assert asked == [(500, 1, False), (500, 2, False)]
    assert {answer.status for answer in answers} == {Status.FAILED}


def test_on_retry_knows_the_last_one(make_client, event, collector):
    """
    L5: the flag is true exactly once, for the last entry of the table.
    """
    collector.faults.add(Fault(status=500), times=None)
    flags = []
    client = make_client(
        retry_timeouts=[5, 5, 5],
        on_retry=lambda *args: flags.append(args[2]),
        upload_interval_in_sec=60,
    )

    log(client, event, 3)

    assert flags == [False, False, True]


def test_on_delivery_tells_each_event_once(make_client, event, collector):
    """
    Delivered, rejected, and after a callback that raised.
    """
    collector.faults.add(Fault(indexes=[1]))
    told = []

    def on_delivery(events, response):
        told.extend((e["event_id"], response.status) for e in events)
        raise LookupError("of mine")

    client = make_client(on_delivery=on_delivery, upload_interval_in_sec=60)

    log(client, event, 4)

    assert sorted(told) == [
        (0, Status.SUCCESS),
        (1, Status.INVALID),
        (2, Status.SUCCESS),
        (3, Status.SUCCESS),
    ]
    assert client.stats().callback_errors == 2


def test_offline_keeps_the_newest(make_client, event, collector):
    """
    L16: while the service is away only so many are kept; they go out by
    themselves when it is back.
    """
    told = []
    client = make_client(
        retry_class=ringamp.OfflineRetry,
        max_cached_events=50,
        on_delivery=lambda events, response: told.extend(
            (e["event_id"], response.status) for e in events
        ),
    )
    collector.faults.add(Fault(refuse=60))
    first = client.log_event(event(-1))
    while client.stats().requests == 0:
        pass
    for number in range(300):
        client.log_event(event(number))
    collector.refuse(0)

    client.flush().result(60)

    taken = [e["event_id"] for e in collector.ledger.events()]
    assert taken[-1] == 299
    assert 0 < len(taken) <= 51
    assert taken == sorted(taken)
    assert len(told) == 301
    assert first.result(0).status in (Status.DROPPED, Status.SUCCESS)
