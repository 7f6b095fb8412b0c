# SPDX-License-Identifier: MIT
"""
Workers that share a spool are killed all the time: nothing is lost, doubled,
or hangs.

RINGAMP_KILLS says how many, RINGAMP_KILLS_SEED which. Scenarios 2 to 5 and 18
of the acceptance list: SIGKILL at marked calls of producer and consumer,
segfault and abort, and `os._exit` right after a push.
"""

from __future__ import annotations

import os

import pytest
import runner

pytestmark = [pytest.mark.process, pytest.mark.slow]

KILLS = int(os.environ.get("RINGAMP_KILLS", "150"))
SEED = os.environ.get("RINGAMP_KILLS_SEED")

HANG = 5000
"""Milliseconds; a call of log_event takes microseconds where nothing else
runs, and here a worker is stopped for 200 ms now and then."""


@pytest.mark.timeout(120 + KILLS)
def test_scenario_2_to_5_kills_under_load_lose_and_double_nothing():
    """
    What the dead had accepted is sent by those who come after them, each
    event once, and the spool is empty in the end.
    """
    run = runner.run(
        runner.HERE / "kills.py",
        f"--kills={KILLS}",
        *([f"--seed={SEED}"] if SEED else []),
        deadline=100 + KILLS,
    )

    print(run.out)
    assert (run.code, run.hung, run.err) == (0, False, "")
    (told,) = run.told
    assert told["kills"] >= KILLS
    assert told["faults"] == []
    assert told["bad_crc"] == told["quarantined"] == 0
    assert told["longest_call_ms"] < HANG
    # All of it has happened, or it proves nothing.
    assert set(told["ends"]) == {
        *("kill", "point", "alarm", "segfault", "abort", "exit", "shutdown"),
    }
    for name in ("events", "adopted", "recovered", "spooled", "at_points"):
        assert told[name], name
