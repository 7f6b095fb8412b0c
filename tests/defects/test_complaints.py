# SPDX-License-Identifier: MIT
"""
What users of the other SDKs report, where the numbered defects do not cover
it already. The references are to the public issue trackers.
"""

from __future__ import annotations

import asyncio
import logging

import pytest
from proxies import Proxy
from traffic import (
    PATIENCE,
    SUCCESS,
    event,
    log_all,
    numbered,
    numbers,
    outcomes,
    sizes,
)

import ringamp
from ringamp import Status
from ringamp.collector import Fault

NEVER = 60
"""Seconds of an upload interval that no test waits for."""


def test_two_instances_send_to_their_own_projects(
    start_collector, make_client
):
    """
    Amplitude-Python 45: clients shared one default configuration, and
    events went to the wrong project.
    """
    places = [start_collector(), start_collector()]
    clients = [make_client(server_url=place.url) for place in places]

    receipts = [
        client.log_event(event(event_properties={"n": number}))
        for number, client in enumerate(clients)
    ]

    assert set(outcomes(receipts)) == {SUCCESS}
    assert [numbers(place) for place in places] == [[0], [1]]


def test_set_group_says_what_the_service_expects(collector, make_client):
    """
    Amplitude-Python 28 and 51: what set_group sent was changed twice. It is
    an identify that names the group in both of its places.
    """
    client = make_client()

    client.set_group("company", ["acme", "other"], user_id="user-1")
    client.flush().result(PATIENCE)

    (taken,) = collector.ledger.events()
    assert taken["event_type"] == "$identify"
    assert taken["groups"] == {"company": ["acme", "other"]}
    assert taken["user_properties"] == {"$set": {"company": ["acme", "other"]}}


def test_events_that_go_well_write_no_line(collector, make_client, caplog):
    """
    pass-culture-main 5359: a line for each event, with the event attached,
    broke the application's log. Here success is silent at every level.
    """
    client = make_client(log_level=ringamp.LogLevel.VERBOSE)

    with caplog.at_level(logging.DEBUG):
        outcomes(log_all(client, numbered(100)))

    ours = [one for one in caplog.records if one.name.startswith("ringamp")]
    assert ours == []
    assert collector.ledger.summary().accepted == 100


def test_a_failure_is_logged_without_the_event(collector, make_client, caplog):
    """
    What is logged of a failure holds neither the events nor the API key.
    """
    client = make_client(log_level=ringamp.LogLevel.VERBOSE)
    collector.faults.add(Fault(status=403))

    client.log_event(event("secret-person")).result(PATIENCE)

    assert caplog.records
    for record in caplog.records:
        said = f"{record.getMessage()} {record.__dict__}"
        assert "secret-person" not in said
        assert "0123456789abcdef" not in said


def test_a_flush_waits_for_throttled_events(
    collector, make_client, short_hold
):
    """
    Amplitude-Node 86 and 119: after a flush, rate-limited events were
    missing or lost. The future is done when they are delivered.
    """
    client = make_client(upload_interval_in_sec=NEVER)
    collector.faults.add(Fault(users=("user-1",)), times=2)

    receipts = log_all(client, numbered(5))
    client.flush().result(PATIENCE)

    assert {receipt.response.status for receipt in receipts} == {SUCCESS}
    assert sizes(collector)[:2] == [5, 5]


def test_a_flush_at_the_end_of_a_request_is_enough(collector, make_client):
    """
    Amplitude-TypeScript 271: a flush in a short-lived function sent
    nothing, or took the whole interval, or events came twice.
    """
    client = make_client(upload_interval_in_sec=NEVER)

    for number in range(3):
        log_all(client, [event(event_properties={"n": number})])
        assert client.flush().result(PATIENCE).status is SUCCESS

    assert sizes(collector) == [1, 1, 1]
    assert numbers(collector) == [0, 1, 2]


def test_an_awaited_event_has_its_result(collector, make_client):
    """
    Amplitude-TypeScript 737, Amplitude-Node 170: promises never resolved,
    or to nothing of use. Awaiting a receipt gives the service's answer.
    """
    client = make_client(retry_timeouts=[])
    collector.faults.add(Fault(indexes=(0,)))

    async def ask():
        """
        Log two events and await both.
        """
        bad = client.log_event(event())
        refused = await asyncio.wait_for(bad, PATIENCE)
        return refused, await client.log_event(event())

    refused, taken = asyncio.run(ask())

    assert refused.status is Status.INVALID
    assert refused.body["events_with_invalid_fields"] == {"event_type": [0]}
    assert taken.status is SUCCESS


def test_the_error_behind_a_failure_is_told(collector, make_client):
    """
    Amplitude-Node 108: a result of "unknown, 0" with the cause swallowed.
    """
    client = make_client(retry_timeouts=[])
    collector.faults.add(Fault(reset="before"))

    answer = client.log_event(event()).result(PATIENCE)

    assert (answer.status, answer.status_code) == (Status.SYSTEM_ERROR, 0)
    assert answer.error


@pytest.mark.parametrize("status", [429, 500])
def test_one_users_events_keep_their_order(collector, make_client, status):
    """
    Amplitude-TypeScript 736: whoever does not wait for a failed batch loses
    the order of its events.
    """
    client = make_client()
    collector.faults.add(Fault(status=status), times=3)

    receipts = []
    for number in range(300):
        receipts += log_all(client, [event(event_properties={"n": number})])
        if number % 100 == 0:
            client.flush()

    assert set(outcomes(receipts)) == {SUCCESS}
    assert numbers(collector) == list(range(300))


def test_a_throttled_users_events_keep_their_order(
    collector, make_client, short_hold
):
    """
    What is logged for a held id lines up behind what already waits.
    """
    client = make_client()
    collector.faults.add(Fault(users=("user-1",)))

    receipts = log_all(client, numbered(5))
    client.flush()
    assert collector.ledger.wait_for(requests=1)
    receipts += log_all(
        client, [event(event_properties={"n": n}) for n in range(5, 9)]
    )

    assert set(outcomes(receipts)) == {SUCCESS}
    assert numbers(collector, "user-1") == list(range(9))


def test_gzip_is_given_up_where_a_proxy_cannot_read_it(collector, make_client):
    """
    Amplitude-TypeScript 1552 asks for gzip, Amplitude-Swift 370 had every
    event refused by a proxy because of it. It is packed where asked, and
    sent in plain where that is refused, by the same request.
    """
    proxy = Proxy(collector, refusal=400)
    try:
        clients = [
            make_client(server_url=url, compression="gzip")
            for url in (collector.url, proxy.url)
        ]
        receipts = [log_all(client, numbered(100)) for client in clients]
        ends = {end for one in receipts for end in outcomes(one)}
        saved = [client.stats().bytes_saved > 0 for client in clients]
    finally:
        proxy.stop()

    assert ends == {SUCCESS}
    assert sorted(numbers(collector)) == sorted([*range(100)] * 2)
    assert saved == [True, False]
    assert proxy.codings[0] == "gzip"
    assert set(proxy.codings[1:]) == {None}
