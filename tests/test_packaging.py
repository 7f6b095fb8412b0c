# SPDX-License-Identifier: MIT
"""
What is installed, and what a failed installation says.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import ringamp

ROOT = Path(__file__).resolve().parents[1]


def test_the_version_is_the_one_that_is_installed():
    """
    The attribute and the metadata agree.
    """
    assert ringamp.__version__ == metadata.version("ringamp")


def test_the_core_has_its_four_dependencies():
    """
    Anything else is an extra.
    """
    required = metadata.requires("ringamp") or []
    core = {
        re.split("[^A-Za-z0-9]", line)[0]
        for line in required
        if "extra ==" not in line
    }

    assert core == {"orjson", "msgspec", "urllib3", "cffi"}


def test_type_checkers_are_told_to_look():
    """
    The marker lies beside the modules (P20).
    """
    assert Path(ringamp.__file__).with_name("py.typed").exists()


def test_the_supported_pythons_are_the_same_everywhere():
    """
    Classifiers, tox, CI and the README name the same versions.
    """
    named = re.findall(
        r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text()
    )
    ci = (ROOT / ".ci" / "run").read_text()
    tox = (ROOT / "tox.ini").read_text()

    assert f"for version in {' '.join(named)}; do" in ci
    minors = ",".join(version.partition(".")[2] for version in named)
    assert f"py3.{{{minors}}}" in tox
    assert f"Python {named[0]} to {named[-1]}" in (
        (ROOT / "README.md").read_text()
    )


def test_a_missing_compiler_says_what_to_install(tmp_path):
    """
    The message names the packages and this Python.
    """
    done = subprocess.run(
        [
            sys.executable,
            "setup.py",
            "-q",
            "build_ext",
            "--build-temp",
            tmp_path / "temp",
            "--build-lib",
            tmp_path / "lib",
        ],
        cwd=ROOT,
        env={**os.environ, "CC": "no-such-compiler"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode != 0
    assert "apt-get install gcc libc6-dev python3-dev" in done.stderr
    assert sys.executable in done.stderr
