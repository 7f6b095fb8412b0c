# SPDX-License-Identifier: MIT
"""
A relay while the service is out, and what it leaves.
"""

from __future__ import annotations

import pytest
from relaying import names

from ringamp.collector import Collector, Fault, Settings

PAYLOAD = "x" * 1000


@pytest.fixture
def silent():
    """
    The URL of a service that is out, and a way to bring it back.
    """
    with Collector(settings=Settings(throttle=False)) as probe:
        port = probe.port
        url = probe.url
    made = []

    class Service:
        def __init__(self):
            self.url = url

        def come_back(self):
            made.append(
                Collector(
                    port, settings=Settings(throttle=False), keep_events=10**6
                )
            )
            made[0].start()
            return made[0]

    yield Service()
    for one in made:
        one.stop()


def arrived(collector):
    """
    What a collector took, by tag, sorted.
    """
    return sorted(
        event["event_properties"]["tag"] for event in collector.ledger.events()
    )


def test_workers_go_on_through_an_outage(
    worker, relay, silent, *, clock, files
):
    """
    While the service is out, rings that are half full are emptied into the
    backlog, so nobody drops; afterwards all of it arrives, once.
    """
    one = worker("one", server_url=silent.url)
    other = worker("other", server_url=silent.url)
    agent = relay(server_url=silent.url, retry_timeouts=[100, 100])
    for start in range(0, 4000, 400):
        one.log(400, first=start, event_properties={"tag": "", "x": PAYLOAD})
        for _ in range(4):
            agent._round()
            clock.now += 0.2
    other.log(10)
    during, stats = agent.progress(), one.client.stats()
    shelved = files("backlog")
    service = silent.come_back()
    clock.now += 60

    assert agent.run(once=True)
    assert during.is_out
    assert during.requests < 40
    assert stats.dropped == 0
    assert shelved
    assert service.ledger.summary().accepted == 4010
    assert service.ledger.summary().duplicates == 0
    assert not agent.progress().is_out
    assert files("backlog") == []
    assert other.client.stats().delivered == 10


def test_one_batch_is_tried_at_a_time(worker, relay, silent, clock):
    """
    However many rings there are, an outage costs two requests a minute once
    it is a long one.
    """
    for number in range(8):
        worker(f"w{number}", server_url=silent.url).log(3)
    agent = relay(server_url=silent.url, retry_timeouts=[])
    for _ in range(600):
        agent._round()
        clock.now += 1
    before = agent.progress().requests
    for _ in range(600):
        agent._round()
        clock.now += 1

    assert 18 <= agent.progress().requests - before <= 22


@pytest.mark.parametrize("retries", [[], [100, 100]])
def test_once_says_that_the_service_is_out(
    worker, relay, silent, *, retries, files, clock
):
    """
    It tries as often as it may, then ends and leaves everything on disk.
    """
    worker(server_url=silent.url).log(5)
    began = clock.now
    agent = relay(server_url=silent.url, retry_timeouts=retries)

    assert not agent.run(once=True)
    assert clock.now - began < 5
    assert agent.progress().requests == len(retries) + 1
    service = silent.come_back()
    assert relay(server_url=silent.url).run(once=True)
    assert arrived(service) == names("w", 5)


def test_once_sends_rings_backlog_and_what_becomes_backlog(
    worker, relay, collector, *, files, tags
):
    """
    A file of the backlog, a dead ring and a living one are all sent by one
    call.
    """
    gone = worker("gone", retry_timeouts=[], delivery="thread")
    collector.faults.add(Fault(status=503), times=None)
    gone.log(5)
    gone.client.flush().result(30)
    gone.client.shutdown()
    collector.faults.clear()
    shelved = files("backlog")
    dead = worker("dead")
    dead.log(3)
    dead.die()
    worker("living").log(3)

    assert relay().run(once=True)
    assert len(shelved) == 1
    assert sorted(tags()) == sorted(
        names("dead", 3) + names("gone", 5) + names("living", 3)
    )
    assert files("backlog") == []


