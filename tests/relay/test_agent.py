# SPDX-License-Identifier: MIT
"""
A relay and its workers against the collector, while all is well.
"""

from __future__ import annotations

import os
import signal
import threading
from itertools import pairwise

import pytest
from relaying import KEY, names

import ringamp
from ringamp.collector import Fault
from ringamp.options import Options
from ringamp.relay import RelayAgent
from ringamp.relay.agent import LONGEST, SHORTEST


def test_what_workers_log_arrives_and_they_are_told(worker, relay, tags):
    """
    Each event is delivered once; the worker's own counters say so.
    """
    one = worker()
    one.log(300)
    agent = relay()

    assert agent.run(once=True)

    assert sorted(tags()) == sorted(names("w", 300))
    stats = one.client.stats()
    assert (stats.logged, stats.delivered, stats.pending) == (300, 300, 0)


def test_rejected_events_are_told_and_buried(worker, relay, collector, files):
    """
    What the service refuses for good is among the dead letters and in the
    worker's counters.
    """
    collector.faults.add(Fault(status=400, indexes=[1, 3]))
    one = worker()
    one.log(5)
    agent = relay()

    assert agent.run(once=True)

    stats = one.client.stats()
    assert (stats.delivered, stats.rejected, stats.pending) == (3, 2, 0)
    progress = agent.progress()
    assert (progress.delivered, progress.rejected) == (3, 2)
    assert len(files("dead-letters")) == 1


def test_each_ring_sends_a_batch_a_round(worker, relay, collector, tags):
    """
    A ring with a hundred times more in it keeps nobody waiting.
    """
    worker("big").log(6000)
    worker("a").log(10)
    worker("b").log(10)
    agent = relay()

    agent._round()

    assert collector.ledger.summary().requests == 3
    assert sorted(tags()) == sorted(
        [*names("big", 2000), *names("a", 10), *names("b", 10)]
    )


def test_a_retry_of_one_ring_keeps_no_other_waiting(
    worker, relay, collector, tags, clock
):
    """
    The batch that failed waits for its time; other rings go on meanwhile,
    and nothing is sent twice.
    """
    first, second = worker("first"), worker("second")
    first.log(3)
    agent = relay(retry_timeouts=[60_000])
    collector.faults.add(Fault(status=503))
    agent._round()
    second.log(3)
    clock.now += 1
    agent._round()
    early = tags()
    clock.now += 60

    assert agent.run(once=True)
    assert early == names("second", 3)
    assert tags() == names("second", 3) + names("first", 3)
    assert first.client.stats().delivered == 3


def test_a_throttled_id_keeps_nobody_waiting(
    worker, relay, collector, *, tags, clock, files
):
    """
    Its events wait on disk as well, while all others are delivered, those of
    the same ring too.
    """
    collector.faults.add(Fault(users=("throttled",)))
    one, other = worker("one"), worker("other")
    one.log(3, user_id="throttled")
    one.log(3, first=3)
    other.log(3)
    agent = relay()

    agent._round()
    agent._round()
    early, held = sorted(tags()), files("backlog")
    pending = one.client.stats().pending
    clock.now += 31

    assert agent.run(once=True)
    assert early == sorted(names("one", 3, 3) + names("other", 3))
    assert [name.endswith(".held") for name in held] == [True]
    assert pending == 3
    assert sorted(tags()) == sorted(names("one", 6) + names("other", 3))
    assert one.client.stats().pending == 0
    assert files("backlog") == []


def test_an_event_waits_little_and_an_idle_relay_rests(worker, relay, clock):
    """
    The pauses are short while there is work, and grow to a twentieth of a
    second while there is none.
    """
    one = worker()
    agent = relay()

    def work():
        if len(clock.pauses) < 20:
            one.log(1)
        elif len(clock.pauses) == 60:
            agent.stop()

    agent.run(tell=work)

    busy, idle = clock.pauses[:19], clock.pauses[20:]
    assert set(busy) == {SHORTEST}
    assert all(a <= b for a, b in pairwise(idle))
    assert idle[-1] == LONGEST


def test_a_ring_that_fills_is_not_kept_waiting(worker, relay, clock):
    """
    There is no pause while there is more than a request's worth.
    """
    worker().log(5000)
    agent = relay()

    assert agent.run(once=True)
    assert agent.progress().requests == 3
    assert len(clock.pauses) <= 1


