# SPDX-License-Identifier: MIT
"""
How much longer does `import ringamp` take than `import urllib3`?

Each import is timed in a process of its own, without the start of the
interpreter, in turns. `import ringamp` brings the names that an application
uses; what sends is imported by the first `init`, which the second figure
includes. The modules are compiled beforehand.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from tempfile import TemporaryDirectory

import typer

from benchmarks.environment import ROOT
from benchmarks.harness import JSONOption, RoundsOption, interleave, ratio
from benchmarks.report import Figure, Report

BAR = 1.35

PROGRAM = """
import time
began = time.perf_counter()
{}
print(time.perf_counter() - began)
"""

STATEMENTS = {
    "urllib3": "import urllib3",
    "ringamp": "import ringamp",
    "init": "import ringamp; ringamp.init('0' * 32)",
}


def seconds(statement: str, cache: str) -> float:
    """
    Run *statement* in a new process that finds and keeps compiled modules in
    *cache*; give the seconds that it took.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statement)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def measure(rounds: int) -> Iterator[Figure]:
    """
    Time each statement once a round.
    """
    with TemporaryDirectory(prefix="ringamp-") as cache:
        blocks = {
            name: partial(seconds, statement, cache)
            for name, statement in STATEMENTS.items()
        }
        for block in blocks.values():
            block()
        series = interleave(blocks, rounds)
    for name, words, bar in (
        ("ringamp", "import ringamp", BAR),
        ("init", "the same and the first init", None),
    ):
        yield ratio(
            f"import_{name}",
            f"{words} / import urllib3",
            series[name],
            series["urllib3"],
            scale=1e3,
            unit="ms",
            bar=bar,
        )


def main(*, rounds: RoundsOption = 25, json: JSONOption = None) -> None:
    """
    How much longer does import ringamp take than import urllib3?
    """
    report = Report("Imports", {"rounds": rounds})
    report.gather(measure(rounds))
    report.show()
    if json is not None:
        report.save(json)


if __name__ == "__main__":
    typer.run(main)
