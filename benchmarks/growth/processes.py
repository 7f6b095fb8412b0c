# SPDX-License-Identifier: MIT
"""
What does an event cost as more worker processes log and deliver?

As under a pre-fork server, see `benchmarks.workers`: every worker logs the
same share, as fast as it can and all of them at once, however few the cores.
A share fits into a worker's buffer and nothing blocks: a worker that has to
wait for the processor shows as events that were dropped, sent twice or not at
all.

A worker's first share goes into memory that is touched for the first time,
which costs the same with one worker as with many. So there is a second curve,
of workers that go on and have been once around their buffer.

Beside it, as many processes post bodies that were built beforehand, with
urllib3 alone: what that costs more with many is the machine's part.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from statistics import fmean
from time import perf_counter, process_time
from typing import Any

import msgspec

from benchmarks.delivery import Ready
from benchmarks.environment import stamp
from benchmarks.growth.curves import Curve, Growth
from benchmarks.growth.turns import in_turns
from benchmarks.harness import MICRO, make_client, ratio
from benchmarks.report import Figure
from benchmarks.workers import Shift, read_shift, work
from benchmarks.workload import make_event
from ringamp import Client
from ringamp.collector import CollectorProcess

WARM = 1
"""Shares that are not timed: with the first they go around the buffer."""

TIMES = 3
"""Shares that are timed after these."""

FEWEST = 8
"""Workers a round, one after the other where they are fewer at a time: the
processor's clock and its neighbours change within a second."""

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


FULL = Scale((1, 2, 4, 8, 16, 32), 100_000, 9)
QUICK = Scale((1, 4), 2000, 2)


class Tally:
    """
    What went wrong in all rounds, and how fast they were.

    Args:
        workers: How many there are at a time, in the order of the axis.
    """

    def __init__(self, workers: Iterable[int]) -> None:
        self.logged = 0
        self.dropped = 0
        self.repeated = 0
        self.miscounted = 0
        self.speeds: dict[int, list[float]] = {n: [] for n in workers}
        self.later: dict[int, list[float]] = {n: [] for n in workers}

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
        self.speeds[len(shifts)].append(asked / seconds)


def measure(scale: Scale) -> Growth:
    """
    Fork more and more workers, in turns.
    """
    event = make_event()
    tally = Tally(scale.workers)
    with CollectorProcess(counting=True) as collector:
        # Its client has ended before anything forks, and that of the workers
        # logs nothing in the parent: no thread is copied.
        ready = Ready(collector.url, event, scale.share)
        client = make_client("processes", collector.url)
        blocks: dict[tuple[str, int], Callable[[], float]] = {}
        for count in scale.workers:
            blocks["ours", count] = partial(
                one_round,
                client,
                collector,
                tally,
                event,
                workers=count,
                share=scale.share,
            )
            blocks["peer", count] = partial(
                one_posting, ready, workers=count, share=scale.share
            )
        series = in_turns(blocks, scale.rounds)
        client.shutdown()
    costs, posting = (
        {count: series[who, count] for count in scale.workers}
        for who in ("ours", "peer")
    )
    return Growth(
        axis="processes",
        question="Processor time of a delivered event as more workers log, "
        f"{stamp()['cores']} cores",
        along="worker processes",
        curves=[
            Curve.of("delivered event", "us", costs, MICRO),
            Curve.of("later ones", "us", tally.later, MICRO),
            Curve.of("urllib3 posting alone", "us", posting, MICRO),
            Curve.of("all together", "events/s", tally.speeds),
        ],
        bars=[
            *against_one(costs),
            most_against_one(
                "later", "one of a worker's later events", tally.later
            ),
            most_against_one(
                "posting", "posting bodies built beforehand", posting
            ),
            *promises(tally, max(scale.workers)),
        ],
        scales="x",
    )


def against_one(costs: dict[int, list[float]]) -> list[Figure]:
    """
    Compare what many cost with what one costs.
    """
    one = min(costs)
    return [
        ratio(
            f"processes_{count}",
            f"delivered event, {count} workers / {one}",
            costs[count],
            costs[one],
            bar=TOLERANCE if count in {4, 32} else None,
        )
        for count in costs
        if count != one
    ]


def most_against_one(
    key: str, label: str, costs: dict[int, list[float]]
) -> Figure:
    """
    Compare the most with one, without a bar.
    """
    least, most = min(costs), max(costs)
    return ratio(
        f"processes_{key}",
        f"{label}, {most} processes / {least}",
        costs[most],
        costs[least],
    )


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
    Have *workers* children log *share* events, and then some more; give the
    seconds of processor time of one of the first. Fewer than `FEWEST` are
    followed by as many others.
    """
    live = partial(work, client, event, share, warm=WARM, times=TIMES)
    asked = share * workers * (1 + WARM + TIMES)
    first, later = [], []
    for _ in range(max(1, FEWEST // workers)):
        before = collector.summary().accepted
        reports, began = fork_all(workers, live)
        shifts = [read_shift(report) for report in reports]
        seconds = perf_counter() - began
        wait_for_all(workers)
        arrived = collector.summary().accepted - before
        tally.note(shifts, asked, arrived, seconds)
        first += [shift.cpu / share for shift in shifts]
        later += [shift.later / (share * TIMES) for shift in shifts]
    tally.later[workers].append(fmean(later))
    return fmean(first)


def one_posting(ready: Ready, *, workers: int, share: int) -> float:
    """
    The same for children that only post.
    """
    reports, _ = fork_all(workers, partial(post, ready, share))
    costs = []
    for report in reports:
        with os.fdopen(report, "rb") as pipe:
            costs.append(float(pipe.read()))
    wait_for_all(workers)
    return fmean(costs)


def fork_all(
    workers: int, work: Callable[[int, int], object]
) -> tuple[list[int], float]:
    """
    Fork children that begin together.

    Args:
        workers: How many.

        work: Called in each with a gate, whose end is the sign to begin, and
            with where its report goes; does not return.

    Returns:
        Where the reports come from, and when they began.
    """
    gate, start = os.pipe()
    reports = []
    for _ in range(workers):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(start)
            work(gate, writer)
        os.close(writer)
        reports.append(reader)
    os.close(gate)
    began = perf_counter()
    os.close(start)
    return reports, began


def wait_for_all(workers: int) -> None:
    """
    Wait until all children have ended.
    """
    for _ in range(workers):
        os.wait()


def post(ready: Ready, events: int, gate: int, report: int) -> None:
    """
    Be a child that posts; does not return.
    """
    status = 1
    try:
        os.read(gate, 1)
        began = process_time()
        posted = ready.post(events)
        os.write(report, b"%r" % ((process_time() - began) / posted))
        status = 0
    finally:
        os._exit(status)
