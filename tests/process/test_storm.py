# SPDX-License-Identifier: MIT
"""
Forks at random moments under load: nothing is lost, doubled, or hangs.

RINGAMP_FORK_ROUNDS says how many, RINGAMP_FORK_SEED which.
"""

from __future__ import annotations

import os
import random
import sys

import pytest
import runner

from ringamp.collector import Fault

pytestmark = pytest.mark.process

ROUNDS = int(os.environ.get("RINGAMP_FORK_ROUNDS", "20"))
SEED = os.environ.get("RINGAMP_FORK_SEED")

HANG = 30
"""Seconds; a child's own work takes a fraction of one."""

FAULTS = (
    (Fault(status=500), 0.04),
    (Fault(reset="before"), 0.02),
    (Fault(reset="after"), 0.02),
    (Fault(half=True), 0.01),
    (Fault(delay=0.05), 0.2),
)


@pytest.mark.timeout(300 + 2 * ROUNDS)
def test_scenario_1_forks_under_load_lose_and_double_nothing(collector):
    """
    Every event that anybody logged arrives exactly once, every process's
    counters agree, and none hangs.
    """
    seed = int(SEED) if SEED else random.SystemRandom().getrandbits(32)
    print(f"RINGAMP_FORK_SEED={seed} RINGAMP_FORK_ROUNDS={ROUNDS}")
    for fault, probability in FAULTS:
        collector.add_fault(fault, times=None, probability=probability)

    run = runner.run(
        runner.HERE / "storm.py",
        seed,
        ROUNDS,
        url=collector.url,
        deadline=60 + 2 * ROUNDS,
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    assert run.of(kind="bad") == []
    ends = run.of(kind="end")
    assert len(ends) == ROUNDS
    assert [end for end in ends if end["code"] != 0] == []
    assert max(end["seconds"] for end in ends) < HANG
    processes = run.of(kind="process")
    for process in processes:
        fine = {"rejected": 0, "dropped": 0, "pending": 0}
        fine["logged"] = fine["delivered"] = process["logged"]
        assert process["stats"] == fine, process["name"]
    assert collector.took_once(
        *((process["name"], process["logged"]) for process in processes)
    )
    total = sum(process["logged"] for process in processes)
    seconds = run.the(kind="parent")["seconds"]
    longest = max(end["seconds"] for end in ends)
    summary = collector.summary()
    print(
        f"Python {sys.version.split()[0]}: {ROUNDS} forks, "
        f"{len(processes)} processes, {total} events in {seconds:.1f} s, "
        f"{total / seconds:.0f} events/s; {summary.requests} requests, "
        f"faults {summary.faults}, repeats dropped by insert_id "
        f"{summary.duplicates}; longest child {longest:.2f} s"
    )
