# SPDX-License-Identifier: MIT
"""
Tests of what runs the tests: which of them, and how often.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import steadiness
from slowness import slow_but

HERE = Path(__file__).parent

TESTS = """
import pytest

def test_quick():
    pass

@pytest.mark.slow
def test_slow():
    pass
"""

UNSTEADY = """
import pathlib

def test_once():
    pathlib.Path({path!r}).touch(exist_ok=False)
"""


@pytest.fixture
def project(tmp_path):
    """
    A project with our conftest.py and one quick and one slow test.
    """
    folder = tmp_path / "tests"
    folder.mkdir()
    conftest = (HERE / "conftest.py").read_text()
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_both.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n  slow: of them\naddopts = -n auto\n"
    )
    return tmp_path


def run(project, *arguments):
    """
    Run pytest there; return what it printed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


LEFT_OUT = "1 slow tests were left out: `pytest --all` runs them too"


@pytest.mark.parametrize("workers", slow_but(["0"], ["0", "2"]))
def test_slow_tests_are_left_out_and_the_summary_says_so(project, workers):
    """
    In worker processes and in one alone; the words say how to run them.
    """
    said = run(project, "-n", workers)

    assert re.search(r"\b1 passed", said)
    assert LEFT_OUT in said


ASKED = {
    "all": (["--all"], 2),
    "slow": (["-m", "slow"], 1),
    "not slow": (["-m", "not slow"], 1),
    "a file": (["tests/test_both.py"], 2),
    "a test": (["tests/test_both.py::test_slow"], 1),
}


@pytest.mark.parametrize("name", slow_but(["a test"], ASKED))
def test_what_is_asked_for_runs(project, name):
    """
    All, the slow ones, a file or a test by its name: nothing is left out.
    """
    arguments, count = ASKED[name]

    said = run(project, "-n", "0", *arguments)

    assert re.search(rf"\b{count} passed", said)
    assert "left out" not in said


@pytest.mark.slow
def test_a_file_runs_in_one_process(project):
    """
    Where a file is asked for, starting workers would take the longest.
    """
    assert "created: " not in run(project, "-v", "tests/test_both.py")


@pytest.mark.slow
def test_a_test_that_fails_now_and_then_is_found(tmp_path):
    """
    Of two runs the second fails: its seed and its test are printed, and the
    exit code says so.
    """
    test = tmp_path / "test_unsteady.py"
    test.write_text(UNSTEADY.format(path=str(tmp_path / "ran")))

    done = subprocess.run(
        [
            *(sys.executable, HERE / "steadiness.py", "--times", "2"),
            *("--side-by-side", "1", "--busy", "1", "--seed", "7"),
            *("--", "-n", "0", test),
        ],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    lines = done.stdout.splitlines()
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.match(r"seed \d+: 1 passed.*exit code 0", lines[0])
    assert re.match(r"seed \d+: 1 failed.*exit code 1", lines[1])
    assert "test_unsteady::test_once" in lines[2]
    assert "FileExistsError" in done.stdout
    assert lines[-1].startswith("1 of 2 runs passed: seeds [")


def test_a_run_that_hangs_is_ended(tmp_path):
    """
    At its limit, with its children; it is none that passed.
    """
    test = tmp_path / "test_hangs.py"
    test.write_text("import time\n\ndef test_it():\n    time.sleep(600)\n")

    found = steadiness.run(1, ["-n", "0", str(test)], 5)

    assert found.code is None
    assert str(found).startswith("seed 1: ")
    assert "hung" in str(found)


def test_busy_processes_end_with_their_use():
    """
    They are there inside of the block, and not after it.
    """
    with steadiness.busy(2) as burners:
        assert [one.poll() for one in burners] == [None, None]

    assert None not in [one.returncode for one in burners]
