# SPDX-License-Identifier: MIT
"""
Makes an environment for each peer, once, in a folder that can be deleted.

The pinned version and the interpreter are in a folder's name, so another one
makes another folder. ringamp is built as a wheel from a copy of this
checkout, which is left as it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.environment import ROOT
from benchmarks.peers.catalogue import OURS, Peer

LIMIT = 600
"""Seconds an installation may take."""

READY = "ready"
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
FOLDERS = ("src", "native")
LEFT_OUT = shutil.ignore_patterns("*.so", "*.o", "__pycache__", "*.egg-info")

ADAPTERS = Path(__file__).parent / "adapters"

VERSION_OF = """
import sys
from importlib.metadata import version
print(version(sys.argv[1]), "%d.%d.%d" % sys.version_info[:3])
"""


class Installed(NamedTuple):
    """
    A peer that can be run.

    Attributes:
        peer: Which one.

        command: The interpreter and the driver.

        environment: Variables beside those of this process.

        version: Its own.

        runtime: That of the interpreter.
    """

    peer: Peer
    command: tuple[str, ...]
    environment: dict[str, str]
    version: str
    runtime: str


def cache_folder() -> Path:
    """
    Where the environments are kept.
    """
    under = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(under) / "ringamp-peers"


def is_possible(peer: Peer) -> bool:
    """
    Whether what runs *peer* is on this machine.
    """
    if not peer.is_node:
        return True
    return bool(shutil.which("node") and shutil.which("npm"))


def install(peer: Peer, work: Path, python: str) -> Installed:
    """
    Make the environment of *peer*, or find it.
    """
    work.mkdir(parents=True, exist_ok=True)
    if peer.is_node:
        return install_from_npm(peer, work)
    return install_from_pypi(peer, work, python)


def install_from_npm(peer: Peer, work: Path) -> Installed:
    """
    A folder with node_modules.
    """
    folder = work / f"{peer.name.replace('/', '-')}-{peer.version}"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise RuntimeError(f"{peer.name} needs node and npm")
    if not (folder / READY).exists():
        folder.mkdir(parents=True, exist_ok=True)
        run(
            npm,
            *("install", "--prefix", folder, "--no-audit", "--no-fund"),
            *("--ignore-scripts", f"{peer.name}@{peer.version}"),
        )
        (folder / READY).touch()
    return Installed(
        peer,
        (node, str(ADAPTERS / "driver.cjs")),
        {"NODE_PATH": str(folder / "node_modules")},
        peer.version,
        f"Node {run(node, '--version').strip().lstrip('v')}",
    )


def install_from_pypi(peer: Peer, work: Path, python: str) -> Installed:
    """
    A virtual environment.
    """
    tag = run(python, "-c", "import sys; print(sys.implementation.cache_tag)")
    ours = peer.name == OURS
    version = fingerprint() if ours else peer.version
    folder = work / f"{peer.name}-{version}-{tag.strip()}"
    inside = str(folder / "bin" / "python")
    if not (folder / READY).exists():
        run(python, "-m", "venv", "--clear", folder)
        if ours:
            install_wheel(inside)
            run(inside, "-c", "import ringamp")
        else:
            pip(inside, "install", f"{peer.name}=={peer.version}")
        (folder / READY).touch()
    found, runtime = run(inside, "-c", VERSION_OF, peer.name).split()
    return Installed(
        peer,
        (inside, str(ADAPTERS / "driver.py")),
        {},
        found,
        f"Python {runtime}",
    )


def install_wheel(inside: str) -> None:
    """
    Build this checkout and install what comes out.
    """
    with TemporaryDirectory(prefix="ringamp-") as temporary:
        copy = Path(temporary) / "source"
        copy.mkdir()
        for name in SOURCES:
            shutil.copy(ROOT / name, copy)
        for name in FOLDERS:
            shutil.copytree(ROOT / name, copy / name, ignore=LEFT_OUT)
        wheels = Path(temporary) / "wheels"
        pip(inside, "wheel", "--no-deps", "-w", wheels, copy)
        pip(inside, "install", *wheels.glob("*.whl"))


def fingerprint() -> str:
    """
    A short name for the sources as they are.
    """
    digest = hashlib.sha256()
    files = [ROOT / "setup.py", ROOT / "pyproject.toml"]
    for folder in FOLDERS:
        files += (ROOT / folder).rglob("*.py")
        files += (ROOT / folder).rglob("*.[ch]")
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def pip(inside: str, *arguments: object) -> str:
    """
    Run the pip of an environment.
    """
    return run(
        inside, "-m", "pip", "-q", "--disable-pip-version-check", *arguments
    )


def run(*command: object) -> str:
    """
    Run *command* to its end.

    Raises:
        RuntimeError: It failed; with the last that it said.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[:6])}: {done.stderr[-2000:]}")
    return done.stdout
