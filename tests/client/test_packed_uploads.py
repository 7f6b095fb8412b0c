# SPDX-License-Identifier: MIT
"""
Clients with compression="gzip": every road of an event, and every number.
"""

from __future__ import annotations

import logging
import threading

import pytest
from proxies import Proxy

import ringamp
from ringamp import Status
from ringamp.collector import Fault
from ringamp.options import Options
from ringamp.retry import ordered

GZIP = {"compression": "gzip", "upload_interval_in_sec": 60}


@pytest.fixture
def make_proxy(collector):
    """
    Make proxies before the collector.
    """
    made = []

    def make(**more):
        made.append(Proxy(collector, **more))
        return made[-1]

    yield make
    for proxy in made:
        proxy.stop()


def log_all(client, event, count, **more):
    """
    Log numbered events; return their receipts.
    """
    return [client.log_event(event(n, **more)) for n in range(count)]


def numbers(collector):
    """
    The numbers of the events taken, in order of arrival.
    """
    return [one["event_id"] for one in collector.ledger.events()]


def test_events_arrive_packed_and_are_told(make_client, event, collector):
    """
    In order, each once; what was sent is what the collector read, and what
    was saved is the rest of the JSON.
    """
    client = make_client(**GZIP)
    receipts = log_all(client, event, 5000)
    client.flush().result(30)

    stats, summary = client.stats(), collector.ledger.summary()
    said = [receipt.result(30).body for receipt in receipts[::2000]]
    plain = sum(body["payload_size_bytes"] for body in said)
    assert numbers(collector) == list(range(5000))
    assert stats.delivered == 5000
    assert (stats.requests, stats.bytes_sent) == (3, summary.bytes)
    assert stats.bytes_sent + stats.bytes_saved == plain
    assert stats.bytes_sent < 0.3 * plain


def test_limits_are_those_of_the_json(make_client, event, collector):
    """
    A request holds no more than 2000 events and 1 MB before it is packed: the
    collector, which counts so, refuses none.
    """
    client = make_client(**GZIP)
    log_all(client, event, 4100)
    log_all(client, event, 30, event_properties={"x": "y" * 100_000})
    client.flush().result(30)

    assert client.stats().delivered == 4130
    assert collector.ledger.summary().statuses == {
        "200": client.stats().requests
    }


@pytest.mark.parametrize("count", [1, 200])
def test_nothing_is_saved_where_nothing_is_packed(
    make_client, event, collector, count
):
    """
    Neither of small bodies, nor where gzip was not asked for.
    """
    asked = GZIP if count == 1 else {**GZIP, "compression": None}
    client = make_client(**asked)
    log_all(client, event, count)
    client.flush().result(30)

    stats = client.stats()
    assert stats.bytes_saved == 0
    assert stats.bytes_sent == collector.ledger.summary().bytes


@pytest.mark.parametrize("status", [400, 415])
def test_a_proxy_that_refuses_gzip_costs_one_request(
    make_client, make_proxy, event, caplog, status
):
    """
    Nothing is lost, doubled or charged: no retry is configured and none is
    needed. One warning, and plain bodies from then on.
    """
    proxy = make_proxy(refusal=status)
    client = make_client(
        server_url=proxy.url, retry_timeouts=[], log_level="WARN", **GZIP
    )
    log_all(client, event, 4500)
    client.flush().result(30)

    stats = client.stats()
    assert (stats.delivered, stats.retries, stats.requests) == (4500, 0, 3)
    assert proxy.codings == ["gzip", None, None, None]
    assert numbers(proxy.collector) == list(range(4500))
    assert proxy.collector.ledger.summary().duplicates == 0
    assert (stats.bytes_sent, stats.bytes_saved) == (proxy.bytes_read, 0)
    lines = [line for line in caplog.messages if "gzip" in line]
    assert len(lines) == 1
    assert len(caplog.messages) == 1


