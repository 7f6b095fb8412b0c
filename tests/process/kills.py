# SPDX-License-Identifier: MIT
"""
Kill workers at random instants, and show that nothing is lost or doubled.

    python tests/process/kills.py --kills 2000 --seed 1

Workers log to a collector that fails in many ways, through one spool. They
are killed all the time, at random instants or at marked calls, and others
take their places, which adopt what the dead have left. In the end one client
sends all that is on disk.

What must hold: of each thread of each worker, the collector has taken just
the events that `log_event` accepted, each once; the one that was being
logged at the death may be there or not. The count of accepted events stands
in shared memory, written by the worker itself.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import urllib.request
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import doomed
import msgspec

import ringamp
from ringamp.collector import LENIENT, CollectorProcess, Fault
from ringamp.collector.settings import LIMITLESS

WEIGHTS = {
    "kill": 50,
    "point": 34,
    "alarm": 6,
    "segfault": 3,
    "abort": 3,
    "exit": 3,
    "shutdown": 4,
}

WEATHER = (
    (Fault(status=500), 0.04),
    (Fault(users=(doomed.THROTTLED,)), 0.1),
    (Fault(reset="before"), 0.02),
    (Fault(reset="after"), 0.03),
    (Fault(half=True), 0.02),
    (Fault(delay=0.05), 0.2),
    (Fault(delay=0.6), 0.01),
)
SETTINGS = msgspec.structs.replace(
    LENIENT, http_v2=msgspec.structs.replace(LIMITLESS, max_bytes=20_000)
)
"""Full requests are too large, so they are halved, and files of the backlog
are sent in parts."""

STORM = ((Fault(status=503), 1.0),)
SEASONS = {"fair": (1.2, WEATHER), "storm": (0.5, STORM)}
"""How long each weather lasts, and what it brings."""

LATE = 10
"""Seconds after its planned end at which a worker counts as hung."""

DRAIN_SECONDS = 90
STALE = 120
"""More seconds than a half-made file may be old."""


def draw(number, chance):
    """
    Draw a worker's life.
    """
    end = chance.choices(list(WEIGHTS), WEIGHTS.values())[0]
    if number < len(WEIGHTS):
        end = list(WEIGHTS)[number]
    # Many die young: in the making of the ring, in their first adoption.
    # Those that live long get around to the backlog. A point may be far.
    longest = chance.choice((0.03, 0.5, 0.5, 0.5, 0.5, 4))
    if end == "point":
        longest = 2
    return doomed.Plan(
        number=number,
        seed=chance.getrandbits(32),
        end=end,
        seconds=chance.uniform(0, longest),
        point=chance.choice(list(doomed.POINTS)) if end == "point" else "",
        threads=chance.choice((1, 1, 2)) if end != "alarm" else 1,
        inherits=chance.random() < 0.3,
        relay=chance.random() < 0.08,
        frozen=chance.choice((0, 0, 0, 0.2)),
    )


class Killer:
    """
    Starts workers and ends them.

    Args:
        kills: How many to kill.

        seed: Of it all.

        workers: How many live at once.

        spool_dir: Theirs.

        collector: The process that takes their events.
    """

    def __init__(self, kills, seed, workers, spool_dir, collector):
        self.kills = kills
        self._chance = random.Random(seed)
        self._workers = workers
        self._spool_dir = spool_dir
        self._collector = collector
        self.plans = []
        self.board = doomed.Board(2 * kills + 100)
        self.faults = []
        self.ends = Counter()
        self.client = ringamp.init(
            doomed.KEY,
            server_url=collector.url,
            spool_dir=spool_dir,
            **doomed.OPTIONS,
        )
        self._living = {}

    @property
    def killed(self):
        """
        How many died that were not told to end.
        """
        return sum(self.ends.values()) - self.ends["shutdown"]

    def run(self):
        """
        Kill as many as asked.
        """
        season_ends = 0.0
        while self.killed < self.kills or self._living:
            now = time.monotonic()
            if now > season_ends:
                season = self._chance.choice(list(SEASONS))
                season_ends = now + self._change(season)
            while len(self._living) < self._workers and (
                self.killed + len(self._living) < self.kills
            ):
                self._start()
            self._look_after()
            time.sleep(0.001)

    def _change(self, season):
        seconds, faults = SEASONS[season]
        self._collector.clear_faults()
        for fault, probability in faults:
            self._collector.add_fault(fault, None, probability)
        return seconds

    def _start(self):
        plan = draw(len(self.plans), self._chance)
        self.plans.append(plan)
        pid = os.fork()
        if not pid:
            try:
                doomed.live(
                    plan,
                    self.board,
                    self.client,
                    self._collector.url,
                    self._spool_dir,
                )
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        self._living[pid] = (plan, time.monotonic())

    def _look_after(self):
        """
        Freeze, wake, kill and bury.
        """
        now = time.monotonic()
        for pid, (plan, born) in list(self._living.items()):
            due = born + plan.frozen + plan.seconds
            if plan.frozen and now > born + plan.seconds / 2:
                os.kill(pid, signal.SIGSTOP)
                if now > born + plan.seconds / 2 + plan.frozen:
                    os.kill(pid, signal.SIGCONT)
                    thawed = plan._replace(frozen=0)
                    self._living[pid] = (thawed, born + plan.frozen)
                continue
            if now > due and plan.end in {"kill", "point"}:
                os.kill(pid, signal.SIGKILL)
            if now > due + LATE:
                os.kill(pid, signal.SIGKILL)
                self.faults.append(f"hung: {plan}")
        while self._living and (found := os.waitpid(-1, os.WNOHANG))[0]:
            self._bury(*found)

    def _bury(self, pid, status):
        if pid not in self._living:
            return
        plan, _ = self._living.pop(pid)
        self.ends[plan.end] += 1
        code = os.waitstatus_to_exitcode(status)
        if code != doomed.STATUSES[plan.end]:
            self.faults.append(f"ended with {code}: {plan}")

    def reached(self):
        """
        Count how many died at which points.
        """
        points = ["", *doomed.POINTS]
        found = Counter(
            points[self.board.get(plan.number, doomed.Board.REACHED)]
            for plan in self.plans
        )
        del found[""]
        return found

    def drain(self, rings, backlog):
        """
        Have all that is on disk sent by the one client that is left.
        """
        old = time.time() - STALE
        for file in [*rings.iterdir(), *backlog.iterdir()]:
            if file.suffix == ".tmp":
                os.utime(file, (old, old))
        self.client.log_event(
            {"event_type": "last", "user_id": "last@example.com"}
        )
        give_up = time.monotonic() + DRAIN_SECONDS
        while len(list(rings.iterdir())) > 1 or list(backlog.iterdir()):
            if time.monotonic() > give_up:
                self.faults.append("the spool is not empty in the end")
                break
            time.sleep(0.05)
        self.client.flush().result(30)
        stats = self.client.stats()
        self.client.shutdown()
        self.faults += [f"left: {file.name}" for file in rings.iterdir()]
        self.faults += [f"left: {file.name}" for file in backlog.iterdir()]
        return stats

    def check(self, events):
        """
        Compare what was accepted with what was taken.

        Returns:
            How many events were accepted.
        """
        taken = {}
        corrupt = 0
        for event in events:
            properties = event["event_properties"]
            worker, thread, number = map(int, properties["tag"].split("."))
            taken.setdefault((worker, thread), []).append(number)
            corrupt += properties["padding"] != doomed.padding(number)
        if corrupt:
            self.faults.append(f"{corrupt} events are corrupt")
        total = 0
        for plan in self.plans:
            for thread in range(plan.threads):
                accepted = self.board.get(plan.number, thread)
                total += accepted
                self._compare(
                    plan, accepted, Counter(taken.pop((plan[0], thread), []))
                )
        if taken:
            self.faults.append(f"nobody logged these: {taken}")
        return total

    def _compare(self, plan, accepted, numbers):
        expected = set(range(accepted))
        lost = sorted(expected - numbers.keys())
        # The one that was being logged.
        more = sorted(numbers.keys() - expected - {accepted})
        doubled = sorted(n for n, times in numbers.items() if times > 1)
        for word, found in [
            ("lost", lost),
            ("never accepted", more),
            ("doubled", doubled),
        ]:
            if found:
                self.faults.append(
                    f"{len(found)} of {accepted} {word} {found[:5]}: {plan}"
                )


def events_of(collector):
    """
    Fetch all events that the collector took from workers, one user's at a
    time.
    """
    users = [f"user{number}@example.com" for number in range(doomed.USERS)]
    for user in [*users, doomed.THROTTLED]:
        address = f"{collector.base_url}/_collector/events?user_id={user}"
        with urllib.request.urlopen(address, timeout=120) as answer:
            yield from json.load(answer)


def main():
    """
    Do it, and print what came of it.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--under", help="the directory of the spool")
    given = parser.parse_args()
    seed = given.seed
    if seed is None:
        seed = random.SystemRandom().getrandbits(32)
    print(f"RINGAMP_KILLS={given.kills} RINGAMP_KILLS_SEED={seed}")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.flush()
    spool_dir = tempfile.mkdtemp(dir=given.under)
    try:
        with CollectorProcess(
            settings=SETTINGS, keep_events=10_000_000, seed=seed
        ) as collector:
            faults = kill(
                given.kills, seed, given.workers, spool_dir, collector
            )
    finally:
        shutil.rmtree(spool_dir)
    return 1 if faults else 0


