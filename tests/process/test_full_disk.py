# SPDX-License-Identifier: MIT
"""
No room on the spool's disk, or none left of what the user allows.
"""

from __future__ import annotations

import os
import subprocess

import pytest
import runner

from ringamp.collector import Fault

pytestmark = [pytest.mark.process, pytest.mark.slow]

RING = 1 << 18
DISK = 4 << 20
BALLAST = 1 << 20
RATE = 3000
SOON = 60
QUICK = {"retry_timeouts": [50, 50], "buffer_bytes": RING}


@pytest.fixture
def disk(tmp_path):
    """
    Mount a small file system; skip where that cannot be done.
    """
    path = tmp_path / "disk"
    path.mkdir(mode=0o700)
    options = f"size={DISK},mode=700"
    command = ["mount", "-t", "tmpfs", "-o", options, "x", path]
    if os.geteuid() or subprocess.run(command, check=False).returncode:
        pytest.skip("only root mounts a file system, and not everywhere")
    yield path
    subprocess.run(["umount", path], check=True)


def room_on(disk):
    """
    Return how many bytes the disk still takes.
    """
    facts = os.statvfs(disk)
    return facts.f_bavail * facts.f_frsize


def backlog_of(disk):
    """
    List the files of the backlog.
    """
    return [path for path in disk.rglob("*/backlog/*") if path.is_file()]


@pytest.mark.parametrize("returns", ["the disk", "the service"])
def test_a_full_disk_loses_nothing_that_was_accepted(
    collector, disk, start, returns
):
    """
    In an outage the disk fills up, then the ring; what finds no room then is
    refused at once and counted. Where there is room again the backlog grows
    again; where the service is back it takes all that was accepted.
    """
    ballast = disk / "ballast"
    collector.add_fault(Fault(status=503), times=None)
    steady = start("e", RATE, spool_dir=str(disk), **QUICK)
    assert runner.wait_until(lambda: steady.accepted)
    ballast.write_bytes(bytes(BALLAST))
    assert runner.wait_until(lambda: steady.refused, SOON)
    assert room_on(disk) < RING
    if returns == "the disk":
        before, files = steady.accepted, len(backlog_of(disk))
        ballast.unlink()
        assert runner.wait_until(
            lambda: len(backlog_of(disk)) > files + 2, SOON
        )
        assert steady.accepted > before
    collector.clear_faults()
    assert runner.wait_until(lambda: not backlog_of(disk), SOON)

    told = steady.end()

    assert told["refused"] > 0
    assert told["stats"]["dropped"] == told["refused"]
    assert told["recovered_dropped"] == 0
    assert collector.took_once(("e", told["accepted"]))


def test_the_oldest_events_go_where_the_backlog_is_too_large(
    collector, spool, start
):
    """
    Beyond *max_spool_bytes* the backlog's oldest events are dropped, each of
    them is counted, and all newer ones arrive.
    """
    collector.add_fault(Fault(status=503), times=None)
    steady = start(
        *("e", RATE),
        **spool.options(**QUICK, max_spool_bytes=1 << 20),
    )
    assert runner.wait_until(lambda: steady.accepted > 15_000, SOON)
    assert (
        sum(path.stat().st_size for path in backlog_of(spool.path)) < 1 << 20
    )
    collector.clear_faults()
    assert runner.wait_until(lambda: not backlog_of(spool.path), SOON)

    told = steady.end()

    lost = told["recovered_dropped"]
    stats = told["stats"]
    assert lost > 5000
    assert (told["refused"], stats["dropped"]) == (0, 0)
    assert stats["logged"] == stats["delivered"] + stats["pending"]
    # Counted by who drops it, who need not be who logged it.
    assert stats["pending"] == told["recovered"] + lost
    tags = collector.tags()
    assert set(tags.values()) == {1}
    assert tags.keys() == {
        f"e-{number}" for number in range(lost, told["accepted"])
    }