def test_bad_events_behind_such_a_proxy_are_rejected_alone(
    make_client, make_proxy, event, collector
):
    """
    The 400 of the service, which names them, is told from that of the proxy.
    """
    collector.faults.add(Fault(status=400, indexes=[7]))
    proxy = make_proxy()
    client = make_client(server_url=proxy.url, retry_timeouts=[], **GZIP)
    log_all(client, event, 100)
    client.flush().result(30)

    stats = client.stats()
    assert (stats.delivered, stats.rejected) == (99, 1)
    assert proxy.codings == ["gzip", None, None]


def test_bad_events_do_not_turn_gzip_off(
    make_client, make_proxy, event, collector, caplog
):
    """
    A proxy that passes gzip on, and a service that names bad events: no body
    goes twice, and the next ones are packed.
    """
    collector.faults.add(Fault(status=400, indexes=[7]))
    proxy = make_proxy(refusal=None)
    client = make_client(server_url=proxy.url, log_level="WARN", **GZIP)
    log_all(client, event, 100)
    client.flush().result(30)

    assert client.stats().rejected == 1
    assert proxy.codings == ["gzip", "gzip"]
    assert not [line for line in caplog.messages if "gzip" in line]


def test_a_400_that_names_nothing_is_halved_as_ever(
    make_client, make_proxy, event, collector
):
    """
    The bad event is found, the others are delivered; gzip stays on.
    """
    proxy = make_proxy(refusal=None)
    client = make_client(server_url=proxy.url, retry_timeouts=[], **GZIP)
    # Each body that holds it is refused, packed and plain.
    bad = event(50, session_id="x" * 3000)
    for number in range(200):
        client.log_event(bad if number == 50 else event(number))
    collector.faults.add(Fault(status=400, body="<html>"), times=2)
    client.flush().result(30)

    stats = client.stats()
    assert (stats.delivered, stats.rejected) == (199, 1)
    assert proxy.codings[:2] == ["gzip", None]
    assert proxy.codings[2] == "gzip"


def test_throttled_events_travel_packed(
    make_client, event, collector, monkeypatch
):
    """
    They wait, and go in order afterwards; nobody is lost on either way.
    """
    monkeypatch.setattr(ordered, "HOLD", 0.2)
    collector.faults.add(Fault(users=("throttled",)))
    client = make_client(**GZIP)
    log_all(client, event, 100, user_id="throttled")
    log_all(client, event, 100)
    client.flush().result(30)

    summary = collector.ledger.summary()
    held = collector.ledger.events(user_id="throttled")
    assert [one["event_id"] for one in held] == list(range(100))
    assert (summary.accepted, client.stats().delivered) == (200, 200)
    assert client.stats().bytes_sent == summary.bytes


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503),
        Fault(reset="after"),
        Fault(status=413),
        Fault(half=True, status=500),
    ],
)
def test_retries_are_packed_as_well(make_client, event, collector, fault):
    """
    Whatever went wrong, each event is taken once in the end, and the bytes
    are counted request by request.
    """
    collector.faults.add(fault, times=2)
    client = make_client(**GZIP, retry_timeouts=[1, 1, 1])
    log_all(client, event, 300)
    client.flush().result(30)

    stats, summary = client.stats(), collector.ledger.summary()
    assert stats.delivered == summary.accepted == 300
    assert sorted(numbers(collector)) == list(range(300))
    assert (stats.requests, stats.bytes_sent) == (
        summary.requests,
        summary.bytes,
    )
    assert stats.bytes_saved > stats.bytes_sent


def test_the_backlog_travels_packed(make_client, event, collector, tmp_path):
    """
    What waited on disk during an outage is sent by the same transport.
    """
    collector.faults.add(Fault(status=503), times=2)
    client = make_client(
        **GZIP, retry_timeouts=[1], spool_dir=tmp_path / "spool"
    )
    log_all(client, event, 300)
    client.flush().result(30)
    assert collector.ledger.wait_for(events=300)

    sent = collector.ledger.requests()[-1]
    assert sent.taken == 300
    assert sent.size < 300 * 50