def test_stopping_finishes_the_request_and_leaves_the_rest(
    worker, relay, collector, tags
):
    """
    A signal in the middle of a request: what is under way gets its end, the
    rest stays in the ring for the next relay, and all locks are free.
    """
    collector.faults.add(Fault(delay=2))
    one, other = worker("one"), worker("other")
    one.log(2500)
    other.log(10)
    agent = relay()
    before = signal.signal(signal.SIGUSR1, lambda *_: agent.stop())

    def interrupt():
        if collector.ledger.wait_for(requests=1, timeout=30):
            os.kill(os.getpid(), signal.SIGUSR1)

    alarm = threading.Thread(target=interrupt)
    alarm.start()
    try:
        is_all_sent = agent.run()
    finally:
        alarm.join()
        signal.signal(signal.SIGUSR1, before)

    assert not is_all_sent
    assert collector.ledger.summary().requests == 1
    assert len(tags()) in {10, 2000}
    assert relay().run(once=True)
    assert sorted(tags()) == sorted(names("one", 2500) + names("other", 10))
    assert collector.ledger.summary().duplicates == 0


def test_it_sends_under_the_workers_limit_on_ids(worker, relay, collector):
    """
    *min_id_length* is the worker's, as its ring says; the relay has none.
    """
    short = worker("short", min_id_length=1)
    short.log(1, user_id="abc")
    other = worker("other")
    other.log(1)

    assert relay().run(once=True)

    users = {event.get("user_id") for event in collector.ledger.events()}
    assert "abc" in users
    assert len(users) == 2


def test_a_defect_costs_no_event_and_no_other_ring(
    worker, relay, tags, *, monkeypatch, clock, caplog
):
    """
    A failure of ours at one ring is logged; it is let go of, and found again
    by the next scan. A relay that ends just then says that it left something.
    """
    for name in "ab":
        worker(name).log(3)
    agent = relay()
    agent._roster.scan(0.0)
    ring = agent._roster.rings[0]

    def fail(timeout):
        raise MemoryError

    monkeypatch.setattr(ring, "turn", fail)

    agent._round()
    early = agent.progress().delivered
    clock.now += 1

    assert not agent.run(once=True)
    assert early == 3
    assert sorted(tags()) == names("a", 3) + names("b", 3)
    assert "failed at something and goes on: MemoryError()" in caplog.text


def test_a_defect_outside_of_rings_does_not_end_it(
    relay, monkeypatch, clock, caplog
):
    """
    Whatever fails, the relay waits a moment and goes on.
    """
    agent = relay()
    calls = []

    def fail(now):
        calls.append(now)
        if len(calls) == 3:
            agent.stop()
        raise ValueError("a defect")

    monkeypatch.setattr(agent._roster, "scan", fail)

    agent.run()

    assert clock.pauses == [1.0, 1.0]
    assert "a defect" in caplog.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "option spool_dir: None given to a relay"),
        ({"transport_class": ringamp.HTTPTransport}, "transport_class"),
        ({"retry_class": ringamp.NoRetry}, "retry_class"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, words, tmp_path):
    """
    They are named, before anything is made on disk.
    """
    if options:
        options["spool_dir"] = tmp_path / "spool"

    with pytest.raises(ringamp.OptionsError, match=words):
        RelayAgent(KEY, Options.build(options))

    assert list(tmp_path.iterdir()) == []


def test_its_repr_does_not_show_the_key(relay):
    """
    It shows the directory and the counts.
    """
    shown = repr(relay())

    assert KEY not in shown
    assert "delivered=0" in shown


def test_a_relay_may_finish_what_there_is(worker, relay, collector, tags):
    """
    With patience, all that is there when it is told to stop is sent, that of
    a worker which has just ended as well.
    """
    one, other = worker("one", buffer_bytes=2 << 20), worker("other")
    agent = relay()
    agent._round()
    one.log(9000)
    other.log(5)
    other.client.shutdown()
    agent.stop(30)

    assert agent.run()
    assert sorted(tags()) == sorted(names("one", 9000) + names("other", 5))


def test_patience_has_an_end(worker, relay, collector, clock):
    """
    A service that is out is tried until the time is up, and no longer.
    """
    collector.faults.add(Fault(status=503), times=None)
    worker().log(5)
    agent = relay(retry_timeouts=[100])
    began = clock.now
    agent.stop(10)

    assert not agent.run()
    assert 10 <= clock.now - began < 12
    assert agent.progress().requests > 3


def test_a_second_stop_ends_patience(worker, relay, collector, clock):
    """
    Whoever says it twice does not want to wait.
    """
    collector.faults.add(Fault(status=503), times=None)
    worker().log(5)
    agent = relay(retry_timeouts=[100])
    began = clock.now
    agent.stop(10)

    def hurry():
        if clock.now - began > 1:
            agent.stop(10)

    assert not agent.run(tell=hurry)
    assert clock.now - began < 2
