# SPDX-License-Identifier: MIT
"""
The static checks, as tests: they run wherever the tests run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROSE = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs"]
FOLDERS = ["src", "native", "tests", "benchmarks", "examples"]

CHECKS = {
    "ruff-check": ["ruff", "check", "."],
    "ruff-format": ["ruff", "format", "--check", "."],
    "mypy-strict": ["mypy"],
    "mypy-public-api": ["mypy", "--strict", "tests/typing/api.py"],
    "codespell": ["codespell", *FOLDERS, *PROSE],
    "docstrings": ["interrogate", "-q", "tests"],
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_check_finds_nothing(name):
    """
    Each tool, configured in pyproject.toml, finds nothing to say.
    """
    tool, *arguments = CHECKS[name]

    done = subprocess.run(
        [Path(sys.executable).parent / tool, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_project_names_no_machine():
    """
    No tracked file holds a path of the machine it was written on.
    """
    listed = subprocess.run(
        ["git", "grep", "-lE", "/(work|farm|root)/|/tmp/w/", "--", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    named = set(listed.stdout.split()) - {
        str(Path(__file__).relative_to(ROOT)),
    }

    assert named == set()
