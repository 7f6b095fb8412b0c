# SPDX-License-Identifier: MIT
"""
What was measured and on what: a figure without it says nothing.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("ringamp", "orjson", "msgspec", "urllib3")


def stamp() -> dict[str, str]:
    """
    Describe machine, versions and commit.
    """
    return {
        "cpu": _cpu_model(),
        "cores": str(_cores()),
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} "
        f"{platform.python_version()}",
        **{name: _version(name) for name in LIBRARIES},
        "commit": _commit() or "none",
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # Not Linux.
        return platform.processor() or "unknown"
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _cores() -> int:
    """
    How many cores this process may use.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "source tree"


def _commit() -> str | None:
    """
    The commit that is checked out, with a + where tracked files differ.
    """
    git = shutil.which("git")
    if git is None:
        return None
    head = _output(git, "rev-parse", "--short=12", "HEAD")
    if not head:
        return None
    changed = _output(
        git, "status", "--porcelain", "--untracked-files=no", "src", "native"
    )
    return head + ("+" if changed else "")


def _output(*command: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""
