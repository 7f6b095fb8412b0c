# SPDX-License-Identifier: MIT
"""
The service is out while events are logged: with a spool nothing is lost, and
memory stays bounded.

RINGAMP_OUTAGE says for how many seconds. How fast the backlog is sent
afterwards is measured by `benchmarks.outage`.
"""

from __future__ import annotations

import os
import time

import pytest
import runner

from ringamp.client import Client
from ringamp.collector import LENIENT, CollectorProcess, Fault

pytestmark = [pytest.mark.process, pytest.mark.slow]

SECONDS = float(os.environ.get("RINGAMP_OUTAGE", "6"))

RING = 2 << 20
ALLOWANCE = 16 << 20
BOOKS = 900_000
"""Events, at most; the collector's books hold a million. Where that is too few
for the rate, as for 60 s, there is `benchmarks.outage`."""

PROBE = 10_000
"""Events by which it is seen how fast this machine is."""

SOON = 60
"""Seconds within which what is on disk is sent again: an outage's pauses grow
to 30."""

OUTAGES = {
    "refused": None,
    "unavailable": Fault(status=503),
    "silent": Fault(status=503, delay=3600),
}


def begin_outage(collector, how, seconds):
    """
    Have the service go.
    """
    fault = OUTAGES[how]
    if fault is None:
        collector.add_fault(Fault(refuse=seconds))
    else:
        collector.add_fault(fault, times=None)


def end_outage(collector, how):
    """
    Have it come back.
    """
    if OUTAGES[how] is None:
        runner.wait_until(lambda: can_be_asked(collector))
    else:
        collector.clear_faults()


def can_be_asked(collector):
    """
    Say whether the collector listens.
    """
    try:
        collector.summary()
    except ConnectionError:
        return False
    return True


def backlog(spool):
    """
    Name the files of the backlog.
    """
    return [name for name in spool.files() if "/backlog/" in name]


def check_balance(told):
    """
    See that every event has its place in the counts.
    """
    stats = told["stats"]
    assert stats["logged"] == told["accepted"] + told["refused"]
    assert stats["logged"] == (
        stats["delivered"]
        + stats["rejected"]
        + stats["dropped"]
        + stats["pending"]
    )


def bearable(rate):
    """
    Give *rate*, or what a collector takes a second on this machine now, with
    room for a backlog beside it: a busy machine is not the fault of the
    client.
    """
    with CollectorProcess(settings=LENIENT) as other:
        client = Client("bearable").init("KEY", server_url=other.url)
        began = time.monotonic()
        for number in range(PROBE):
            client.log_event(
                {"event_type": "t", "user_id": f"somebody-{number}"}
            )
        client.flush().result(SOON)
        took = time.monotonic() - began
        client.shutdown()
    return min(rate, int(PROBE / took / 3))


@pytest.mark.timeout(120 + 4 * SECONDS)
@pytest.mark.parametrize(
    ("how", "rate"),
    [
        ("refused", 20_000),
        ("unavailable", 3000),
        ("silent", 2000),
    ],
)
def test_an_outage_loses_and_doubles_nothing(
    collector, spool, start, how, rate
):
    """
    What the ring does not hold goes to the disk, and all of it arrives once
    the service is back, while events go on; each once. Memory stays below
    the buffer and 16 MiB.
    """
    rate = bearable(min(rate, int(BOOKS / (SECONDS + 20))))
    steady = start(
        *("e", rate),
        **spool.options(buffer_bytes=RING, request_timeout_millis=1000),
    )
    assert runner.wait_until(lambda: steady.accepted > rate // 2)
    begin_outage(collector, how, SECONDS)
    time.sleep(SECONDS)
    assert backlog(spool), "the ring held it all"
    end_outage(collector, how)
    assert runner.wait_until(lambda: not backlog(spool), SOON)

    told = steady.end()

    check_balance(told)
    assert told["refused"] == told["stats"]["dropped"] == 0
    assert told["peak"] - told["idle"] < RING + ALLOWANCE
    assert told["recovered"] == told["stats"]["pending"] > 0
    assert collector.took_once(("e", told["accepted"]))
    assert not spool.files()
    print(f"{how}, {rate}/s, {SECONDS:g} s: {told}")


@pytest.mark.parametrize("ends", ["shuts down", "is killed"])
def test_an_outage_outlives_a_process(collector, spool, start, ends):
    """
    What a process could not send is sent by the next, whether the first shut
    down in the middle of the outage or was killed.
    """
    options = spool.options(buffer_bytes=1 << 18, retry_timeouts=[50, 50])
    begin_outage(collector, "unavailable", 0)
    first = start("first", 2000, **options)
    assert runner.wait_until(lambda: len(backlog(spool)) > 2)
    if ends == "is killed":
        first.kill()
    else:
        left = first.end(patience=0.5)
        check_balance(left)
        assert left["stats"]["dropped"] == 0
        assert left["stats"]["pending"] == left["accepted"]
    second = start("second", 500, **options)
    assert runner.wait_until(lambda: second.accepted > 500)
    end_outage(collector, "unavailable")
    assert runner.wait_until(lambda: not backlog(spool), SOON)
    told = second.end()

    check_balance(told)
    tags = collector.tags()
    accepted = first.accepted
    # One may have been under way when it was killed.
    accepted += f"first-{accepted}" in tags and ends == "is killed"
    assert collector.took_once(
        ("first", accepted), ("second", told["accepted"])
    )
    assert not spool.files()
