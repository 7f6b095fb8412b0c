# SPDX-License-Identifier: MIT
"""
The short form of scribble.py: scenario 28 of the acceptance list, at random.

RINGAMP_SCRIBBLE says for how many seconds.
"""

from __future__ import annotations

import os

import pytest
import runner

pytestmark = [pytest.mark.process, pytest.mark.slow]

SECONDS = float(os.environ.get("RINGAMP_SCRIBBLE", "5"))


@pytest.mark.timeout(120 + SECONDS)
def test_scenario_28_scribbling_over_a_spool_harms_nobody():
    """
    Clients live, log, and deliver their own events exactly once, whatever is
    done to the files; nothing else is sent but what was logged, once.
    """
    run = runner.run(
        runner.HERE / "scribble.py",
        f"--seconds={SECONDS}",
        deadline=100 + SECONDS,
    )

    print(run.out)
    assert (run.code, run.hung, run.err) == (0, False, "")
    (told,) = run.told
    assert told["faults"] == []
    assert told["rounds"] >= 1
    assert told["events"] >= 5 * told["rounds"]
