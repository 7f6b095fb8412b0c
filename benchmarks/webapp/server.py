# SPDX-License-Identifier: MIT
"""
The application under gunicorn, with two sync workers.

Each worker loads the application after it was forked, which is gunicorn's
default and bearable for every SDK.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from benchmarks.environment import ROOT
from benchmarks.peers.installs import ADAPTERS
from benchmarks.peers.runs import KEPT, LAST_WORDS
from benchmarks.webapp.app import ORDER

WORKERS = 2
START_SECONDS = 30
END_SECONDS = 20
"""How long a worker may take to end; gunicorn kills it then."""

STEP = 0.01


class Site:
    """
    A gunicorn that serves.

    Args:
        url: Where.

        notes: The file of notes that its workers write.
    """

    def __init__(self, url: str, notes: Path) -> None:
        self.url = url
        self._notes = notes

    def notes(self) -> list[dict[str, Any]]:
        """
        What the workers have noted.
        """
        if not self._notes.exists():
            return []
        lines = self._notes.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def ends(self) -> list[dict[str, Any]]:
        """
        What each worker noted at its end.

        Raises:
            RuntimeError: Not all of them have, or one was replaced.
        """
        notes = self.notes()
        found = [note for note in notes if "requests" in note]
        if len(found) != WORKERS or len(notes) != 2 * WORKERS:
            raise RuntimeError(
                f"{len(found)} of {WORKERS} workers ended as they should"
            )
        return found


@contextmanager
def running_site(
    order: Mapping[str, Any], packages: str, folder: Path
) -> Iterator[Site]:
    """
    Serve until the block ends; then the workers are told to end, and have.

    Args:
        order: For `benchmarks.webapp.app`, but for the file of notes.

        packages: A folder to import from first; empty for none.

        folder: A new one, for the notes and gunicorn's log.

    Raises:
        RuntimeError: It did not start, or not end.
    """
    notes = folder / "notes"
    places = [str(ADAPTERS), *([packages] if packages else [])]
    environment = {name: os.environ.get(name, "") for name in KEPT}
    # Where gunicorn puts a control socket, and an SDK what it keeps.
    environment["HOME"] = str(folder)
    environment["PYTHONPATH"] = os.pathsep.join(places)
    environment[ORDER] = json.dumps({**order, "notes": str(notes)})
    with (
        (folder / "log").open("wb") as log,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn"),
                *("--workers", str(WORKERS), "--worker-class", "sync"),
                *("--bind", f"fd://{listener.fileno()}"),
                *("--graceful-timeout", str(END_SECONDS)),
                *("--log-level", "warning"),
                "benchmarks.webapp.app:application()",
            ],
            cwd=ROOT,
            env=environment,
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    site = Site(f"http://127.0.0.1:{port}/order", notes)
    try:
        try:
            await_workers(site, process)
            yield site
        finally:
            end(process)
    except RuntimeError as error:
        words = (folder / "log").read_text(errors="replace")[-LAST_WORDS:]
        raise RuntimeError(f"{error}; {words}" if words else error) from error


def await_workers(site: Site, process: subprocess.Popen[bytes]) -> None:
    """
    Wait until every worker has loaded the application.
    """
    give_up = monotonic() + START_SECONDS
    while len(site.notes()) < WORKERS:
        if process.poll() is not None or monotonic() > give_up:
            raise RuntimeError("gunicorn's workers did not start")
        sleep(STEP)


def end(process: subprocess.Popen[bytes]) -> None:
    """
    Tell gunicorn to end, and wait for it.
    """
    process.terminate()
    try:
        process.wait(END_SECONDS + START_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise RuntimeError("gunicorn did not end") from None
