# SPDX-License-Identifier: MIT
"""
A moment of every axis of growth, and what is made of its figures. No figure
is asserted, only that it is there.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from slowness import slow_but

ROOT = Path(__file__).resolve().parents[2]

AXES = {
    "processes": (
        [
            "delivered event",
            "later ones",
            "urllib3 posting alone",
            "all together",
        ],
        {
            "processes_4": 1.15,
            "processes_later": None,
            "processes_posting": None,
            "processes_dropped": 0,
            "processes_repeated": 0,
            "processes_miscounted": 0,
        },
    ),
    "events": (
        ["delivered event", "orjson.dumps", "resident memory"],
        {"events_cost": 1.05, "events_cost_alone": None, "events_memory": 2},
    ),
    "size": (
        ["delivered event", "orjson.dumps", "delivered kilobyte"],
        {"size_encoder": None},
    ),
    "threads": (
        ["delivered event", "log_event", "orjson.dumps"],
        {"threads_logged": None, "threads_delivered": None},
    ),
    "middleware": (["log_event", "orjson.dumps"], {"middleware_each": None}),
    "fill": (["log_event", "orjson.dumps"], {"fill_call": None}),
    "rate": (
        ["interval 0 s", "interval 1 s"] * 2,
        {
            "rate_interval": None,
            "steady_cpu": 6.0,
            "steady_slow_cpu": 60.0,
            "quiet_arrival": 30.0,
        },
    ),
    "latency": (
        ["1 upload", "2 uploads"],
        {"latency_0": None, "latency_20": None},
    ),
}


def run(*options):
    """
    Run the command to its end.
    """
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.growth", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.process
@pytest.mark.parametrize("axis", slow_but(["fill"], AXES))
def test_each_axis_runs_alone(axis, tmp_path):
    """
    The JSON and the tables have each of its curves at each place, and its
    bars; nothing is lost on the way.
    """
    names, bars = AXES[axis]
    saved, tables = tmp_path / "growth.json", tmp_path / "growth.md"

    done = run(
        "--quick", f"--axis={axis}", f"--json={saved}", f"--markdown={tables}"
    )

    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    report = json.loads(saved.read_text())
    assert [*report["growth"]] == [axis]
    growth = report["growth"][axis]
    assert [curve["name"] for curve in growth["curves"]] == names
    places = {len(curve["points"]) for curve in growth["curves"]}
    assert len(places) == 1
    for curve in growth["curves"]:
        assert all(point["value"] > 0 for point in curve["points"])
        assert f"{curve['name']}, {curve['unit']}" in tables.read_text()
    figures = {one["key"]: one for one in report["figures"]}
    assert {key: one["bar"] for key, one in figures.items()} == bars
    assert all(
        one["value"] == 0 for one in figures.values() if one["bar"] == 0
    )
    assert axis in done.stdout
    assert report["environment"]["python"] in done.stdout


@pytest.mark.process
@pytest.mark.slow
def test_plots_are_drawn(tmp_path):
    """
    One of each kind, small, and the SVG says what it shows.
    """
    pytest.importorskip("matplotlib")

    done = run("--quick", "--axis=fill", f"--plots={tmp_path / 'made'}")

    assert done.returncode == 0, done.stderr
    png = (tmp_path / "made" / "growth-fill.png").read_bytes()
    svg = (tmp_path / "made" / "growth-fill.svg").read_text()
    assert png.startswith(b"\x89PNG")
    assert "log_event" in svg
    assert "buffer in use" in svg
    assert len(svg) < 50_000


@pytest.mark.process
def test_without_matplotlib_plots_name_the_extra(tmp_path):
    """
    Before anything is measured, and as an error of the command line.
    """
    hide = "import sys; sys.modules['matplotlib'] = None; import runpy; "
    start = "runpy.run_module('benchmarks.growth', run_name='__main__')"

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            hide + start,
            "--quick",
            f"--plots={tmp_path / 'none'}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 2
    assert "ringamp[bench]" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.process
def test_an_axis_that_is_none_is_refused():
    """
    The error names those there are.
    """
    done = run("--quick", "--axis=weight")

    assert done.returncode == 2
    assert "latency" in done.stderr
