# SPDX-License-Identifier: MIT
"""
Tests of `ringamp.collector.server` and its control endpoints.
"""

import gzip
import json
import os
import socket
import threading
import time

import pytest
from descriptors import descriptors

from ringamp.collector import Collector, Fault, Limits, Settings
from ringamp.collector.control import ENDPOINTS

EVENTS = [
    {"event_type": "x", "user_id": "alice", "insert_id": "a"},
    {"event_type": "x", "user_id": "bobby", "insert_id": "b"},
    {"event_type": "x", "user_id": "alice", "insert_id": "c"},
]


def running():
    """
    The threads of Python's own. The name of another stays behind when it
    ends, until its number is given again.
    """
    return [
        thread
        for thread in threading.enumerate()
        if not isinstance(thread, threading._DummyThread)
    ]


def test_both_apis_answer(collector, post):
    """
    Events are taken at the HTTP V2 and the batch URL, on the loopback.
    """
    assert collector.url == f"http://127.0.0.1:{collector.port}/2/httpapi"
    assert post(collector.url, EVENTS[:1]).json()["events_ingested"] == 1
    assert post(collector.batch_url, EVENTS[1:]).json()["code"] == 200
    assert [note.path for note in collector.ledger.requests()] == [
        "/2/httpapi",
        "/batch",
    ]


def test_an_unknown_path_is_refused(collector, post):
    """
    Any other path has the documented 400.
    """
    response = post(collector.base_url + "/3/httpapi", EVENTS)

    assert response.status == 400
    assert response.json()["error"] == "Invalid request path"


def test_a_body_beyond_every_limit_is_answered(collector, pool):
    """
    A body that is far too large is read to its end and answered, not cut.
    """
    response = pool.request("POST", collector.url, body=b"x" * 5_000_000)

    assert response.status == 413
    assert collector.ledger.requests()[0].size == 5_000_000


def test_packed_bodies_are_taken(collector, pool):
    """
    Gzip works over the wire.
    """
    body = gzip.compress(
        json.dumps({"api_key": "KEY", "events": EVENTS}).encode()
    )
    response = pool.request(
        "POST",
        collector.url,
        body=body,
        headers={
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        },
    )

    assert response.json()["events_ingested"] == 3


def test_latency_is_added_to_every_answer(post):
    """
    An answer takes at least the latency.
    """
    with Collector(latency_millis=60) as collector:
        seconds = time_of_answer(post, collector)

    assert seconds >= 0.06


def time_of_answer(post, collector):
    """
    Return the seconds that one request takes.
    """
    start = time.monotonic()
    assert post(collector.url, EVENTS).status == 200
    return time.monotonic() - start


def test_the_clock_is_replaceable(post):
    """
    Rates follow the clock that was given, so a test need not wait.
    """

    class Still:
        now = 1_000_000.0

        def wall(self):
            return self.now

        monotonic = wall

    clock = Still()
    settings = Settings(http_v2=Limits(eps=1, window=2.0))
    with Collector(settings=settings, clock=clock) as collector:
        statuses = [post(collector.url, EVENTS).status for _ in range(2)]
        clock.now += 2
        statuses.append(post(collector.url, EVENTS).status)

    assert statuses == [200, 429, 200]


def test_nothing_is_left_behind(post):
    """
    After the block there is no thread, no open socket and no listener, also
    with connections that were kept alive.
    """
    threads = running()
    before = descriptors()
    for _ in range(3):
        with Collector() as collector:
            held = socket.create_connection(("127.0.0.1", collector.port))
            post(collector.url, EVENTS)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", collector.port))
        held.close()

    assert running() == threads
    # What is left are the pool's own ends of the connections.
    assert descriptors() <= before + 3


def test_a_stopped_collector_starts_again(post):
    """
    The same object serves again at the same port.
    """
    collector = Collector()
    urls = []
    for _ in range(2):
        with collector:
            urls.append(collector.url)
            assert post(collector.url, EVENTS).status == 200
    collector.stop()

    assert urls[0] == urls[1]


def test_a_fork_does_not_keep_the_port_open(collector, post):
    """
    Connections are refused though somebody else holds the listening socket,
    as a fork would; and then it listens again.
    """
    (listener,) = collector._server.servers[0].sockets
    inherited = os.dup(listener.fileno())
    collector.refuse(60)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", collector.port))
    collector.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", collector.port))
    with collector:
        assert post(collector.url, EVENTS).status == 200
    os.close(inherited)


def test_a_port_in_use_is_an_error():
    """
    A start that fails raises in the caller and leaves no thread.
    """
    threads = running()
    with Collector() as first:
        with pytest.raises(OSError, match="in use"):
            Collector(first.port).start()
        with pytest.raises(RuntimeError, match="already"):
            first.start()

    assert running() == threads


def test_reset_forgets_insert_ids_and_faults(collector, post):
    """
    After a reset the same events are new.
    """
    post(collector.url, EVENTS)
    collector.reset()
    post(collector.url, EVENTS)

    assert collector.ledger.summary().accepted == 3
    assert collector.ledger.summary().duplicates == 0


