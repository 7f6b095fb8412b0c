# SPDX-License-Identifier: MIT
"""
Scribble over every file of a spool, and live in it.

    python tests/process/scribble.py --seconds 600 --seed 1

Real processes of two projects are killed and leave rings, backlog files, held
files and dead letters. In each round a copy of all that is damaged: noise,
flipped bits, truncation, holes, renames, exchanges, copies between the
projects, links, FIFOs and directories; half of the rounds go on with it while
a client lives there. That client logs events of its own, takes over what it
finds, and ends.

What must hold: it exits with 0, in time, and raises nothing; its own events
were taken, each once; whatever else was taken was logged by a dead process of
its project, is as it was logged (sealed.py), and was taken once; and what no
hand was laid on was taken. Of the other project nothing was.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import hostile
import runner
import sealed
from conftest import Books
from vandal import Vandal
from workload import KEY

from ringamp.collector import LENIENT, CollectorProcess

OWN = 5
"""Events of the client."""

MINE = {
    **{f"ring{number}": ("ring", 10 + 20 * number) for number in range(4)},
    "gone": ("nothing", 8),
    "shelf1": ("backlog", 3),
    "shelf2": ("backlog", 30),
    "held": ("held", 6),
    "letters": ("letters", 2),
}
"""What the dead of the client's project leave, and how much."""

THEIRS = {"other1": ("ring", 10), "other2": ("backlog", 5)}

DEADLINE = 25
"""Seconds for a client that needs two."""

ROUNDS_OF_ONE = 25
"""Rounds that use what the same processes left."""

FAULTS_SHOWN = 5


class Template:
    """
    What killed processes left, to be copied for each round.

    Args:
        path: Where.

        url: Of the collector.
    """

    def __init__(self, path, url):
        self.path = path
        path.mkdir(0o700)
        self.owners = {}
        for key, orders in ((KEY, MINE), (hostile.OTHER_KEY, THEIRS)):
            for name, (what, count) in orders.items():
                before = set(path.rglob("*"))
                hostile.leave(path, url, key, f"{name}={what}:{count}")
                made = set(path.rglob("*")) - before
                self.owners[name] = [
                    one.relative_to(path) for one in made if one.is_file()
                ]
                if name == next(iter(MINE)):
                    (self.project,) = (one.name for one in path.iterdir())

    def untouched(self, path, touched):
        """
        Name those of whose rings and backlog files none was touched.
        """
        return [
            name
            for name, (what, _) in MINE.items()
            if what in {"ring", "backlog"}
            and not any(path / one in touched for one in self.owners[name])
        ]


class Scribbling:
    """
    Rounds of damage, and what came of them.

    Args:
        place: A directory for all of it.

        seed: Repeats the damage.
    """

    def __init__(self, place, seed):
        self.place = place
        self.seed = seed
        self.rounds = 0
        self.ways = Counter()
        self.counts = Counter()
        self.faults = []
        self.slowest = 0.0

    def run(self, end, most):
        """
        Go on until the time is over, or *most* rounds are done.
        """
        with CollectorProcess(
            settings=LENIENT, keep_events=100_000
        ) as collector:
            template = None
            while time.monotonic() < end and self.rounds != most:
                if self.rounds % ROUNDS_OF_ONE == 0:
                    template = Template(
                        self.place / f"left{self.rounds}", collector.url
                    )
                self.round(template, collector)
                self.rounds += 1

    def round(self, template, collector):
        """
        Damage a copy, live in it, and look at what arrived.
        """
        rng = random.Random(f"{self.seed}/{self.rounds}")
        path = self.place / "spool"
        shutil.copytree(template.path, path)
        path.chmod(0o700)
        vandal = Vandal(rng, path, path / template.project)
        for _ in range(rng.choice([1, 2, 3, 5, 10, 20, 50])):
            vandal.act()
        collector.reset()
        program = runner.start(
            runner.HERE / "heir.py", path, "own", OWN, url=collector.url
        )
        if rng.random() < 0.5:
            while program.process.poll() is None:
                vandal.act()
                time.sleep(rng.random() / 50)
        done = program.wait(DEADLINE)
        self.judge(template, path, vandal, done, Books(collector).events())
        shutil.rmtree(path)

    def judge(self, template, path, vandal, done, events):
        """
        Note what is wrong.
        """
        must = sealed.tags_of("own", OWN)
        for name in template.untouched(path, vandal.touched):
            must += sealed.tags_of(name, MINE[name][1])
        may = [
            tag
            for name, (what, count) in MINE.items()
            if what != "letters"
            for tag in sealed.tags_of(name, count)
        ]
        faults = sealed.faults_of(events, must, may)
        if done.hung or done.code:
            faults.append(f"hung: {done.hung}, exit code {done.code}")
        if "Traceback" in done.err or "CRITICAL" in done.err:
            faults.append(done.err[-2000:])
        self.ways += vandal.counts
        self.slowest = max(self.slowest, done.seconds)
        for told in done.told:
            if told["answers"] != ["success"] or told["delivered"] != OWN:
                faults.append(f"its own events: {told}")
            for name in ("recovered", "adopted", "quarantined", "bad_crc"):
                self.counts[name] += told[name]
        self.counts["events"] += len(events)
        self.faults += [f"round {self.rounds}: {one}" for one in faults]

    def report(self):
        """
        Return all of it.
        """
        return {
            "seed": self.seed,
            "rounds": self.rounds,
            "damages": sum(self.ways.values()),
            "ways": dict(sorted(self.ways.items())),
            **self.counts,
            "slowest_client_s": round(self.slowest, 2),
            "fault_count": len(self.faults),
            "faults": self.faults[:FAULTS_SHOWN],
        }


def main():
    """
    Read the command line, scribble, print one line.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=-1)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    chosen = parser.parse_args()
    end = time.monotonic() + chosen.seconds
    with tempfile.TemporaryDirectory(
        dir="/dev/shm" if Path("/dev/shm").is_dir() else None
    ) as place:
        scribbling = Scribbling(Path(place), chosen.seed)
        scribbling.run(end, chosen.rounds)
    print(json.dumps(scribbling.report()))
    sys.exit(bool(scribbling.faults))


if __name__ == "__main__":
    main()
