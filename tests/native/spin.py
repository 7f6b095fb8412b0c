# SPDX-License-Identifier: MIT
"""
Let Spin look at every execution of the ring's model (`ring.pml`):

    python tests/native/spin.py
    python tests/native/spin.py --long

Prints the size of each search and what it found; exit code 1 if the model
has an error, or if one that was broken on purpose has none. The long form
takes some minutes and some GB of memory.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import build

MODEL = build.HERE / "ring.pml"

CONSUMERS = ("-DIMMORTAL", "-DKILLS=2")
"""Two consumers die, one after the other; the producers live."""

PRODUCERS = ("-DKILLS=0",)
"""The producers die; their consumer repairs."""

EVERYBODY = ("-DFIRST=1", "-DSECOND=1", "-DSTART=3", "-DKILLS=1")
"""Both, in a smaller story: one record each, the first of which pads."""

SHORT: tuple[tuple[str, ...], ...] = (CONSUMERS, PRODUCERS, EVERYBODY)

LONG: tuple[tuple[str, ...], ...] = (
    *SHORT,
    ("-DKILLS=1",),
    ("-DFIRST=1", "-DSECOND=1", "-DSTART=3", "-DKILLS=3"),
    ("-DALL_SIZES", "-DKILLS=0"),
    ("-DALL_SIZES", "-DIMMORTAL", "-DKILLS=2"),
)
"""Larger stories, and records of every size."""

BROKEN: dict[str, tuple[str, ...]] = {
    "BROKEN_RELEASE": CONSUMERS,
    "BROKEN_ZERO": CONSUMERS,
    "BROKEN_HEAD": CONSUMERS,
    "BROKEN_CLAIM": CONSUMERS,
    "BROKEN_ALIVE": CONSUMERS,
    "BROKEN_REPAIR": PRODUCERS,
}
"""What must be noticed, and in which story."""


@dataclass(frozen=True)
class Search:
    """
    What a search has found.

    Attributes:
        states: How many there are.

        complaint: The first error; empty if there is none.

        is_complete: Whether every state was seen.
    """

    states: int
    complaint: str
    is_complete: bool


def is_installed() -> bool:
    """
    Say whether this machine has Spin and a C compiler.
    """
    return bool(shutil.which("spin") and build.compilers())


def search(*options: str) -> Search:
    """
    Have Spin write the verifier of the model with *options*, and run it.

    Raises:
        subprocess.CalledProcessError: The model is not one.
    """
    with tempfile.TemporaryDirectory() as folder:
        verifier = Path(folder) / "pan"
        for command in (
            ["spin", "-a", *options, str(MODEL)],
            [
                *(build.compilers()[0], "-O1", "-w", "-DSAFETY"),
                *("-DCOLLAPSE", "-o", str(verifier), "pan.c"),
            ],
        ):
            subprocess.run(
                command, check=True, capture_output=True, text=True, cwd=folder
            )
        done = subprocess.run(
            [str(verifier), "-m1000000", "-n"],
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
        )
    return read(done.stdout)


def read(report: str) -> Search:
    """
    Read the verifier's report.
    """
    states = re.search(r"^\s*([\d.e+]+) states, stored", report, re.MULTILINE)
    errors = re.search(r"errors: (\d+)", report)
    complaint = re.search(r"^pan:\d+: (.*)$", report, re.MULTILINE)
    if states is None or errors is None:
        return Search(0, f"no report: {report}", is_complete=False)
    text = complaint.group(1) if complaint else "unknown"
    return Search(
        int(float(states.group(1))),
        text if errors.group(1) != "0" else "",
        is_complete=not re.search(
            r"not completed|too small|out of memory", report
        ),
    )


def main() -> int:
    """
    Search the model, and each of its broken variants.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    if not is_installed():
        print("spin or a C compiler is missing")
        return 2
    failures = 0
    for story in LONG if options.long else SHORT:
        found = search(*story)
        is_good = not found.complaint and found.is_complete
        failures += not is_good
        print(
            f"{found.states:11,} states, "
            f"{found.complaint or 'no error'}: {' '.join(story)}",
            flush=True,
        )
    for name, story in BROKEN.items():
        found = search(f"-D{name}", *story)
        failures += not found.complaint
        print(f"{name:14} {found.complaint or 'WAS NOT NOTICED'}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
