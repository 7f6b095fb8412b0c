# SPDX-License-Identifier: MIT
"""
What .ci/run does about a test that fails: it runs once more, alone, and is
called flaky if it passes then.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[1] / ".ci"

COUNTED = """
from pathlib import Path

import pytest


def runs(name):
    path = Path(name)
    count = int(path.read_text()) + 1 if path.exists() else 1
    path.write_text(str(count))
    return count
"""

PASSES = "def test_passes():\n    runs('passes')\n"

FLAKY = "def test_flaky():\n    assert runs('flaky') > 1\n"

BROKEN = "def test_broken():\n    assert runs('broken') > 2\n"

SLOW = "@pytest.mark.slow\ndef test_slow():\n    assert runs('slow') > 1\n"

UNREADY = """
@pytest.fixture
def service():
    assert runs('service') > 1

def test_of_a_service(service):
    pass
"""

NOT_UNDONE = """
@pytest.fixture
def service():
    yield
    assert runs('service') > 1

def test_of_a_service(service):
    pass
"""

DIES = """
import os

def test_dies():
    if runs('dies') == 1:
        os._exit(3)
"""


@pytest.fixture(name="run")
def _run(tmp_path):
    """
    Run pytest with the plugin on a file of tests, as .ci/run does: exit code,
    what was printed, notes.
    """
    settings = "[pytest]\nmarkers = slow\naddopts = -p no:cacheprovider\n"
    (tmp_path / "pytest.ini").write_text(settings)

    def run(*sources, arguments=(), plugins="", notes=""):
        (tmp_path / "test_it.py").write_text("\n".join([COUNTED, *sources]))
        (tmp_path / "notes").write_text(notes)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                *arguments,
            ],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(PLUGIN),
                "PYTEST_ADDOPTS": f"--color=no -p once_more {plugins}",
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "RINGAMP_CI_NOTES": str(tmp_path / "notes"),
            },
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        print(done.stdout, done.stderr)
        return done.returncode, done.stdout, (tmp_path / "notes").read_text()

    run.folder = tmp_path
    return run


def note(name):
    """
    The line that calls the test of this name flaky.
    """
    return "flaky on {}.{}: test_it.py::{}\n".format(
        *sys.version_info[:2], name
    )


def times(run, name):
    """
    How often the test of this name began.
    """
    return int((run.folder / name).read_text())


def test_a_test_that_passes_alone_is_flaky_and_the_run_goes_on(run):
    """
    The run has passed; its last line, its summary and the notes name the
    test, and what passed at first did not run again.
    """
    code, said, notes = run(PASSES, FLAKY)

    assert code == 0
    assert re.search(r"\b1 passed, 1 flaky in ", said.splitlines()[-1])
    assert "once more, alone: test_it.py::test_flaky" in said
    assert "failed at first: test_it.py::test_flaky" in said
    assert "assert 1 > 1" in said
    assert notes == note("test_flaky")
    assert times(run, "passes") == 1
    assert times(run, "flaky") == 2


def test_a_test_that_fails_twice_fails_the_run(run):
    """
    It failed, and is not called flaky; one beside it that is, is named.
    """
    code, said, notes = run(PASSES, FLAKY, BROKEN)

    assert code == 1
    assert re.search(
        r"\b1 failed, 1 passed, 1 flaky in ", said.splitlines()[-1]
    )
    assert notes == note("test_flaky")
    assert times(run, "broken") == 2


@pytest.mark.parametrize("source", [UNREADY, NOT_UNDONE])
def test_a_fixture_that_fails_is_tried_again(run, source):
    """
    What a test needs or leaves may be flaky as well.
    """
    code, _, notes = run(source)

    assert code == 0
    assert notes == note("test_of_a_service")


def test_a_marker_that_chose_the_test_chooses_it_again(run):
    """
    A slow test is tried again where slow ones were asked for.
    """
    code, _, notes = run(SLOW, arguments=["-m", "slow"])

    assert code == 0
    assert notes == note("test_slow")


def test_many_failures_are_no_chance(run):
    """
    Where more tests fail than can be flaky, none of them runs again.
    """
    many = [FLAKY.replace("flaky", f"flaky_{n}") for n in range(11)]

    code, said, notes = run(*many)

    assert code == 1
    assert "11 failed in " in said.splitlines()[-1]
    assert notes == ""
    assert times(run, "flaky_0") == 1


def test_what_cannot_be_collected_fails_the_run(run):
    """
    A file that cannot be imported is no flaky test.
    """
    code, said, _ = run("import nothing_of_this_name")

    assert code == 2
    assert "once more" not in said


def test_a_run_that_passes_says_that_nothing_was_flaky(run):
    """
    It says so in words, before its last line.
    """
    code, said, _ = run(PASSES)

    assert code == 0
    assert "flaky: none\n" in said


def test_the_summary_has_the_notes_of_the_runs_before(run):
    """
    The last run of CI says what was flaky in any, and what was left out.
    """
    code, said, _ = run(
        PASSES,
        notes="3.15 is left out\nflaky on 3.9: test_other.py::test_it\n",
    )

    assert code == 0
    assert "3.15 is left out\n" in said
    assert "flaky on 3.9: test_other.py::test_it\n" in said
    assert "flaky: none" not in said


def test_a_worker_that_dies_is_a_failure_that_is_tried_again(run):
    """
    With pytest-xdist, the test that killed its worker runs once more, in a
    process without workers.
    """
    pytest.importorskip("xdist")

    code, _, notes = run(
        PASSES, DIES, FLAKY, arguments=["-n", "2"], plugins="-p xdist.plugin"
    )

    assert code == 0
    assert notes == note("test_dies") + note("test_flaky")
    assert times(run, "dies") == 2
