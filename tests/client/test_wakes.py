# SPDX-License-Identifier: MIT
"""
How often the thread that sends wakes: as the kernel counts it, by how often it
went to sleep.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from ringamp import MemoryTransport

SLOWEST = 30
"""Times that a burst of any size may put a thread to sleep: for the first
event, for the batch, and some for the GIL, on a machine that is busy."""


def threads():
    """
    The threads of this process, as the kernel counts them.
    """
    return set(Path("/proc/self/task").iterdir())


def sleeps(these):
    """
    How often these threads have gone to sleep by themselves.
    """
    total = 0
    for thread in these:
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def is_asleep(thread):
    """
    Whether a thread sleeps, and does not just wait for a processor.
    """
    return "\nState:\tS" in (thread / "status").read_text()


def settled(these, until):
    """
    Wait until these threads sleep for good; how often they did so far.
    """
    seen = []

    def is_quiet():
        seen.append(sleeps(these) if all(map(is_asleep, these)) else None)
        return seen[-1] and seen[-5:] == [seen[-1]] * 5

    until(is_quiet)
    return sleeps(these)


IDLE = {
    "alone": {},
    "by several uploads": {"concurrent_uploads": 4},
    "packed": {"compression": "gzip"},
    "to nobody": {"retry_timeouts": [], "server_url": "http://127.0.0.1:9/"},
}


@pytest.mark.parametrize("name", IDLE)
def test_a_process_with_nothing_pending_does_not_wake(
    make_client, event, until, name
):
    """
    However it sent and whatever came of it: no thread of the client wakes.
    """
    before = threads()
    client = make_client(**IDLE[name])
    receipts = [client.log_event(event(number)) for number in range(3000)]
    for receipt in receipts[::100]:
        receipt.result(30)
    client.flush().result(30)
    ours = threads() - before
    count = settled(ours, until)
    time.sleep(0.4)

    assert ours
    assert sleeps(ours) == count


def test_an_idle_process_with_a_spool_wakes_once_a_second_at_most(
    make_client, event, until, tmp_path
):
    """
    It looks for what others have left; between two looks it sleeps.
    """
    before = threads()
    client = make_client(spool_dir=str(tmp_path / "spool"))
    client.log_event(event()).result(30)
    ours = threads() - before
    seen = [settled(ours, until)]
    began = time.monotonic()
    while (took := time.monotonic() - began) < 2:
        time.sleep(0.05)
        seen.append(sleeps(ours))

    changes = sum(a != b for a, b in pairwise(seen))
    # A look that a sample cuts in two is seen twice.
    assert changes <= 2 * took
    assert seen[-1] - seen[0] < 100


@pytest.fixture
def _patient_gil():
    """
    Have no thread wake to ask for the interpreter: on a busy machine it may
    do so at any time.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(30)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("_patient_gil")
@pytest.mark.parametrize("options", [{}, {"concurrent_uploads": 4}])
def test_wake_ups_do_not_grow_with_events(make_client, event, until, options):
    """
    Ten events of a burst wake as often as four thousand, not once each.
    """
    before = threads()
    client = make_client(transport_class=MemoryTransport(), **options)
    client.log_event(event()).result(30)
    client.flush().result(30)
    one = event()

    def burst(count):
        ours = threads() - before
        started = settled(ours, until)
        for _ in range(count):
            client.log_event(one)
        client.flush().result(30)
        return settled(ours, until) - started

    burst(4000)
    few = sum(burst(10) for _ in range(3))
    many = sum(burst(4000) for _ in range(3))

    assert few > 0
    assert many <= 3 * SLOWEST * len(threads() - before)
