# SPDX-License-Identifier: MIT
"""
Relays and their workers as real processes.

RINGAMP_RELAY_KILLS says how many relays die in the storm, RINGAMP_RELAY_SEED
which.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import runner
import workload

from ringamp.collector import Fault

pytestmark = [pytest.mark.process, pytest.mark.slow]

KILLS = int(os.environ.get("RINGAMP_RELAY_KILLS", "25"))
SEED = os.environ.get("RINGAMP_RELAY_SEED")

WORKER = """
import os, signal, sys
import workload

client = workload.begin(
    spool_dir=sys.argv[1], delivery=sys.argv[2], buffer_bytes=1 << 20
)
name, logged = sys.argv[3], 0
workload.log(client, name, 5)
logged += 5
workload.tell(what="ready", threads=workload.threads(),
              sockets=workload.sockets())
for line in sys.stdin:
    word = line.strip()
    if word.isdigit():
        workload.log(client, name, int(word), first=logged)
        logged += int(word)
        workload.tell(what="logged", count=logged)
    elif word == "counts":
        workload.tell(what="counts", threads=workload.threads(),
                      sockets=workload.sockets(), **workload.counts(client))
    elif word == "_exit":
        os._exit(0)
    elif word == "raise":
        raise SystemExit(0)
"""


class Worker:
    """
    A worker that does what it is told.

    Args:
        url: The collector's.

        spool: The spool directory.

        name: Of its events.

        delivery: The option.
    """

    def __init__(self, url, spool, name="w", delivery="relay"):
        self.program = runner.start(
            WORKER, spool, delivery, name, url=url, stdin=True
        )
        self.ready = self.program.hear()

    def say(self, word):
        """
        Tell it something; return what it answers.
        """
        self.program.say(word)
        return self.program.hear()

    def counts(self):
        """
        Ask for its counters.
        """
        return self.say("counts")

    def is_delivered(self):
        """
        Whether nothing of its events is pending.
        """
        return self.counts()["pending"] == 0

    def end(self, how):
        """
        End it: by its own will or by a signal.
        """
        if isinstance(how, signal.Signals):
            os.kill(self.program.pid, how)
        elif how == "close":
            self.program.process.stdin.close()
            self.program.process.stdin = None
        else:
            self.program.say(how)
        self.program.process.wait(30)


@pytest.fixture
def spool(tmp_path):
    """
    The spool directory.
    """
    return tmp_path / "spool"


@pytest.fixture
def start(collector, spool):
    """
    Start workers, and end what is left of them.
    """
    made = []

    def start(*args, **more):
        made.append(Worker(collector.url, spool, *args, **more))
        return made[-1]

    yield start
    for worker in made:
        worker.program.end()


@pytest.fixture
def relay(collector, spool):
    """
    Start relays as a user does, and end what is left of them.
    """
    made = []

    def start(*more, url=collector.url):
        command = [
            *(sys.executable, "-m", "ringamp", "relay"),
            *("--spool-dir", str(spool), "--server-url", url),
            *more,
        ]
        env = runner.environment(RINGAMP_API_KEY=workload.KEY)
        made.append(runner.Program(command, env))
        return made[-1]

    yield start
    for program in made:
        program.end()


def rings(spool):
    """
    Name the ring files.
    """
    return sorted(Path(spool).glob("*/rings/*.ring"))


@pytest.mark.timeout(60 + 2 * KILLS)
def test_scenario_25_a_relay_killed_mid_drain_loses_and_doubles_nothing():
    """
    Scenario 25: relays are killed at random instants while eight producers
    log; another one goes on, or a worker with delivery="thread". The record
    of a producer that stopped in a push is as it was, and all arrives once.
    """
    run = runner.run(
        runner.HERE / "relay_storm.py",
        f"--kills={KILLS}",
        *([f"--seed={SEED}"] if SEED else []),
        deadline=50 + 2 * KILLS,
    )

    print(run.out)
    assert (run.code, run.hung, run.err) == (0, False, "")
    storm = run.the(kind="storm")
    assert set(storm["codes"]) == {0}
    assert storm["is_drained"]
    assert storm["faults"] == []
    assert [name for name in storm["left"] if name[-4:] != ".tmp"] == []
    assert run.the(kind="slow") == {
        "kind": "slow",
        "touched": 0,
        "claimed": False,
    }
    workers = run.of(kind="worker")
    assert len(workers) == 7
    assert all(one["dropped"] == one["rejected"] == 0 for one in workers)
    assert storm["events"] >= sum(one["logged"] for one in workers)


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_relay_may_start_when_it_likes(
    start, relay, collector, *, spool, when
):
    """
    Before the first worker, while one logs, after the last has ended:
    everything arrives once. The worker has no thread and no socket.
    """
    if when == "before":
        agent = relay()
        assert runner.wait_until(lambda: list(spool.glob("*/rings")))
    worker = start()
    for _ in range(20):
        worker.say("100")
    if when == "during":
        agent = relay()
    for _ in range(20):
        worker.say("100")
    if when == "after":
        worker.end("close")
        agent = relay()
    else:
        assert runner.wait_until(worker.is_delivered)
        counts = worker.counts()
        assert (counts["delivered"], counts["threads"]) == (4005, 1)
        assert counts["sockets"] == 0
    assert runner.wait_until(lambda: collector.summary().accepted == 4005)
    agent.process.terminate()

    assert (worker.ready["threads"], worker.ready["sockets"]) == (1, 0)
    assert agent.wait(30).code == 0
    assert collector.took_once(("w", 4005))


@pytest.mark.parametrize(
    "how", ["close", "raise", "_exit", signal.SIGKILL, signal.SIGTERM]
)
def test_the_relay_finishes_what_a_worker_leaves(
    start, relay, collector, *, spool, how
):
    """
    Scenario 18 and others: however a worker ends, a relay that lives sends
    what it had logged, and removes its file.
    """
    worker, other = start(), start("other")
    agent = relay()
    assert runner.wait_until(worker.is_delivered)
    worker.say("500")
    worker.end(how)

    assert runner.wait_until(lambda: len(rings(spool)) == 1)
    assert runner.wait_until(other.is_delivered)
    agent.process.terminate()
    run = agent.wait(30)
    assert run.code == 0
    assert "Traceback" not in run.err
    assert collector.took_once(("w", 505), ("other", 5))


@pytest.mark.parametrize("how", ["living", "dead"])
def test_without_a_relay_a_worker_with_a_thread_goes_on(
    start, collector, spool, how
):
    """
    It sends what relay-mode workers, living or dead, have logged, and lets
    go of the living ones' rings.
    """
    worker = start()
    worker.say("100")
    if how == "dead":
        worker.end(signal.SIGKILL)
    start("thread", delivery="thread")

    assert runner.wait_until(lambda: collector.summary().accepted == 110)
    if how == "living":
        assert runner.wait_until(worker.is_delivered)
        worker.say("20")
        assert runner.wait_until(worker.is_delivered)
    else:
        assert runner.wait_until(lambda: len(rings(spool)) == 1)
    count = 125 if how == "living" else 105
    assert collector.took_once(("w", count), ("thread", 5))


def test_a_relay_takes_over_from_a_worker_with_a_thread(
    start, relay, collector
):
    """
    It has the rings a moment after they were let go of.
    """
    worker = start()
    start("thread", delivery="thread")
    assert runner.wait_until(worker.is_delivered)
    agent = relay()

    def is_quick():
        worker.say("10")
        began = time.monotonic()
        assert runner.wait_until(worker.is_delivered)
        return time.monotonic() - began < 1

    # A worker with a thread looks every three seconds.
    assert runner.wait_until(lambda: all(is_quick() for _ in range(5)))
    agent.process.terminate()
    assert agent.wait(30).code == 0


def test_once_from_cron(start, relay, collector, spool):
    """
    It sends what the living and the dead have left, ends with 0, and the
    next one goes on.
    """
    worker, dead = start(), start("dead")
    worker.say("1000")
    dead.end("_exit")

    first = relay("--once").wait(60)
    middle = collector.summary().accepted
    worker.say("50")
    second = relay("--once").wait(60)

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert middle == 1010
    assert worker.counts()["delivered"] == 1055
    assert collector.took_once(("w", 1055), ("dead", 5))
    assert len(rings(spool)) == 1


def test_once_ends_with_1_where_the_service_is_out(start, relay, collector):
    """
    What could not be sent is told by the exit code, and stays.
    """
    worker = start()
    collector.add_fault(Fault(status=503), times=None)
    program = relay("--once")

    assert runner.wait_until(lambda: collector.summary().requests > 3)
    program.process.terminate()
    run = program.wait(60)

    assert run.code == 1
    assert worker.counts()["delivered"] == 0


def test_sigterm_in_the_middle_of_a_drain(start, relay, collector):
    """
    The request under way is finished, the exit code is 0, and another relay
    sends the rest; nothing is sent twice.
    """
    worker = start()
    for _ in range(4):
        worker.say("2000")
    collector.add_fault(Fault(delay=0.3), times=None)
    agent = relay()
    assert runner.wait_until(lambda: collector.summary().accepted >= 2000)
    agent.process.terminate()
    run = agent.wait(30)
    told = worker.counts()["delivered"]
    taken = collector.summary().accepted
    collector.add_fault(Fault(), times=1)
    second = relay()

    assert runner.wait_until(worker.is_delivered, 60)
    second.process.terminate()
    assert (run.code, second.wait(60).code) == (0, 0)
    assert told == taken < 8005
    assert collector.summary().duplicates == 0
    assert collector.took_once(("w", 8005))


def test_a_stopped_worker_keeps_its_ring(start, relay, collector, spool):
    """
    Whoever is stopped lives: what it has logged is sent, its file stays and
    is nobody's to repair, and it goes on where it was.
    """
    worker = start()
    agent = relay()
    assert runner.wait_until(worker.is_delivered)
    os.kill(worker.program.pid, signal.SIGSTOP)
    before = rings(spool)
    # More than two scans; there is nothing to wait for.
    time.sleep(2.5)
    after = rings(spool)
    os.kill(worker.program.pid, signal.SIGCONT)
    worker.say("100")

    assert runner.wait_until(worker.is_delivered)
    agent.process.terminate()
    run = agent.wait(30)
    assert before == after
    assert len(after) == 1
    assert "0 adopted" in run.out
    assert collector.took_once(("w", 105))


def test_an_outage_ends_in_order(start, relay, collector, spool):
    """
    While nobody listens, workers log on and drop nothing; then all arrives.
    """
    collector.add_fault(Fault(refuse=2.0))
    worker = start()
    agent = relay()
    for _ in range(10):
        worker.say("300")
        time.sleep(0.1)

    assert runner.wait_until(worker.is_delivered, 60)
    counts = worker.counts()
    agent.process.terminate()
    assert agent.wait(30).code == 0
    assert (counts["delivered"], counts["dropped"]) == (3005, 0)
    assert collector.took_once(("w", 3005))
