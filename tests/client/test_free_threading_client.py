# SPDX-License-Identifier: MIT
"""
A client that threads use at the very same time: what is promised to each
holds whether there is a GIL or not.
"""

from __future__ import annotations

import collections
import sys
import threading

import pytest

from ringamp.status import Status

LOGGERS = 4
SOME = 100
MOST = 2000
"""Calls of each; the ledger keeps 10,000 events."""


@pytest.fixture(autouse=True)
def _eager():
    """
    Have threads change places all the time.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


def start(works):
    """
    Run each in a thread of its own.
    """
    crowd = [threading.Thread(target=work) for work in works]
    for thread in crowd:
        thread.start()
    return crowd


def join(crowd):
    """
    Wait for the end of all.
    """
    for thread in crowd:
        thread.join(30)
        assert not thread.is_alive()


def numbers(collector):
    """
    How often the collector took each event, by its number.
    """
    return collections.Counter(
        e["event_id"] for e in collector.ledger.events()
    )


def test_a_shutdown_loses_nothing_that_was_accepted(
    make_client, collector, event
):
    """
    Threads log all the time while the client shuts down: what was queued is
    delivered once, what came later is dropped and counted.
    """
    client = make_client()
    receipts = collections.defaultdict(list)
    enough = threading.Semaphore(0)

    def log(seed):
        mine = receipts[seed]
        for at in range(MOST):
            mine.append(client.log_event(event(at * LOGGERS + seed)))
            if at == SOME:
                enough.release()
            if mine[-1].status is not Status.QUEUED:
                return

    crowd = start(lambda seed=seed: log(seed) for seed in range(LOGGERS))
    for _ in crowd:
        assert enough.acquire(timeout=30)
    client.shutdown(30)
    join(crowd)

    ends = {
        at * LOGGERS + seed: receipt.response.status
        for seed, mine in receipts.items()
        for at, receipt in enumerate(mine)
    }
    taken = [n for n, status in ends.items() if status is Status.SUCCESS]
    refused = [n for n, status in ends.items() if status is Status.DROPPED]
    stats = client.stats()
    assert len(taken) + len(refused) == len(ends) > LOGGERS * SOME
    assert numbers(collector) == dict.fromkeys(taken, 1)
    assert stats.delivered == len(taken)
    assert (stats.pending, stats.dropped) == (0, len(refused))


def test_the_end_of_a_chain_is_reached_by_one_of_two(
    make_client, collector, event
):
    """
    A middleware that has two threads call next at once logs its event once.
    """
    client, count = make_client(), 200

    def twice(payload, next):
        meet = threading.Barrier(2)

        def hand_on():
            meet.wait()
            next(payload)

        join(start([hand_on, hand_on]))

    client.add_event_middleware(twice)
    for number in range(count):
        assert client.log_event(event(number)).status is Status.QUEUED
    client.flush().result(30)

    assert numbers(collector) == dict.fromkeys(range(count), 1)
    assert client.stats().logged == count