def test_once_says_that_a_file_of_the_backlog_fails(
    worker, relay, collector, files
):
    """
    One that the service answers with an error stays, and is told by the exit
    code; the next call tries again.
    """
    gone = worker("gone", retry_timeouts=[], delivery="thread")
    collector.faults.add(Fault(status=503), times=None)
    gone.log(5)
    gone.client.flush().result(30)
    gone.client.shutdown()

    assert not relay().run(once=True)
    assert len(files("backlog")) == 1
    collector.faults.clear()
    assert relay().run(once=True)
    assert collector.ledger.summary().accepted == 5


def test_once_ends_while_a_producer_goes_on(worker, relay, collector):
    """
    It sends what was there when it began; a worker that never rests does not
    keep it.
    """
    one = worker()
    one.log(100)
    agent = relay()
    rounds = []

    def log_more():
        rounds.append(1)
        one.log(100, first=100 * len(rounds))

    assert agent.run(once=True, tell=log_more)
    assert len(rounds) < 10
    assert collector.ledger.summary().accepted >= 100


def test_backlog_and_rings_share_the_requests(
    worker, relay, collector, *, clock, silent, files
):
    """
    After an outage the backlog is sent beside new events: a batch of it after
    each batch of a ring.
    """
    one = worker(server_url=silent.url)
    agent = relay(server_url=silent.url, retry_timeouts=[])
    for start in range(0, 3000, 300):
        one.log(300, first=start, event_properties={"tag": "", "x": PAYLOAD})
        agent._round()
        clock.now += 0.1
    count = len(files("backlog"))
    clock.now += 60
    silent.come_back()
    one.log(1)
    agent._round()
    before = agent.progress().requests
    for number in range(3):
        one.log(1, first=number)
        agent._round()

    assert count >= 3
    assert agent.progress().requests - before == 6


def test_a_ring_that_fills_before_a_retry_is_relieved(
    worker, relay, collector, *, clock, files
):
    """
    Its first batch waits for its time, and new events need the room.
    """
    collector.faults.add(Fault(status=503))
    one = worker()
    one.log(10)
    agent = relay(retry_timeouts=[60_000])
    agent._round()
    for start in range(0, 2000, 200):
        one.log(200, first=start, event_properties={"tag": "", "x": PAYLOAD})
        agent._round()
        clock.now += 0.1

    assert one.client.stats().dropped == 0
    assert files("backlog")
    clock.now += 60
    assert agent.run(once=True)
    assert collector.ledger.summary().accepted == 2010


def test_a_full_ring_that_is_stuck_does_not_keep_the_backlog(
    worker, relay, collector, *, clock, files
):
    """
    A producer that has stopped in a push: there is nothing to send of its
    ring, and so no hurry.
    """
    gone = worker("gone", retry_timeouts=[], delivery="thread")
    collector.faults.add(Fault(status=503), times=None)
    gone.log(5)
    gone.client.flush().result(30)
    gone.client.shutdown()
    collector.faults.clear()
    stuck = worker("stuck")
    stuck.log(1)
    stuck.tear(0)
    stuck.log(800, event_properties={"tag": "", "x": PAYLOAD})
    agent = relay()

    for _ in range(5):
        agent._round()
        clock.now += 1

    assert agent.progress().delivered == 5
    assert files("backlog") == []


def test_once_sends_what_came_to_the_backlog_meanwhile(
    worker, relay, collector, *, clock, files
):
    """
    The backlog is looked at a last time when all rings are through.
    """
    collector.faults.add(Fault(status=503))
    one = worker()
    one.log(1)
    agent = relay(retry_timeouts=[500])
    agent._round()
    agent._round()
    agent._spool.backlog.put(
        [b'{"event_type":"x","user_id":"datamonster"}'],
        now_ms=1,
        owner=one.ring_id,
        min_id_length=5,
    )

    assert agent.run(once=True)
    assert collector.ledger.summary().accepted == 2
