# SPDX-License-Identifier: MIT
"""
Run the tests many times, some runs at a time, each in an order of its own,
beside processes that keep the processors: a test that fails now and then does
so here.

    python tests/steadiness.py
    python tests/steadiness.py --times 3 --busy 4 -- --all tests/process

What follows `--` is pytest's. The seed of a run is printed;
`pytest -n 0 --randomly-seed=SEED` has its order again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]

BURN = """
import os
parent = os.getppid()
while os.getppid() == parent:
    sum(range(100_000))
"""
"""Keeps a processor, and ends with the process that started it."""


@dataclass(frozen=True)
class Run:
    """
    How one run of the tests went.

    Attributes:
        seed: Of its order.

        code: pytest's exit code; None for a run that was ended at its limit.

        counts: The last line that pytest printed.

        failures: Each test that failed, and why.

        seconds: How long it took.
    """

    seed: int
    code: int | None
    counts: str
    failures: dict[str, str]
    seconds: float

    def __str__(self) -> str:
        end = "hung" if self.code is None else f"exit code {self.code}"
        counts = self.counts or "no summary"
        first = f"seed {self.seed}: {counts} ({end}, {self.seconds:.0f} s)"
        names = (f"  failed: {name}" for name in self.failures)
        return "\n".join([first, *names])


@contextlib.contextmanager
def busy(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """
    Keep *count* processors busy; give the processes that do.
    """
    burners = [
        subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(count)
    ]
    try:
        yield burners
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def failures(report: Path) -> dict[str, str]:
    """
    Read the tests that failed out of pytest's XML.
    """
    if not report.exists():
        return {}
    found = {}
    for case in ET.parse(report).iter("testcase"):
        for fault in (*case.iter("failure"), *case.iter("error")):
            name = f"{case.get('classname')}::{case.get('name')}"
            found[name] = fault.text or ""
    return found


def run(seed: int, arguments: list[str], limit: float) -> Run:
    """
    Run the tests once, for at most *limit* seconds.

    It has directories of its own for all that tests write elsewhere.
    """
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="steadiness-") as own:
        report = Path(own) / "report.xml"
        command = [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            f"--randomly-seed={seed}",
            *(f"--junitxml={report}", f"--basetemp={own}/tmp"),
            *arguments,
        ]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "XDG_RUNTIME_DIR": own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        code: int | None
        try:
            said, _ = process.communicate(timeout=limit)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            code = None
        counts = said.strip().rpartition("\n")[2]
        return Run(
            seed, code, counts, failures(report), time.monotonic() - begin
        )


def main() -> int:
    """
    Run them all; say with the exit code whether every run went well.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--side-by-side", type=int, default=3)
    parser.add_argument("--busy", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=90, help="for a run")
    parser.add_argument("--seed", type=int, default=None, help="of the seeds")
    parser.add_argument("pytest", nargs="*", help="behind --: for pytest")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    seeds = [chance.randrange(2**32) for _ in range(options.times)]
    failed = 0
    with (
        busy(options.busy),
        ThreadPoolExecutor(options.side_by_side) as pool,
    ):
        limit = 60 * options.minutes
        for one in pool.map(
            lambda seed: run(seed, options.pytest, limit), seeds
        ):
            print(one, flush=True)
            for words in one.failures.values():
                print(words, flush=True)
            failed += one.code != 0
    print(f"{len(seeds) - failed} of {len(seeds)} runs passed: seeds {seeds}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
