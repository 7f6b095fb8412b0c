# SPDX-License-Identifier: MIT
"""
Producers that die, stop or spoil their rings while a relay has them, and
relays that die.
"""

from __future__ import annotations

import pytest
from relaying import names

from ringamp.collector import Fault
from ringamp.flusher.makers import Makers

SPAN_AT = 8
"""Where a record's length is: its span is that and the header, in eights."""


def second_record(worker):
    """
    Return the position of the second record of a fresh ring.
    """
    length = int.from_bytes(worker.bytes(SPAN_AT, 4)[:], "little")
    return (24 + length + 7) // 8 * 8


def test_a_dead_workers_ring_is_finished_and_removed(
    worker, relay, clock, tags, files
):
    """
    Its producer died whole: what it left is sent, its file goes, and nothing
    was read twice.
    """
    one = worker()
    one.log(10)
    agent = relay()
    agent._round()
    one.log(10, first=10)
    one.die()
    clock.now += 1

    assert agent.run(once=True)
    assert sorted(tags()) == sorted(names("w", 20))
    assert files("rings") == []
    assert agent.progress().living == 0


def test_ends_are_told_once_where_a_death_meets_a_retry(
    worker, relay, collector, *, clock, tags, files
):
    """
    A batch of which some were refused waits for its retry when its process
    dies, with a torn record behind it. The ring goes on as a dead one only
    when the batch has its end: nothing is sent, refused or counted twice.
    """
    collector.faults.add(Fault(status=400, indexes=[0]))
    collector.faults.add(Fault(status=503))
    one = worker()
    one.log(3)
    agent = relay(retry_timeouts=[60_000])
    agent._round()
    agent._round()
    one.log(2, first=3)
    start = one.client._session.ring.tail
    one.log(1, first=90)
    one.tear(start)
    one.log(2, first=5)
    one.die()
    clock.now += 1
    agent._round()
    waiting = agent.progress()
    clock.now += 60

    assert agent.run(once=True)
    assert (waiting.dead, waiting.delivered, waiting.rejected) == (1, 0, 1)
    assert sorted(tags()) == sorted(names("w", 2, 1) + names("w", 4, 3))
    assert collector.ledger.summary().duplicates == 0
    progress = agent.progress()
    assert (progress.delivered, progress.rejected) == (6, 1)
    found = agent._counters.salvaged
    assert (found.adopted, found.torn, found.recovered) == (1, 1, 7)
    assert files("rings") == files("backlog") == []


def test_a_living_producers_half_made_record_is_not_touched(
    worker, relay, clock, tags
):
    """
    Scenario 25: whoever stops in the middle of a push, for however long, finds
    its record as it was; what is behind it waits, what is in front is sent,
    and all of it goes on when the push is done.
    """
    one, other = worker("one"), worker("other")
    one.log(3)
    at = second_record(one)
    whole = one.tear(at)
    before = one.bytes(0, 4096)[:]
    other.log(3)
    agent = relay()

    for _ in range(50):
        agent._round()
        clock.now += 1
    early = sorted(tags())
    after = one.bytes(0, 4096)[:]
    used = one.client._session.ring.used
    one.mend(at, whole)

    assert agent.run(once=True)
    assert early == ["one-0", *names("other", 3)]
    assert after[at:] == before[at:]
    assert used > 0
    assert sorted(tags()) == sorted(names("one", 3) + names("other", 3))


def test_once_gives_up_on_a_half_made_record(worker, relay, clock):
    """
    A push that does not end keeps a cron job for a moment only; it says that
    something is left.
    """
    one = worker()
    one.log(2)
    one.tear(0)
    began = clock.now

    assert not relay().run(once=True)
    assert 1 < clock.now - began < 5


def test_a_spoilt_living_ring_waits_for_its_producers_end(
    worker, relay, clock, *, tags, files, caplog
):
    """
    A header that is none: the ring is left alone, once told and counted, and
    others go on. When its process has died, all that is whole is sent.
    """
    one, other = worker("one"), worker("other")
    one.log(4)
    one.bytes(second_record(one), 8)[:] = b"\xff" * 8
    other.log(3)
    agent = relay()
    for _ in range(5):
        agent._round()
        clock.now += 1
    early, quarantined = sorted(tags()), agent.progress().quarantined
    one.die()
    clock.now += 1
    for _ in range(3):
        agent._round()

    assert early == ["one-0", *names("other", 3)]
    assert quarantined == 1
    assert sorted(tags()) == ["one-0", "one-2", "one-3", *names("other", 3)]
    assert agent._counters.salvaged.bad_crc == 1
    assert files("rings") == [f"{other.ring_id}.ring"]
    assert caplog.text.count("is not read any more") == 1


