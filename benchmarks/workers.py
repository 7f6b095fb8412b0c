# SPDX-License-Identifier: MIT
"""
What do several forked workers reach together, and is anything lost?

As under a pre-fork server: the parent makes the instance and logs nothing,
its children log and deliver. They begin together, each with a share of the
events; the clock stops when the last has delivered. The collector counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from statistics import median
from time import perf_counter, process_time
from typing import Any

import msgspec
import typer

from benchmarks.delivery import log_all
from benchmarks.harness import (
    MICRO,
    EventSizeOption,
    EventsOption,
    JSONOption,
    KindOption,
    RoundsOption,
    Setup,
    WorkersOption,
    answer,
    make_client,
    quartiles,
    settle,
)
from benchmarks.report import Figure
from benchmarks.workload import Kind
from ringamp import Client, Stats
from ringamp.collector import CollectorProcess


class Shift(msgspec.Struct, frozen=True):
    """
    What one worker did.

    Attributes:
        cpu: Seconds of processor time of its first share.

        later: The same of those that were timed later.

        stats: What it counted.
    """

    cpu: float
    later: float
    stats: Stats


class Round(msgspec.Struct, frozen=True):
    """
    What all workers did together.
    """

    seconds: float
    cpu: float
    logged: int
    delivered: int
    arrived: int


def measure(setup: Setup, collector: CollectorProcess) -> Iterator[Figure]:
    """
    Fork, log, count.
    """
    event = setup.make_event()
    client = make_client("workers", collector.url, on_full="block")
    share = max(1, setup.events // setup.workers)
    rounds = [
        one_round(client, collector, event, setup.workers, share)
        for _ in range(setup.rounds)
    ]
    client.shutdown()

    total = share * setup.workers
    lost = sum(
        abs(total - one.logged)
        + abs(total - one.delivered)
        + abs(total - one.arrived)
        for one in rounds
    )
    speeds = [total / one.seconds for one in rounds]
    costs = [one.cpu / total * MICRO for one in rounds]
    yield Figure(
        key="workers_throughput",
        label=f"{setup.workers} workers together",
        value=median(speeds),
        unit="events/s",
        detail=f"{share:,} events each, begin to last answer",
        quartiles=quartiles(speeds),
    )
    yield Figure(
        key="workers_cpu",
        label=f"{setup.workers} workers, processor time of an event",
        value=median(costs),
        unit="us",
        quartiles=quartiles(costs),
    )
    yield Figure(
        key="workers_miscounted",
        label=f"{setup.workers} workers, events lost or doubled",
        value=lost,
        unit="",
        bar=0,
        detail=f"{total * setup.rounds:,} logged, "
        f"{sum(one.arrived for one in rounds):,} arrived",
    )


def one_round(
    client: Client,
    collector: CollectorProcess,
    event: dict[str, Any],
    workers: int,
    share: int,
) -> Round:
    """
    Have *workers* children log *share* events each.
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
    return Round(
        seconds=seconds,
        cpu=sum(shift.cpu for shift in shifts),
        logged=sum(shift.stats.logged for shift in shifts),
        delivered=sum(shift.stats.delivered for shift in shifts),
        arrived=collector.summary().accepted - before,
    )


def work(
    client: Client,
    event: dict[str, Any],
    share: int,
    gate: int,
    report: int,
    *,
    warm: int = 0,
    times: int = 0,
) -> None:
    """
    Be a worker: log the share and wait until it has arrived, then again
    *warm* times that are not timed and *times* that are. Does not return.
    """

    def log_shares(count: int) -> float:
        began = process_time()
        for _ in range(count):
            log_all(client, event, share)
            settle(client)
        return process_time() - began

    status = 1
    try:
        os.read(gate, 1)  # Ends when the parent opens the gate for all.
        cpu = log_shares(1)
        log_shares(warm)
        shift = Shift(cpu, log_shares(times), client.stats())
        os.write(report, msgspec.json.encode(shift))
        os.close(report)  # The parent's clock stops here.
        client.shutdown()
        status = 0
    finally:
        os._exit(status)


def read_shift(report: int) -> Shift:
    """
    Wait for what a worker reports.

    Raises:
        RuntimeError: It ended without a word.
    """
    with os.fdopen(report, "rb") as pipe:
        said = pipe.read()
    if not said:
        raise RuntimeError("a worker failed; its words are on stderr")
    return msgspec.json.decode(said, type=Shift)


def main(
    *,
    events: EventsOption = 200_000,
    workers: WorkersOption = 2,
    event: KindOption = Kind.TYPICAL,
    event_size: EventSizeOption = 0,
    rounds: RoundsOption = 5,
    json: JSONOption = None,
) -> None:
    """
    What do several forked workers reach together, and is anything lost?
    """
    setup = Setup(
        events=events,
        workers=workers,
        event=event,
        event_size=event_size,
        rounds=rounds,
    )
    uses = ("events", "workers", "event", "event_size", "rounds")
    answer("Forked workers", setup, [measure], json, uses)


if __name__ == "__main__":
    typer.run(main)
