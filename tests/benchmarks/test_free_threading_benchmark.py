# SPDX-License-Identifier: MIT
"""
A moment of the benchmark of threads, and what it says of the GIL.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]

KEYS = ["dict", "struct", "push", "encoder", "compute"]

IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


@pytest.mark.parametrize("wanted", ["0", "1"] if IS_FREE_THREADED else ["1"])
def test_it_says_what_threads_gain_and_whether_the_gil_is_on(tmp_path, wanted):
    """
    Every ratio is there; a bar stands only where there is no GIL, and where
    there is one the table says who is to blame.
    """
    saved = tmp_path / "figures.json"
    environment = dict(os.environ)
    if IS_FREE_THREADED:
        environment["PYTHON_GIL"] = wanted

    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.freethreading"),
            *("--rounds=1", f"--json={saved}"),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    figures = json.loads(saved.read_text())["figures"]
    gil, *ratios = figures
    has_gil = not IS_FREE_THREADED or wanted == "1"
    assert gil["value"] == has_gil
    assert gil["detail"].startswith(
        ("turned on by " if has_gil else "kept off; ")
        if IS_FREE_THREADED
        else "this Python is built with it"
    )
    assert [one["key"] for one in ratios] == [f"threads_{k}" for k in KEYS]
    assert all(one["value"] > 0 for one in ratios)
    bars = [one["bar"] for one in ratios]
    assert bars == ([None] * 5 if has_gil else [1.5, 1.5, None, None, None])
    assert "GIL" in done.stdout
