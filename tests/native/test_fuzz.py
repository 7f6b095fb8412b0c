# SPDX-License-Identifier: MIT
"""
A few seconds of the fuzzer; `fuzz.py` runs it for as long as one likes.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import build
import fuzz
import pytest

SECONDS = 5


@pytest.fixture
def fuzzing(tmp_path):
    """
    A folder, on a machine that can build the fuzzer.
    """
    if not fuzz.has_fuzzer(tmp_path):
        reason = "no clang with libFuzzer on this machine"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return tmp_path


def test_no_bytes_break_a_repair(fuzzing):
    """
    Whatever a region holds, check, repair and claim keep their promises.
    """
    fuzzer = fuzz.compile_fuzzer(fuzzing)

    done = fuzz.fuzz(fuzzer, fuzzing, seconds=SECONDS, seed=0)

    assert done.returncode == 0, done.stdout + str(fuzz.failures(fuzzing))
    assert "stat::number_of_executed_units" in done.stdout


@pytest.mark.slow
def test_fuzzer_finds_bytes_that_are_left_behind_the_tail(fuzzing):
    """
    The same fuzzer fails within seconds on a repair that does not zero what
    lies outside head and tail.
    """
    native: Path = fuzzing / "native"
    shutil.copytree(build.NATIVE, native)
    path = native / "recover.c"
    text = path.read_text(encoding="utf-8")
    zeroing = "    memset(region->data + from, 0, (size_t)first);\n"
    assert text.count(zeroing) == 1
    path.write_text(text.replace(zeroing, "    (void)from;\n"))
    fuzzer = fuzz.compile_fuzzer(fuzzing, native)

    done = fuzz.fuzz(fuzzer, fuzzing, seconds=30, seed=1)

    assert done.returncode != 0
    assert "failed:" in done.stdout
    assert fuzz.failures(fuzzing)
