# SPDX-License-Identifier: MIT
"""
A moment of every benchmark, so that none rots. No figure is asserted, only
that it is there.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from slowness import slow_but

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]

CALLS = {
    "log_event_dict": 2.5,
    "log_event_middleware": 5.0,
    "log_event_struct": 2.5,
    "log_event_spool": 1.3,
    "log_event_threads": None,
}
LATENCY = {
    "latency_p50": None,
    "latency_p99": None,
    "latency_p999": 200,
    "latency_max": None,
}
DELIVERY = {
    "cpu_per_event": 4.5,
    "throughput": 0.30,
    "throughput_beside": None,
    "cpu_against_urllib3": None,
}
MEMORY = {"outage_memory": 48, "outage_miscounted": 0}
WORKERS = {
    "workers_throughput": None,
    "workers_cpu": None,
    "workers_miscounted": 0,
}
OUTAGE = {
    "backlog_lost": 0,
    "backlog_doubled": 0,
    "backlog_miscounted": 0,
    "backlog_memory": 17,
    "backlog_drain": 0.5,
}
COMPRESSION = {
    "pack_isal_one_kind": 0.5,
    "pack_isal_mixed": None,
    "pack_zlib_one_kind": None,
    "pack_zlib_mixed": None,
    "gzip_bytes": 0.15,
    "gzip_cpu_http": None,
    "gzip_throughput_http": None,
    "gzip_cpu_tls": 1,
    "gzip_throughput_tls": None,
}
QUESTIONS = {
    "calls": (CALLS, "--rounds=1 --threads=2"),
    "latency": (LATENCY, "--rounds=1 --events=300"),
    "delivery": (DELIVERY, "--rounds=1 --events=5000"),
    "memory": (MEMORY, "--outage-events=5000"),
    "workers": (WORKERS, "--rounds=1 --events=5000 --workers=2"),
    "outage": (
        OUTAGE,
        "--rounds=1 --events=5000 --seconds=2 --rate=3000 --buffer=1",
    ),
    "compression": (COMPRESSION, "--rounds=1 --events=5000"),
    "throughput": (
        {**WORKERS, **CALLS, **LATENCY, **DELIVERY, **MEMORY},
        "--rounds=1 --threads=2 --events=300 --outage-events=999",
    ),
}


PROMISES = ["memory", "workers", "outage"]


def run(module, *options):
    """
    Run a benchmark to its end.
    """
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("module", slow_but(["calls"], QUESTIONS))
def test_it_prints_and_saves_every_figure(module, tmp_path):
    """
    The JSON has each figure with its bar and verdict, the environment and
    the options; the table has a row for each.
    """
    bars, options = QUESTIONS[module]
    saved = tmp_path / "figures.json"

    done = run(module, *options.split(), f"--json={saved}")

    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    report = json.loads(saved.read_text())
    figures = {figure["key"]: figure for figure in report["figures"]}
    assert {key: one["bar"] for key, one in figures.items()} == bars
    for figure in figures.values():
        assert figure["value"] >= 0
        assert (figure["passed"] is None) == (figure["bar"] is None)
        assert figure["label"].split()[0] in done.stdout
    assert report["environment"].keys() >= {
        "cpu",
        "cores",
        "kernel",
        "python",
        "ringamp",
        "orjson",
        "msgspec",
        "urllib3",
        "commit",
    }
    assert report["options"]["event"] == "typical"


@pytest.mark.parametrize("module", slow_but(["memory"], PROMISES))
def test_it_counts_every_event(module, tmp_path):
    """
    What is no measurement but a promise: nothing is lost or miscounted, also
    where events are so large that the buffer is full.
    """
    _, options = QUESTIONS[module]
    saved = tmp_path / "figures.json"

    run(module, *options.split(), "--event-size=8000", f"--json={saved}")

    figures = json.loads(saved.read_text())["figures"]
    assert {one["value"] for one in figures if one["bar"] == 0} == {0}


def test_a_wrong_option_is_refused():
    """
    An option that a benchmark does not use is not accepted in silence.
    """
    done = run("memory", "--threads=2")

    assert done.returncode == 2
    assert "--threads" in done.stderr
