# SPDX-License-Identifier: MIT
"""
How many instructions does an event take?

Instructions do not depend on what else the machine does: counted twice, they
are the same. So a change that costs a twentieth more shows, which no clock
would. Counted by callgrind (valgrind), see `instructions_work`; compared with
the record that lies beside this file:

    python -m benchmarks.instructions            count and compare
    python -m benchmarks.instructions --write    count, and make it the record
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec
import typer

from benchmarks.instructions_counts import (
    Count,
    Record,
    Tally,
    count_between,
    growth,
    mismatch,
)
from benchmarks.instructions_work import EVENTS

RECORD = Path(__file__).with_suffix(".json")

ROOT = Path(__file__).resolve().parents[1]

WORK = (sys.executable, "-m", "benchmarks.instructions_work")

VALGRIND = (
    "valgrind",
    "--quiet",
    "--tool=callgrind",
    "--dump-before=getppid",
    "--compress-strings=no",
    "--compress-pos=no",
    "--dump-line=no",
)

AGAIN = (
    "count the commit before the change and the change with the same ones, "
    "or write a new record: python -m benchmarks.instructions --write"
)

WriteOption = Annotated[
    bool, typer.Option("--write", help="Make the counts the record.")
]


def has_callgrind() -> bool:
    """
    Whether this machine can count.
    """
    return shutil.which("valgrind") is not None


def count() -> Record:
    """
    Count every road.

    Raises:
        CalledProcessError: The process that is counted failed.
    """
    bytecodes: dict[str, dict[str, float]] = msgspec.json.decode(
        _work((*WORK, "--trace"))
    )
    roads: dict[str, Count] = {}
    with TemporaryDirectory(prefix="ringamp-") as directory:
        out = Path(directory, "counts")
        _work((*VALGRIND, f"--callgrind-out-file={out}", *WORK))
        # Three counts a road: until it is warm, EVENTS, twice as many.
        for number, (name, functions) in enumerate(bytecodes.items()):
            fewer, more = (
                Tally(out.with_suffix(f".{3 * number + part}"))
                for part in (2, 3)
            )
            roads[name] = count_between(fewer, more, EVENTS, functions)
    return Record(_needs(), _versions(), roads)


def load() -> Record:
    """
    Read the record.
    """
    return msgspec.json.decode(RECORD.read_bytes(), type=Record)


def save(record: Record) -> None:
    """
    Make *record* the one that is compared with.
    """
    encoded = msgspec.json.format(msgspec.json.encode(record), indent=1)
    RECORD.write_bytes(encoded + b"\n")


def fault(recorded: Record, counted: Record) -> str | None:
    """
    Say in words why the gate is shut; None if it is open.
    """
    others = mismatch(recorded, counted)
    if others:
        return "; ".join(["these counts cannot be compared", *others, AGAIN])
    return "\n".join(growth(recorded, counted)) or None


def _work(command: tuple[str, ...]) -> bytes:
    """
    Run *command*, with nothing around that could change a count.
    """
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout


def _needs() -> dict[str, str]:
    """
    Tell what decides about instructions outside the encoder.
    """
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    said = subprocess.run(
        (compiler, "-dumpfullversion"),
        capture_output=True,
        text=True,
        check=False,
    )
    processor = Path("/proc/cpuinfo")
    flags = processor.read_text() if processor.exists() else ""
    return {
        "machine": platform.machine(),
        # Valgrind shows every program one processor of two: with or without.
        "avx2": str("avx2" in flags.split()),
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
        "python's compiler": platform.python_compiler(),
        "python's flags": sysconfig.get_config_var("OPT") or "",
        "compiler": f"{compiler} {said.stdout.strip()}",
    }


def _versions() -> dict[str, str]:
    """
    Tell what else was there.
    """
    return {name: version(name) for name in ("orjson", "msgspec", "cffi")}


def main(*, write: WriteOption = False) -> None:
    """
    How many instructions does an event take?
    """
    counted = count()
    recorded = load() if RECORD.exists() else counted
    for name, now in counted.roads.items():
        before = recorded.roads.get(name, now).instructions
        print(
            f"{name:36} {now.instructions:8,.0f} + {now.encoder:,.0f} in the "
            f"encoder; record {before:8,.0f} "
            f"({now.instructions / before - 1:+.1%})"
        )
    if write:
        save(counted)
        return
    words = fault(recorded, counted)
    if words is not None:
        print(words)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