def test_a_scribbled_live_header_harms_nobody(worker, relay, clock, tags):
    """
    Positions, counters and identity of a living ring are overwritten while
    the relay has it: it goes on with the others.
    """
    spoilt = {byte: worker(f"spoilt{byte}") for byte in (0, 0x7F, 0xFF)}
    for one in spoilt.values():
        one.log(3)
    agent = relay()
    agent._roster.scan(clock.now)
    for byte, one in spoilt.items():
        one.header(0, 8192)[:] = bytes([byte]) * 8192
    clock.now += 1
    other = worker("other")
    other.log(3)

    for _ in range(5):
        agent._round()
        clock.now += 1

    assert set(tags()) >= set(names("other", 3))
    assert other.client.stats().delivered == 3


def test_a_file_that_cannot_be_read_after_a_death_is_told(
    worker, relay, clock, monkeypatch, caplog
):
    """
    The ring is let go of, stays where it is, and is taken again later.
    """
    one = worker()
    one.log(3)
    one.tear(second_record(one))
    agent = relay()
    agent._round()
    one.die()
    clock.now += 1
    readopt = Makers.readopt

    def fail(outlet):
        monkeypatch.setattr(
            agent._makers, "readopt", lambda o: readopt(agent._makers, o)
        )
        outlet.lease.close()
        agent._makers.note_unread(OSError(12, "Cannot allocate memory"))

    monkeypatch.setattr(agent._makers, "readopt", fail)
    agent._round()
    clock.now += 1
    agent._round()

    assert "cannot be read now" in caplog.text
    assert agent.progress().delivered == 2


def test_a_ring_that_another_took_over_is_not_removed(
    worker, relay, clock, files
):
    """
    A worker that ends well removes its own empty file; a relay that has it
    finds nothing to do.
    """
    one = worker()
    one.log(3)
    agent = relay()
    agent._round()
    one.client.shutdown()
    left = files("rings")
    clock.now += 1

    assert agent.run(once=True)
    assert left == files("rings") == []
    assert agent.progress().delivered == 3


def test_a_worker_that_ends_with_events_leaves_them_to_the_relay(
    worker, relay, tags
):
    """
    A shutdown sends nothing and waits for nobody.
    """
    one = worker()
    one.log(3)
    one.client.shutdown()

    assert relay().run(once=True)
    assert tags() == names("w", 3)


@pytest.mark.parametrize("held", [False, True])
def test_the_next_relay_goes_on_where_one_died(
    worker, relay, collector, *, clock, tags, held, files
):
    """
    A relay that is killed leaves locks to the kernel and the rest as it is:
    the next one frees what the dead one held for throttled ids, and sends
    what has no end, with the same insert_ids.
    """
    if held:
        collector.faults.add(Fault(users=("throttled",)))
    one = worker()
    one.log(3, user_id="throttled")
    one.log(3, first=3)
    first = relay()
    first._round()
    first._round()
    one.log(3, first=6)
    for ring in first._roster.rings:
        ring._outlet.lease.close()
    second = relay()
    second._round()
    clock.now += 5

    assert second.run(once=True)
    assert sorted(tags()) == sorted(names("w", 9))
    assert files("backlog") == []
    assert one.client.stats().pending == (3 if held else 0)


def test_held_events_of_a_dead_ring_keep_their_lane(
    worker, relay, collector, *, clock, tags, files
):
    """
    What waits for a throttled id when its process has died waits on, and is
    sent when it may be.
    """
    collector.faults.add(Fault(users=("throttled",)))
    one = worker()
    one.log(3, user_id="throttled")
    one.die()
    agent = relay()
    for _ in range(5):
        agent._round()
        clock.now += 1
    held = files("backlog")
    clock.now += 30

    assert agent.run(once=True)
    assert [name.endswith(".held") for name in held] == [True]
    assert collector.ledger.summary().requests == 2
    assert sorted(tags()) == names("w", 3)
    assert files("backlog") == files("rings") == []


def test_held_events_of_a_spoilt_ring_are_sent(
    worker, relay, collector, *, clock, tags, files
):
    """
    The backlog has them as soon as their ring is given up.
    """
    collector.faults.add(Fault(users=("throttled",)))
    one = worker()
    one.log(3, user_id="throttled")
    agent = relay()
    agent._round()
    at = one.client._session.ring.tail
    one.log(1, first=3)
    one.bytes(at, 8)[:] = b"\xff" * 8
    for _ in range(5):
        agent._round()
        clock.now += 1

    assert sorted(tags()) == names("w", 3)
    assert files("backlog") == []