def kill(kills, seed, workers, spool_dir, collector):
    """
    Kill, drain, compare and print; return what was wrong.
    """
    begin = time.monotonic()
    killer = Killer(kills, seed, workers, spool_dir, collector)
    killer.run()
    killing = time.monotonic() - begin
    collector.clear_faults()
    (own,) = Path(spool_dir).iterdir()
    left = len(list((own / "rings").iterdir())) - 1
    stats = killer.drain(own / "rings", own / "backlog")
    draining = time.monotonic() - begin - killing
    total = killer.check(events_of(collector))
    count = len(killer.plans)
    found = {
        name: killer.board.total(count, name) + getattr(stats, name)
        for name in doomed.Board.COUNTED
    }
    if found["bad_crc"] or found["quarantined"]:
        killer.faults.append("files were taken for damaged")
    summary = collector.summary()
    told = {
        "seed": seed,
        "kills": killer.killed,
        "ends": dict(killer.ends),
        "at_points": killer.reached(),
        "events": total,
        "requests": summary.requests,
        "repeats_dropped": summary.duplicates,
        **found,
        "rings_left": left,
        "longest_call_ms": max(
            killer.board.get(n, doomed.Board.LONGEST) for n in range(count)
        )
        / 1000,
        "killing_seconds": round(killing, 1),
        "draining_seconds": round(draining, 1),
        "faults": killer.faults[:50],
    }
    print(json.dumps(told))
    return killer.faults


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
