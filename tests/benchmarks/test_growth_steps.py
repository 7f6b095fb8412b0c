# SPDX-License-Identifier: MIT
"""
Tests of what takes the processor time of one event apart.
"""

import json
import subprocess
import sys
from pathlib import Path
from time import thread_time

import pytest

from benchmarks.growth.steps import LABELS, Clocks, figures

ROOT = Path(__file__).resolve().parents[2]


def burn(seconds):
    """
    Use this thread's processor time.
    """
    until = thread_time() + seconds
    while thread_time() < until:
        pass


@pytest.mark.process
@pytest.mark.slow
def test_every_step_is_measured(tmp_path):
    """
    The steps of a call and of a request have taken time, and together with
    the rest they are the whole.
    """
    saved = tmp_path / "steps.json"

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.growth.steps",
            "--rounds=1",
            "--events=6000",
            f"--json={saved}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    steps = {
        one["key"]: one["value"]
        for one in json.loads(saved.read_text())["figures"]
    }
    assert [*steps] == [f"step_{name}" for name in LABELS]
    for name in ("encode", "fill", "http", "settle"):
        assert steps[f"step_{name}"] > 0
    total = steps.pop("step_total")
    assert sum(steps.values()) == pytest.approx(total)


def test_a_clock_stops_inside_another_one():
    """
    What is done inside another step is counted there, and once.
    """
    clocks = Clocks()
    inner = clocks._around("fill", lambda: burn(0.02))

    def settle():
        burn(0.01)
        inner()

    clocks._around("settle", settle)()

    assert 0.02e9 <= clocks.spent["fill"] < 0.03e9
    assert 0.01e9 <= clocks.spent["settle"] < 0.02e9


def test_a_step_is_a_part_of_the_whole():
    """
    Its detail says how much of it, and what a request pays.
    """
    series = {name: [0.1] for name in LABELS}
    series["total"] = [0.8]

    made = {one.key: one for one in figures(series, batch=2000)}

    assert made["step_http"].detail.startswith("12%, 200 us a request")
    assert made["step_total"].detail.startswith("100%")
