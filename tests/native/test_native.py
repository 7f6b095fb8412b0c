# SPDX-License-Identifier: MIT
"""
The C core's own tests, compiled here with every compiler and sanitizer that
the machine has.
"""

from __future__ import annotations

import os
import subprocess

import build
import pytest
from slowness import slow_but

SHORT = {
    "none": {"wake": ["100000"], "shared": ["2000000"]},
    "address,undefined": {
        "wake": ["10000"],
        "wrap": ["200"],
        "stress": ["50000"],
        "shared": ["50000"],
    },
    "thread": {
        "wake": ["5000"],
        "stress": ["200000"],
        "shared": ["100000"],
        "gate": ["200"],
    },
}
"""Arguments of the short forms, where the defaults take too long."""

CORE = [
    *("ring.c", "recover.c", "crc32c.c", "deal.c", "splice.c"),
    "fill.c",
    *("idcheck.c", "generation.c", "lease.c"),
]

RUNS = [
    *((program, "none") for program in build.PROGRAMS),
    *((program, "address,undefined") for program in build.PROGRAMS),
    # The others have one thread; those of the generation and the leases have
    # theirs next to forks, which this sanitizer does not take.
    *((program, "thread") for program in ("wake", "stress", "shared", "gate")),
]


SOME_SLOW = [
    pytest.param(
        *run,
        marks=[]
        if run[0] not in {"wake", "shared"}
        and (run[1] == "none" or run[0] == "claim")
        else [pytest.mark.slow],
    )
    for run in RUNS
]
"""Two have many records to pass, and one under a sanitizer takes long to
compile; one of these is in every run."""


def arguments(program: str, sanitizer: str) -> list[str]:
    """
    Give the arguments of a program's short form.
    """
    given = SHORT[sanitizer].get(program, [])
    if given and program in ("stress", "shared"):
        return ["--records", *given]
    return given


def refuse_to_skip(reason: str) -> None:
    """
    Skip with *reason* on a desk; fail in continuous integration.
    """
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(params=slow_but(["gcc"], ["gcc", "clang"]))
def compiler(request):
    """
    A C compiler; one of the two is enough.
    """
    if not build.compilers():
        refuse_to_skip("no C compiler on this machine")
    if request.param not in build.compilers():
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.mark.timeout(1000)
@pytest.mark.parametrize(("program", "sanitizer"), SOME_SLOW)
def test_c_program(program, sanitizer, compiler, tmp_path):
    """
    Every C test passes, plain and under the sanitizers.
    """
    if not build.has_sanitizer(compiler, sanitizer, tmp_path):
        refuse_to_skip(f"{compiler} has no {sanitizer} sanitizer here")
    path = build.compile_program(
        program, tmp_path, compiler=compiler, sanitizer=sanitizer
    )

    done = subprocess.run(
        [str(path), *arguments(program, sanitizer)],
        check=False,
        capture_output=True,
        text=True,
        timeout=900,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("start", slow_but([2**32], [2**32, 2**35, 2**63]))
def test_producers_cross_the_limits_of_positions(start, compiler, tmp_path):
    """
    Four producers and a consumer pass the limits of positions and stamps.
    """
    path = build.compile_program("stress", tmp_path, compiler=compiler)
    begin = start - 100 * 65536

    done = subprocess.run(
        [str(path), "--start", str(begin), "--laps", "200"],
        check=False,
        capture_output=True,
        text=True,
        timeout=250,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("source", CORE)
@pytest.mark.parametrize("level", slow_but(["-O3"], ["-O0", "-O3"]))
def test_core_compiles_without_a_warning(source, level, compiler, tmp_path):
    """
    The core is clean at every level of optimisation, with and without its
    assertions.
    """
    for debug in ([], ["-DRA_DEBUG"]):
        command = [
            compiler,
            "-std=c11",
            level,
            *("-Wall", "-Wextra", "-Werror", "-pedantic", "-Wshadow"),
            *("-Wconversion", "-Wstrict-prototypes", *debug),
            *("-c", str(build.NATIVE / source)),
            *("-o", str(tmp_path / "out.o")),
        ]

        done = subprocess.run(
            command, check=False, capture_output=True, text=True
        )

        assert done.returncode == 0, done.stderr
