# SPDX-License-Identifier: MIT
"""
What does an event cost as more worker processes log and deliver?

As under a pre-fork server, see `benchmarks.workers`: every worker logs the
same share, as fast as it can and all of them at once, however few the cores.
A share fits into a worker's buffer and nothing blocks: a worker that has to
wait for the processor shows as events that were dropped, sent twice or not at
all.
"""

from __future__ import annotations

import os
from functools import partial
from time import perf_counter
from typing import Any

import msgspec

from benchmarks.environment import stamp
from benchmarks.growth.curves import Curve, Growth
from benchmarks.growth.turns import in_turns
from benchmarks.harness import MICRO, make_client, ratio
from benchmarks.report import Figure
from benchmarks.workers import Shift, read_shift, work
from benchmarks.workload import make_event
from ringamp import Client
from ringamp.collector import CollectorProcess

TOLERANCE = 1.15
"""What many workers may cost an event, against one."""


class Scale(msgspec.Struct, frozen=True):
    """
    How much is measured.

    Attributes:
        workers: How many processes.

        share: Events of each.

        rounds: Repeats.
    """

    workers: tuple[int, ...]
    share: int
    rounds: int


FULL = Scale((1, 2, 4, 8, 16, 32), 100_000, 5)
QUICK = Scale((1, 4), 2000, 2)


class Tally:
    """
    What went wrong in all rounds, and how fast they were.
    """

    def __init__(self) -> None:
        self.logged = 0
        self.dropped = 0
        self.repeated = 0
        self.miscounted = 0
        self.speeds: dict[float, list[float]] = {}

    def note(
        self,
        shifts: list[Shift],
        asked: int,
        arrived: int,
        seconds: float,
    ) -> None:
        """
        Take a round in.
        """
        stats = [shift.stats for shift in shifts]
        delivered = sum(one.delivered for one in stats)
        self.logged += asked
        self.dropped += sum(one.dropped + one.rejected for one in stats)
        self.repeated += sum(one.retries for one in stats)
        self.miscounted += abs(asked - delivered) + abs(asked - arrived)
        self.speeds.setdefault(len(shifts), []).append(asked / seconds)


def measure(scale: Scale) -> Growth:
    """
    Fork more and more workers, in turns.
    """
    event = make_event()
    tally = Tally()
    with CollectorProcess(counting=True) as collector:
        # The parent logs nothing, so it has no thread when it forks.
        client = make_client("processes", collector.url)
        costs = in_turns(
            {
                count: partial(
                    one_round,
                    client,
                    collector,
                    tally,
                    event,
                    workers=count,
                    share=scale.share,
                )
                for count in scale.workers
            },
            scale.rounds,
        )
        client.shutdown()
    return Growth(
        axis="processes",
        question="Processor time of a delivered event as more workers log, "
        f"{stamp()['cores']} cores",
        along="worker processes",
        curves=[
            Curve.of("delivered event", "us", costs, MICRO),
            Curve.of("all together", "events/s", tally.speeds),
        ],
        bars=[*against_one(costs), *promises(tally, max(scale.workers))],
        scales="x",
    )


def against_one(costs: dict[float, list[float]]) -> list[Figure]:
    """
    Compare what many cost with what one costs.
    """
    one = min(costs)
    return [
        ratio(
            f"processes_{count:.0f}",
            f"delivered event, {count:.0f} workers / {one:.0f}",
            costs[count],
            costs[one],
            bar=TOLERANCE if count in {4, 32} else None,
        )
        for count in costs
        if count != one
    ]


def promises(tally: Tally, most: int) -> list[Figure]:
    """
    Say what was lost, and what had to be sent again.
    """
    told = f"{tally.logged:,} logged, up to {most} workers at once"
    return [
        Figure(
            key=f"processes_{key}",
            label=label,
            value=value,
            unit="",
            bar=0,
            detail=told,
        )
        for key, label, value in (
            ("dropped", "events dropped or rejected", tally.dropped),
            ("repeated", "requests that failed or timed out", tally.repeated),
            ("miscounted", "events lost or doubled", tally.miscounted),
        )
    ]


def one_round(
    client: Client,
    collector: CollectorProcess,
    tally: Tally,
    event: dict[str, Any],
    *,
    workers: int,
    share: int,
) -> float:
    """
    Have *workers* children log *share* events each; give the seconds of
    processor time of an event.
    """
    before = collector.summary().accepted
    gate, start = os.pipe()
    reports = []
    for _ in range(workers):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(start)
            work(client, event, share, gate, writer)
        os.close(writer)
        reports.append(reader)
    os.close(gate)
    began = perf_counter()
    os.close(start)
    shifts = [read_shift(report) for report in reports]
    seconds = perf_counter() - began
    for _ in range(workers):
        os.wait()
    asked = share * workers
    arrived = collector.summary().accepted - before
    tally.note(shifts, asked, arrived, seconds)
    return sum(shift.cpu for shift in shifts) / asked
