# SPDX-License-Identifier: MIT
"""
Prove the proofs: apply each mutation of `mutants_*.py` to a copy of the
core and show that its test fails.

    python tests/native/mutations.py

Prints a table; exit code 1 if a mutation survives or cannot be applied.

What no test can show on every machine: the orders of `free_cache` (the swap
of `tail` carries the same edge on all but the rarest roads), the acquire of
`ra_ring_pushed` and the compiler barriers (x86 and today's compilers keep
that order by themselves). They rest on the argument in ring.c.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import build
import kill
from mutants_deal import DEAL
from mutants_deaths import DEATHS
from mutants_lease import LEASE
from mutants_recover import RECOVER
from mutants_rest import REST
from mutants_ring import RING
from mutants_voids import VOIDS
from mutation import Mutation

MUTATIONS = [*RING, *DEATHS, *RECOVER, *VOIDS, *LEASE, *DEAL, *REST]

BUILTINS = [
    "test_hotpath.py",
    "test_hotpath_memory.py",
    "test_entrance.py",
    "test_passage.py",
]
"""The tests of the builtins."""

TRIES = 3
"""A race that is lost rarely gets as many chances to show."""

ARGUMENTS = {
    "stress": ["--records", "300000"],
    "shared": ["--records", "200000"],
    "wake": ["400000"],
}

TIME_OUT = 90
"""Seconds; a mutant that hangs has failed its test."""


class NotApplicableError(Exception):
    """
    The text to replace is not there exactly once: mend the mutation.
    """


def apply_mutation(mutation: Mutation, folder: Path) -> Path:
    """
    Copy the core into *folder*, change it, and give the copy's path.
    """
    native = folder / "native"
    shutil.copytree(
        build.NATIVE, native, ignore=shutil.ignore_patterns("__pycache__")
    )
    path = native / mutation.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        raise NotApplicableError(
            f"{mutation.name}: {text.count(mutation.old)} places in "
            f"{mutation.file}"
        )
    path.write_text(text.replace(mutation.old, mutation.new))
    return native


def commands(mutation: Mutation, native: Path, folder: Path) -> list[str]:
    """
    Build the mutant and give the command that must fail.
    """
    if mutation.program == "model":
        return [sys.executable, str(build.HERE / "wake_model.py"), str(native)]
    if mutation.program == "hotpath":
        build_extension(native, folder)
        return [
            *(sys.executable, "-m", "pytest", "-q", "-x"),
            *(str(build.HERE / name) for name in BUILTINS),
            *("-p", "no:cacheprovider", "--rootdir", str(build.HERE.parent)),
        ]
    if mutation.program == "kill":
        return [
            str(kill.compile_harness(folder, native)),
            *("--rounds", "600", "--seed", "1", *kill.points(native)),
        ]
    path = build.compile_program(
        mutation.program, folder, sanitizer=mutation.sanitizer, native=native
    )
    return [str(path), *ARGUMENTS.get(mutation.program, [])]


def build_extension(native: Path, folder: Path) -> None:
    """
    Build the extension of a mutant into a copy of the package.
    """
    package = build.NATIVE.parent / "src" / "ringamp"
    shutil.copytree(
        package,
        folder / "src" / "ringamp",
        ignore=shutil.ignore_patterns("*.so", "__pycache__"),
    )
    code = (
        "import ffi_build; "
        f"ffi_build.ffi.compile(tmpdir={str(folder / 'src')!r})"
    )
    # As setup.py does: the sources are named from the project's root.
    (folder / "src" / "native").symlink_to(native)
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        cwd=native.parent / "src",
        env={**os.environ, "PYTHONPATH": str(native)},
    )


def is_killed(mutation: Mutation) -> bool:
    """
    Say whether the mutation's test fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        native = apply_mutation(mutation, folder)
        command = commands(mutation, native, folder)
        environment = {
            **os.environ,
            "PYTHONPATH": str(folder / "src"),
            "TSAN_OPTIONS": "halt_on_error=1",
        }
        for _ in range(1 if mutation.program == "hotpath" else TRIES):
            try:
                done = subprocess.run(
                    command,
                    check=False,
                    capture_output=True,
                    timeout=TIME_OUT,
                    cwd=folder,
                    env=environment,
                )
            except subprocess.TimeoutExpired:
                return True
            if done.returncode != 0:
                return True
    return False


def unchanged(mutations: list[Mutation]) -> list[Mutation]:
    """
    Give, for each test that the mutations name, a mutation that changes
    nothing: its test must pass, or every kill by it would mean nothing.
    """
    tests = dict.fromkeys((each.program, each.sanitizer) for each in mutations)
    return [
        Mutation("nothing changed", "ring.h", "RINGAMP_RING_H\n\n", *how)
        for how in (("RINGAMP_RING_H\n\n", *test) for test in tests)
    ]


def main() -> int:
    """
    Run the whole list.
    """
    survivors = 0
    for control in unchanged(MUTATIONS):
        if is_killed(control):
            print(f"the test {control.program} fails without a mutation")
            return 2
    for mutation in MUTATIONS:
        begin = time.monotonic()
        verdict = "killed" if is_killed(mutation) else "SURVIVED"
        survivors += verdict != "killed"
        how = mutation.program
        if mutation.sanitizer != "none":
            how += f" ({mutation.sanitizer})"
        seconds = time.monotonic() - begin
        print(
            f"{verdict:9} {mutation.name:50} {how:20} {seconds:5.1f} s",
            flush=True,
        )
    print(f"{len(MUTATIONS)} mutations, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
