# SPDX-License-Identifier: MIT
"""
Tests of the faults as a peer meets them: real sockets, a running collector.
"""

import contextlib
import http.client
import json
import socket
import time

import pytest
import urllib3

from ringamp.collector import Collector, Fault, Settings

EVENT = {"event_type": "Checkout", "user_id": "alice", "insert_id": "i1"}
BODY = json.dumps({"api_key": "KEY", "events": [EVENT]})
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def exchange(collector):
    """
    Post one event over a new connection; return status, headers and body.
    """

    def send(body=BODY):
        address = collector.base_url.removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=5)
        try:
            connection.request("POST", "/2/httpapi", body, JSON)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    return send


def is_free(exchange):
    """
    Say whether the next request is answered as usual.
    """
    return exchange()[0] == 200


def until_answered(exchange):
    """
    Return the first status that comes when the port listens again.
    """
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        with contextlib.suppress(ConnectionRefusedError):
            return exchange()[0]
        time.sleep(0.01)
    pytest.fail("it never listened again")


def test_a_status_is_answered_and_nothing_taken(collector, exchange):
    """
    A 500 takes nothing and comes as often as asked, with its headers.
    """
    collector.faults.add(
        Fault(status=503, headers={"Retry-After": "7"}), times=2
    )
    said = [exchange() for _ in range(3)]

    assert [status for status, _, _ in said] == [503, 503, 200]
    assert said[0][1]["Retry-After"] == "7"
    assert collector.ledger.summary().accepted == 1
    assert collector.ledger.summary().rejected == 2


def test_a_reset_before_the_body_takes_nothing(collector, exchange):
    """
    The connection is reset while the body is still on its way.
    """
    collector.faults.add(Fault(reset="before"))
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        exchange("x" * 5_000_000)

    assert collector.ledger.summary().accepted == 0
    assert collector.ledger.summary().faults == {"reset before": 1}
    assert is_free(exchange)


def test_a_reset_after_takes_the_events(collector, exchange):
    """
    The events are taken, only the answer is lost; sent again they are known.
    """
    collector.faults.add(Fault(reset="after"))
    with pytest.raises(ConnectionResetError):
        exchange()

    assert collector.ledger.summary().accepted == 1
    assert collector.ledger.summary().statuses == {}
    exchange()
    assert collector.ledger.summary().accepted == 1
    assert collector.ledger.summary().duplicates == 1


def test_half_a_response_is_incomplete(collector, exchange):
    """
    The head promises more than comes before the connection is closed.
    """
    collector.faults.add(Fault(half=True))
    with pytest.raises(http.client.IncompleteRead) as caught:
        exchange()

    assert caught.value.partial.startswith(b'{"code":200')
    assert collector.ledger.summary().accepted == 1
    assert is_free(exchange)


def test_refusal_ends(collector, exchange):
    """
    The port refuses connections for a while, then listens again.
    """
    port = collector.port
    collector.refuse(0.2)
    with pytest.raises(ConnectionRefusedError):
        exchange()

    assert until_answered(exchange) == 200
    assert collector.port == port


def test_a_second_refusal_takes_over(collector, exchange):
    """
    Refusing again while refusing begins anew, with the new time.
    """
    collector.refuse(60)
    with pytest.raises(ConnectionRefusedError):
        exchange()
    collector.refuse(0)

    assert until_answered(exchange) == 200


def test_a_request_can_begin_the_refusal(collector, exchange):
    """
    As a fault it resets that request and refuses those after it.
    """
    collector.faults.add(Fault(refuse=60))
    with pytest.raises(ConnectionResetError):
        exchange()
    with pytest.raises(ConnectionRefusedError):
        exchange()


def test_refusal_cuts_idle_connections(collector, pool):
    """
    A kept connection does not outlive the refusal.
    """
    pool.request("POST", collector.url, body=BODY, headers=JSON)
    collector.refuse(60)
    with pytest.raises(
        (
            urllib3.exceptions.NewConnectionError,
            urllib3.exceptions.ProtocolError,
        )
    ):
        pool.request("POST", collector.url, body=BODY, headers=JSON)


def test_a_delay_comes_before_the_answer(collector, exchange):
    """
    The request is dealt with as usual, its answer is late.
    """
    collector.faults.add(Fault(delay=0.1))
    start = time.monotonic()

    assert exchange()[0] == 200
    assert time.monotonic() - start >= 0.1


def test_a_drip_outlasts_timeouts_between_bytes(collector):
    """
    Bytes come one by one, each in time, so only a deadline ends it.
    """
    collector.faults.add(Fault(drip=0.005))
    address = ("127.0.0.1", collector.port)
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(
            b"POST /2/httpapi HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY.encode())
        )
        parts = list(iter(lambda: connection.recv(1000), b""))

    assert len(parts) > 20
    assert b"".join(parts).endswith(b"}")


def test_a_page_is_no_json(collector, exchange):
    """
    A proxy's page comes with the media type of a page.
    """
    collector.faults.add(Fault(status=502, html=True))
    status, headers, body = exchange()

    assert status == 502
    assert headers["Content-Type"].startswith("text/html")
    assert body.startswith(b"<html>")


def test_named_users_are_throttled(collector, exchange):
    """
    A 429 for given ids leaves requests without them alone.
    """
    collector.faults.add(Fault(users=("bobby",)))
    innocent = exchange()
    guilty = exchange(BODY.replace("alice", "bobby"))

    assert innocent[0] == 200
    assert guilty[0] == 429
    assert json.loads(guilty[2])["throttled_events"] == [0]


def test_named_indexes_are_refused(collector, exchange):
    """
    A 400 for given indexes answers the next request, whatever it holds.
    """
    collector.faults.add(Fault(indexes=(0, 2)))
    status, _, body = exchange()

    assert status == 400
    assert json.loads(body)["events_with_invalid_fields"] == {
        "event_type": [0, 2]
    }


def test_a_stop_does_not_wait_for_a_fault(pool):
    """
    The collector stops at once though an answer is still delayed.
    """
    with Collector(settings=Settings()) as collector:
        collector.faults.add(Fault(delay=60))
        address = ("127.0.0.1", collector.port)
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(
                b"POST /2/httpapi HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Length: 2\r\n\r\n{}"
            )
            assert collector.ledger.wait_for(requests=1)
            start = time.monotonic()
            collector.stop()

            assert time.monotonic() - start < 30
