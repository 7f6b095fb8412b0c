# SPDX-License-Identifier: MIT
"""
Compile the kill harness (`kill.c`) and run it over every point of the
protocol at which `ring.c` can be made to die:

    python tests/native/kill.py --rounds 20000
    python tests/native/kill.py --seed 1 --first 4711 --rounds 1

The second repeats one round. Prints what was pushed, found and survived;
exit code 1 at the first record that is lost, changed or there twice, with
the seed and the round.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import build

SOURCES = ("ring.c", "recover.c", "lease.c", "generation.c", "crc32c.c")

PARTS = ("kill.c", "kill_workers.c", "kill_settle.c")

SHARED_MEMORY = Path("/dev/shm")


def points(native: Path) -> list[str]:
    """
    Read the names of the points out of ring.c.
    """
    text = (native / "ring.c").read_text(encoding="utf-8")
    return re.findall(r'RA_FAILPOINT\("([^"]+)"\)', text)


def compile_harness(folder: Path, native: Path = build.NATIVE) -> Path:
    """
    Compile the harness against the core in *native*, points and all.

    Raises:
        subprocess.CalledProcessError: The compiler refused.
    """
    target = folder / "kill"
    command = [
        build.compilers()[0],
        *build.FLAGS,
        "-DRA_FAILPOINTS",
        f"-I{native}",
        *(str(build.HERE / name) for name in PARTS),
        *(str(native / source) for source in SOURCES),
        "-o",
        str(target),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return target


def run(
    rounds: int, seed: int, *, first: int = 0, native: Path = build.NATIVE
) -> subprocess.CompletedProcess[str]:
    """
    Compile the harness and run it.
    """
    parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory(dir=parent, prefix="ringamp-") as rings,
    ):
        command = [
            str(compile_harness(Path(folder), native)),
            *("--rounds", str(rounds), "--seed", str(seed)),
            *("--first", str(first), *points(native)),
        ]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=rings
        )


def survived(output: str) -> dict[str, int]:
    """
    Give how often a process died at each point and nothing was lost.
    """
    found = re.findall(r"^survived (\d+) (.*)$", output, re.MULTILINE)
    return {name: int(count) for count, name in found}


def main() -> int:
    """
    Run the harness; say what it says.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--native", type=Path, default=build.NATIVE)
    options = parser.parse_args()
    seed = options.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}", flush=True)
    done = run(
        options.rounds, seed, first=options.first, native=options.native
    )
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
