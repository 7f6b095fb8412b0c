# SPDX-License-Identifier: MIT
"""
A moment of the benchmark of the import. No figure is asserted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.process
def test_it_compares_the_imports(tmp_path):
    """
    The JSON and the table have both figures, and the bar of the first.
    """
    saved = tmp_path / "figures.json"

    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.imports"),
            *("--rounds=1", f"--json={saved}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    figures = json.loads(saved.read_text())["figures"]
    assert {one["key"]: one["bar"] for one in figures} == {
        "import_ringamp": 1.35,
        "import_init": None,
    }
    assert all(one["value"] > 0 for one in figures)
    assert "import ringamp / import urllib3" in done.stdout
