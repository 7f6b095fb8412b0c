# SPDX-License-Identifier: MIT
"""
Rings that wait for a relay while there is none: a worker with
delivery="thread" goes on with them, beside its own.
"""

from __future__ import annotations

import pytest
from relaying import names

from ringamp.collector import Fault


@pytest.fixture
def salvage(worker):
    """
    What a worker with a thread does for others; its thread has not started,
    so the test gives it its turns.
    """
    return worker(
        "thread", delivery="thread"
    ).client._session._flusher._salvage


def work(salvage, turns=20):
    """
    Give it turns until it sends nothing more.
    """
    for _ in range(turns):
        if not salvage.turn(5.0):
            return


def test_living_rings_are_sent_and_let_go_of(worker, salvage, relay, tags):
    """
    Their processes are told of the ends; a relay that comes can have them.
    """
    one, other = worker("one"), worker("other")
    one.log(2500)
    other.log(5)

    for _ in range(4):
        work(salvage)
    agent = relay()
    agent._roster.scan(0.0)

    assert sorted(tags()) == sorted(names("one", 2500) + names("other", 5))
    assert one.client.stats().delivered == 2500
    assert other.client.stats().pending == 0
    assert agent.progress().living == 2


def test_producers_that_never_rest_keep_nobody(worker, salvage):
    """
    No more of a ring is sent at a time than what was found in it.
    """
    busy = [worker("a"), worker("b")]
    for number in range(6):
        for one in busy:
            one.log(10, first=10 * number)
        salvage.turn(5.0)

    assert all(one.client.stats().delivered >= 10 for one in busy)


def test_a_half_made_record_does_not_make_it_spin(worker, salvage, tags):
    """
    A ring whose producer has stopped in a push is let go of, and looked at
    again by the next scan only.
    """
    one = worker("one")
    one.log(3)
    whole = one.tear(0)
    work(salvage)
    # To the end of what the scan has found: other rings come at once.
    work(salvage)
    due = salvage.next_due()
    salvage._scan_due = 0.0
    one.mend(0, whole)
    work(salvage)

    assert due > salvage._makers.clock.monotonic()
    assert tags() == names("one", 3)


def test_a_throttled_id_holds_its_own_ring_alone(
    worker, salvage, collector, tags, files
):
    """
    What waits for its time is on disk as well; own events and the backlog go
    on.
    """
    collector.faults.add(Fault(users=("throttled",)))
    one = worker("one")
    one.log(2, user_id="throttled")
    one.log(2, first=2)
    work(salvage)

    assert sorted(tags()) == names("one", 2, 2)
    assert [name.endswith(".held") for name in files("backlog")] == [True]
    salvage.close()
    assert [name.endswith(".json") for name in files("backlog")] == [True]


def test_a_damaged_living_ring_is_left_in_place(worker, salvage, files):
    """
    It is counted once, however often it is seen.
    """
    damaged = worker("damaged")
    damaged.spoil_header()
    for _ in range(3):
        salvage._scan_due = 0.0
        work(salvage)

    assert salvage._makers.salvaged.quarantined == 1
    assert f"{damaged.ring_id}.ring" in files("rings")


def test_closing_lets_go(worker, salvage, relay, clock):
    """
    A worker that ends in the middle of another's ring leaves the rest to
    whoever comes.
    """
    one = worker("one")
    one.log(4500)
    salvage.turn(5.0)
    salvage.close()

    assert one.client.stats().delivered == 2000
    assert relay().run(once=True)
    assert one.client.stats().pending == 0
