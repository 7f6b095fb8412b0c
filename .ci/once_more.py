# SPDX-License-Identifier: MIT
"""
A plugin of pytest for .ci/run: a test that failed runs once more, alone.

If it passes then, the run has passed, and the test is called flaky: in the
last line of the run, and in the summary of this run and of all after it. If
it fails again, the run has failed, as it has where too much failed for chance.

The plugin is found on PYTHONPATH and named in PYTEST_ADDOPTS: the commands
that CI runs word for word need not know of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

MOST = 10
"""More failures than this are no chance, and none of them runs again."""

NOTES = "RINGAMP_CI_NOTES"
"""The file in which the runs of one .ci/run tell each other what to say."""

ALONE = "RINGAMP_CI_ALONE"
"""Set in a run that is the second try of a test."""


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """
    Try again what failed, before the run is summed up.
    """
    config = session.config
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if (
        exitstatus != pytest.ExitCode.TESTS_FAILED
        or reporter is None
        or hasattr(config, "workerinput")
        or ALONE in os.environ
    ):
        return
    bad = [
        *reporter.stats.get("failed", []),
        *reporter.stats.get("error", []),
    ]
    names = dict.fromkeys(report.nodeid for report in bad)
    if len(names) > MOST or not all(
        isinstance(report, pytest.TestReport) for report in bad
    ):
        return
    flaky = {name for name in names if _passes_alone(config, reporter, name)}
    _say_flaky(reporter, flaky)
    if len(flaky) == len(names):
        session.exitstatus = pytest.ExitCode.OK


def _passes_alone(
    config: pytest.Config, reporter: TerminalReporter, name: str
) -> bool:
    """
    Run the test in a process of its own, and show what it says.
    """
    reporter.ensure_newline()
    reporter.section(f"once more, alone: {name}")
    command = [sys.executable, "-m", "pytest", name]
    command += ["-m", config.option.markexpr, "-p", "no:cacheprovider"]
    if hasattr(config.option, "numprocesses"):
        command += ["-n", "0"]
    done = subprocess.run(
        command,
        cwd=config.invocation_params.dir,
        env={**os.environ, ALONE: "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    reporter.write(done.stdout)
    return done.returncode == pytest.ExitCode.OK


def _say_flaky(reporter: TerminalReporter, flaky: set[str]) -> None:
    """
    Call the reports of these tests flaky from now on, and note their names.
    """
    for kind in ("failed", "error"):
        reports = reporter.stats.pop(kind, [])
        for report in reports:
            now = "flaky" if report.nodeid in flaky else kind
            reporter.stats.setdefault(now, []).append(report)
    version = "{}.{}".format(*sys.version_info)
    with _notes().open("a") as notes:
        notes.writelines(
            f"flaky on {version}: {name}\n" for name in sorted(flaky)
        )


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """
    Show what failed at first, and the notes of all runs so far.
    """
    if ALONE in os.environ:
        return
    for report in terminalreporter.stats.get("flaky", []):
        terminalreporter.section(f"failed at first: {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)
    terminalreporter.section("notes of this CI run")
    path = _notes()
    notes = path.read_text() if path.exists() else ""
    if "flaky on" not in notes:
        notes += "flaky: none\n"
    terminalreporter.write(notes)


def _notes() -> Path:
    """
    Where the notes are.
    """
    return Path(os.environ[NOTES])