def test_repr_counts(collector, post):
    """
    The repr tells where it is and what it took, and never a key.
    """
    post(collector.url, EVENTS)

    assert repr(collector) == (
        f"Collector('{collector.base_url}', running, "
        "Ledger(requests=1, accepted=3))"
    )


@pytest.fixture
def ask(collector, pool):
    """
    Ask a control endpoint.
    """

    def send(method, path, body=None):
        url = f"{collector.base_url}/_collector/{path}"
        json = {"Content-Type": "application/json"}
        return pool.request(method, url, body=body, headers=json)

    return send


def test_the_ledger_can_be_asked(collector, post, ask):
    """
    Other processes learn the counts, the events, the order and the ids.
    """
    post(collector.url, EVENTS)
    verdict = ask("POST", "check", b'["a", "b", "x"]').json()

    assert ask("GET", "summary").json()["accepted"] == 3
    assert ask("GET", "insert_ids").data == b"a\nb\nc\n"
    assert ask("GET", "order?user_id=alice").json() == ["a", "c"]
    assert ask("GET", "events?user_id=bobby").json() == EVENTS[1:2]
    assert ask("GET", "requests").json()[0]["taken"] == 3
    assert verdict == {"missing": ["x"], "doubled": []}


def test_faults_can_be_planned_from_outside(collector, post, ask):
    """
    A fault posted as JSON is played; a wrong one is refused with a reason.
    """
    plan = {"fault": {"status": 503, "body": {"a": 1}}, "times": None}
    planned = ask("POST", "faults", json.dumps(plan))
    response = post(collector.url, EVENTS)
    ask("DELETE", "faults")

    assert planned.status == 204
    assert (response.status, response.json()) == (503, {"a": 1})
    assert post(collector.url, EVENTS).status == 200
    for wrong in ({"fault": {"status": 1}}, {"fault": {}, "time": 2}, []):
        refused = ask("POST", "faults", json.dumps(wrong))
        assert refused.status == 400
        assert refused.data


def test_a_question_that_means_nothing_is_refused(ask):
    """
    A name in a query that an endpoint has not would do nothing: it is a 400
    that names it and what there is, on every endpoint.
    """
    for row in ENDPOINTS:
        said = ask(row.method, f"{row.path[1:]}?user=alice")

        assert said.status == 400
        assert "'user'" in said.data.decode()
        assert all(name in said.data.decode() for name in row.query)
    assert ask("GET", "order").status == 400
    assert ask("GET", "order?user_id=a&device_id=b").status == 400
    assert ask("GET", "events?user_id=a&user_id=b").status == 400


def test_a_misspelt_fault_is_refused_from_outside(collector, ask):
    """
    The answer names the field and all that are allowed; nothing is planned.
    """
    said = ask("POST", "faults", b'{"fault": {"status_code": 500}}')

    assert said.status == 400
    assert b"'status_code'" in said.data
    assert b"status" in said.data
    assert len(collector.faults) == 0


def test_losses_can_be_asked_for(collector, post, ask):
    """
    What the service would drop silently is told by its kind and subject.
    """
    post(collector.url, [{**EVENTS[0], "groups": {"a": ["g"] * 11}}])

    assert ask("GET", "losses").json() == [
        {"kind": "groups", "subject": "a", "count": 1}
    ]


@pytest.mark.parametrize("status", [204, 205, 304])
def test_an_answer_that_can_have_no_body_has_none(collector, post, status):
    """
    The connection is sound for the next request.
    """
    collector.faults.add(Fault(status=status, body="more"))
    said = post(collector.url, EVENTS)

    assert (said.status, said.data) == (status, b"")
    assert post(collector.url, EVENTS).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 99_999},
        {"port": -1},
        {"latency_millis": -1},
        {"latency_millis": float("nan")},
        {"latency_millis": float("inf")},
        {"allow_hosts": ["a/b"]},
        {"allow_origins": ["a"]},
    ],
    ids=str,
)
def test_arguments_that_mean_nothing_are_errors(wrong):
    """
    They are told by the constructor, before anything listens.
    """
    with pytest.raises(ValueError, match=r"port|latency|host|origin"):
        Collector(**wrong)


def test_a_host_that_is_none_is_an_error_like_any_other():
    """
    What cannot be looked up at all is an OSError, as what is not found.
    """
    with pytest.raises(OSError, match=r"host|known|resolution"):
        Collector(host="a" * 100).start()


def test_a_counting_collector_is_guarded_as_well(pool):
    """
    Its control paths are no more open to a page than those of another.
    """
    with Collector(counting=True) as collector:
        url = f"{collector.base_url}/_collector/summary"
        fine = pool.request("GET", url)
        rebound = pool.request("GET", url, headers={"Host": "evil.example"})

    assert (fine.status, rebound.status) == (200, 403)


def test_everything_can_be_reset_from_outside(collector, post, ask):
    """
    A reset by the endpoint is the same as one from here.
    """
    post(collector.url, EVENTS)
    ask("POST", "reset")

    assert collector.ledger.summary().requests == 0


def test_answers_are_not_held_back(collector, post):
    """
    A connection sends an answer's parts at once, without Nagle's algorithm.
    """
    post(collector.url, [])

    (connection,) = collector._server.server_state.connections
    sock = connection.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
