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

import pytest
import yaml

import ringamp

ROOT = Path(__file__).resolve().parents[1]

WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text())
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}


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
    Classifiers, tox, CI and the public workflows name the same versions, and
    the newest builds the wheel.
    """
    named = re.findall(
        r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text()
    )
    here, sid = [
        re.findall(
            r"for version in ([\d. ]+); do", (ROOT / ".ci" / name).read_text()
        )
        for name in ("run", "sid")
    ]
    tox = (ROOT / "tox.ini").read_text()
    minors = [version.partition(".")[2] for version in named]

    assert len(here) == 1
    assert len({*sid}) == 1
    assert [*here[0].split(), *sid[0].split()] == named
    assert f"py3.{{{','.join(minors)}}}" in tox
    newest_first = ", ".join(f"python{version}" for version in named[::-1])
    assert f"base_python = {newest_first}" in tox
    assert f'build = ["cp3{minors[-1]}-*"' in (
        (ROOT / "pyproject.toml").read_text()
    )
    for name, job in [("tests", "tests"), ("wheels", "check")]:
        matrix = WORKFLOWS[name]["jobs"][job]["strategy"]["matrix"]
        assert matrix == {"python": named}


def test_the_readme_names_the_supported_pythons():
    """
    It says from which version to which.
    """
    named = re.findall(
        r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text()
    )

    assert f"Python {named[0]} to {named[-1]}" in (
        (ROOT / "README.md").read_text()
    )


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_do_no_more_than_it_must(name):
    """
    It reads the repository, knows no secret, names the version of what it
    uses, ends by itself, and does not run twice at a time for one branch.
    """
    workflow = WORKFLOWS[name]

    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    assert "secrets" not in str(workflow)
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            used = step.get("uses", "checked@v1")
            assert re.search(r"@(v\d+|release/v\d+|[0-9a-f]{40})$", used)
            if used.startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": False}


def test_only_a_tag_publishes_and_only_what_was_checked():
    """
    One job may ask PyPI for a token, in the environment that PyPI knows.
    """
    asking = [
        (name, title, job)
        for name, workflow in WORKFLOWS.items()
        for title, job in workflow["jobs"].items()
        if "permissions" in job
    ]

    assert [found[:2] for found in asking] == [("wheels", "publish")]
    publish = asking[0][2]
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"]["name"] == "pypi"
    assert "startsWith(github.ref, 'refs/tags/v')" in publish["if"]
    assert {*publish["needs"]} == {*WORKFLOWS["wheels"]["jobs"]} - {"publish"}


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