def test_custom_transports_see_the_plain_body(make_client, event, recorder):
    """
    As before: whoever sends by other means packs by their own.
    """
    client = make_client(transport_class=recorder, **GZIP)
    log_all(client, event, 200)
    client.flush().result(30)

    stats = client.stats()
    assert b'"event_type":"Checkout"' in recorder.bodies[0]
    assert stats.bytes_sent + stats.bytes_saved == len(recorder.bodies[0])
    assert stats.bytes_saved > 0


def test_an_object_given_as_transport_counts_plain_bodies(
    make_client, event, collector
):
    """
    It may serve several clients, so what it counts is nobody's alone.
    """
    options = Options.build(server_url=collector.url, compression="gzip")
    transport = ringamp.HTTPTransport(options)
    client = make_client(transport_class=transport, **GZIP)
    (receipt, *_) = log_all(client, event, 200)
    client.flush().result(30)

    stats = client.stats()
    assert stats.bytes_saved == 0
    assert stats.bytes_sent == receipt.result(30).body["payload_size_bytes"]
    assert transport.traffic.read()[0] == collector.ledger.summary().bytes


def test_a_retry_class_of_the_users_sends_packed(
    make_client, event, collector
):
    """
    It is given the same transport, and its bytes are counted as well.
    """
    collector.faults.add(Fault(status=500))

    class Twice(ringamp.BaseRetry):
        def send_events_with_retry(self, events):
            self.send_events(events)
            return self.send_events(events)

    client = make_client(retry_class=Twice, **GZIP)
    receipts = log_all(client, event, 200)
    client.flush().result(30)

    assert receipts[0].result(30).status is Status.SUCCESS
    summary = collector.ledger.summary()
    assert summary.requests == 2
    assert client.stats().bytes_sent == summary.bytes


def test_two_clients_learn_each_for_itself(
    make_client, make_proxy, event, collector, caplog
):
    """
    One behind the proxy goes on plain, the other one packed.
    """
    caplog.set_level(logging.WARNING, "ringamp")
    proxy = make_proxy()
    behind, direct = (
        make_client(server_url=proxy.url, **GZIP),
        make_client(**GZIP),
    )
    for client in (behind, direct):
        for _ in range(2):
            log_all(client, event, 100)
            client.flush().result(30)

    assert proxy.codings == ["gzip", None, None]
    assert direct.stats().bytes_saved > 0
    assert behind.stats().bytes_saved == 0
    assert collector.ledger.summary().accepted == 400


def test_uploads_that_are_refused_at_once_warn_once(
    make_client, make_proxy, event, caplog
):
    """
    Four are in flight when the proxy refuses the first of them: each goes
    again in plain, in its own order, and no other one is packed.
    """
    proxy = make_proxy(refusal=415, gate=threading.Barrier(4))
    client = make_client(
        server_url=proxy.url,
        concurrent_uploads=4,
        retry_timeouts=[],
        log_level="WARN",
        **GZIP,
    )
    for number in range(16_000):
        client.log_event(event(number, user_id=f"user-{number % 50}"))
    client.flush().result(30)

    stats, ledger = client.stats(), proxy.collector.ledger
    assert (stats.delivered, stats.retries) == (16_000, 0)
    assert proxy.codings[:4] == ["gzip"] * 4
    assert set(proxy.codings[4:]) == {None}
    assert ledger.summary().duplicates == 0
    assert (stats.bytes_sent, stats.bytes_saved) == (proxy.bytes_read, 0)
    assert len([line for line in caplog.messages if "gzip" in line]) == 1
    order = [one["event_id"] for one in ledger.events(user_id="user-7")]
    assert order == sorted(order)
    assert len(order) > 100
