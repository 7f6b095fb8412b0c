# SPDX-License-Identifier: MIT
"""
Two acceptance scenarios of the core: years of laps, and the price of a push
beside threads that keep the processor.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import build
import pytest
from slowness import slow_but
from small_ring import EVENT, Ring

STARTS = [0, 2**35 - 2**24, 2**63 - 2**24]

PUSHES = 50_000
"""Of a round: far more than what other threads and processes interrupt."""


@pytest.mark.parametrize("start", slow_but([0], STARTS))
def test_scenario_24_laps_of_the_smallest_ring(start, tmp_path):
    """
    Thousands of laps of random sizes lose and change no record, from birth,
    across the end of the stamp's 32 bits, and across half of all positions.
    """
    program = build.compile_program("stress", tmp_path)
    given = ["--laps", "3000", "--start", str(start)]

    done = subprocess.run(
        [program, *given],
        check=False,
        timeout=250,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def longest_pushes(ring):
    """
    Push many times; give the durations, the longest first.
    """
    push, durations = ring.pushers.push_event, []
    while len(durations) < PUSHES:
        for _ in range(50):
            begin = time.perf_counter()
            answer = push(EVENT)
            durations.append(time.perf_counter() - begin)
            assert answer >= 0
        ring.drain()
    return sorted(durations, reverse=True)


def test_scenario_30_a_push_keeps_the_interpreter():
    """
    Beside four threads that never let go, one push in a thousand takes less
    than a switch interval: the push does not give the interpreter away, or
    each would wait for one.
    """
    ring, stop = Ring(), threading.Event()

    def burn():
        while not stop.is_set():
            sum(range(200))

    burners = [threading.Thread(target=burn) for _ in range(4)]
    interval = sys.getswitchinterval()
    for burner in burners:
        burner.start()
    try:
        # The best round: another process may have had the processor in
        # others.
        for _ in range(5):
            slow = longest_pushes(ring)[PUSHES // 1000]
            if slow < interval:
                break
    finally:
        stop.set()
        for burner in burners:
            burner.join()

    assert slow < interval
