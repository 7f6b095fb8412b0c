# SPDX-License-Identifier: MIT
"""
What does an outage cost with a spool: is anything lost, how much memory does
it take, and how fast is it made up for?

A process of its own logs at a steady rate before, in and after the outage.
Its buffer is small, so what it logs goes to the backlog. First and last it
logs flat out, which is the normal rate of delivery; the backlog's rate is
what arrives from the first file's end to the last one's, less what is logged
in that time. The collector only counts, so it is never what one waits for.
Linux only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import IO, Annotated, NamedTuple

import msgspec
import typer

from benchmarks.calls import spool_directory
from benchmarks.environment import ROOT
from benchmarks.harness import (
    WAIT_SECONDS,
    EventSizeOption,
    EventsOption,
    JSONOption,
    KindOption,
    RoundsOption,
    Setup,
    answer,
)
from benchmarks.memory import ALLOWANCE, MIB, unbalanced
from benchmarks.outage_worker import Account, Order, Pace
from benchmarks.report import Figure
from benchmarks.workload import Kind
from ringamp.collector import CollectorProcess, Fault

LOOK = 0.01
"""Seconds between two looks at the backlog."""


class How(str, Enum):
    """
    What an outage looks like.
    """

    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    SILENT = "silent"


FAULTS = {
    How.UNAVAILABLE: Fault(status=503),
    How.SILENT: Fault(status=503, delay=3600),
}


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was chosen for the outage.
    """

    seconds: float
    rate: int
    how: How
    buffer: int
    timeout: float


class Drain(NamedTuple):
    """
    How the backlog was sent.

    Attributes:
        files: How many there were at most.

        wait: Seconds from the end of the outage to the first file's end.

        seconds: From there to the end of the last one.

        arrived: Events that arrived meanwhile, new ones among them.
    """

    files: int
    wait: float
    seconds: float
    arrived: int


def measure(
    setup: Setup, outage: Outage, collector: CollectorProcess
) -> Iterator[Figure]:
    """
    Send a process through an outage.
    """
    with spool_directory() as directory:
        order = Order(
            url=collector.url,
            spool_dir=directory,
            buffer_bytes=outage.buffer * MIB,
            request_timeout_millis=int(outage.timeout * 1000),
            event=setup.make_event(),
            events=setup.events,
            rounds=setup.rounds,
            rate=outage.rate,
        )
        before = collector.summary().accepted
        paces, drain, account = go_through(order, outage, collector)
        arrived = collector.summary().accepted - before
        arrived -= sum(pace.delivered for pace in paces)
        left = [str(path) for path in files_of(Path(directory))]
    if left:
        raise RuntimeError(f"the run is void, files are left: {left}")
    yield from figures(outage, paces, drain, account, arrived)


def go_through(
    order: Order, outage: Outage, collector: CollectorProcess
) -> tuple[list[Pace], Drain, Account]:
    """
    Start the process, cut it off, and watch it make up for that.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.outage_worker"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as worker:
        told, asked = worker.stdout, worker.stdin
        if told is None or asked is None:
            raise RuntimeError("the worker has no pipes")
        asked.write(msgspec.json.encode(order) + b"\n")
        asked.flush()
        paces = [msgspec.json.decode(read_line(told), type=Pace)]
        sleep(1)
        cut_off(outage, collector)
        drain = watch(Path(order.spool_dir), collector)
        asked.close()
        account = msgspec.json.decode(read_line(told), type=Account)
        paces.append(msgspec.json.decode(read_line(told), type=Pace))
    return paces, drain, account


def read_line(told: IO[bytes]) -> bytes:
    """
    Read what the worker says.

    Raises:
        RuntimeError: It ended without a word.
    """
    line = told.readline()
    if not line:
        raise RuntimeError("the worker failed; its words are on stderr")
    return line


def cut_off(outage: Outage, collector: CollectorProcess) -> None:
    """
    Be out for as long as was chosen.
    """
    fault = FAULTS.get(outage.how)
    if fault is None:
        collector.add_fault(Fault(refuse=outage.seconds))
        sleep(outage.seconds)
        # Begins with a request, a moment after it was planned.
        wait_for(lambda: can_be_asked(collector))
        return
    collector.add_fault(fault, None)
    sleep(outage.seconds)
    collector.clear_faults()


def can_be_asked(collector: CollectorProcess) -> bool:
    """
    Whether the collector listens.
    """
    try:
        collector.summary()
    except ConnectionError:
        return False
    return True


def watch(directory: Path, collector: CollectorProcess) -> Drain:
    """
    Wait until the backlog is empty.
    """
    began = monotonic()
    most = len(backlog_of(directory))
    if not most:
        raise RuntimeError("the run is void, nothing went to the backlog")

    def has_begun() -> bool:
        nonlocal most
        count = len(backlog_of(directory))
        most = max(most, count)
        return count < most

    wait_for(has_begun)
    first, before = monotonic(), collector.summary().accepted
    wait_for(lambda: not backlog_of(directory))
    last, after = monotonic(), collector.summary().accepted
    return Drain(most, first - began, last - first, after - before)


def wait_for(condition: Callable[[], bool]) -> None:
    """
    Look again and again.

    Raises:
        RuntimeError: It took too long.
    """
    give_up = monotonic() + WAIT_SECONDS
    while not condition():
        if monotonic() > give_up:
            raise RuntimeError("the backlog was not sent in time")
        sleep(LOOK)


def backlog_of(directory: Path) -> list[str]:
    """
    The names of the backlog's files. Nothing is asked about them: two
    processes work at the same time, and perhaps there are two cores.
    """
    (folder,) = directory.glob("*/backlog")
    return os.listdir(folder)  # noqa: PTH208 - names, and no paths.


def files_of(directory: Path) -> list[Path]:
    """
    All files of a spool.
    """
    return [path for path in directory.glob("*/*/*") if path.is_file()]


def figures(
    outage: Outage,
    paces: list[Pace],
    drain: Drain,
    account: Account,
    arrived: int,
) -> Iterator[Figure]:
    """
    Put the figures together.
    """
    stats = account.stats
    outcome = f"{account.queued:,} accepted, {arrived:,} arrived"
    yield Figure(
        key="backlog_lost",
        label=f"lost in an outage of {outage.seconds:g} s ({outage.how.value})"
        f" at {outage.rate:,} events/s",
        value=max(0, account.queued - arrived),
        unit="events",
        bar=0,
        detail=outcome,
    )
    yield Figure(
        key="backlog_doubled",
        label="doubled in the same",
        value=max(0, arrived - account.queued),
        unit="events",
        bar=0,
        detail=f"{stats.requests:,} requests, {drain.files:,} files",
    )
    yield Figure(
        key="backlog_miscounted",
        label="miscounted in the same",
        value=unbalanced(stats)
        + abs(stats.logged - account.queued - account.refused)
        + abs(account.refused - stats.dropped),
        unit="events",
        bar=0,
        detail=f"{stats.recovered:,} went over the disk, "
        f"{account.refused:,} found no room in the ring",
    )
    yield Figure(
        key="backlog_memory",
        label="peak memory over idle, mapped files included",
        value=(account.peak - account.idle) / MIB,
        unit="MiB",
        bar=outage.buffer + ALLOWANCE / MIB,
        detail=f"idle {account.idle / MIB:.1f}, peak "
        f"{account.peak / MIB:.1f}, buffer {outage.buffer} MiB",
    )
    normal = median(rate for pace in paces for rate in pace.rates)
    # What was logged meanwhile may have come late, too, in a short run.
    old = max(0.0, drain.arrived / drain.seconds - outage.rate)
    yield Figure(
        key="backlog_drain",
        label="afterwards: the backlog's events/s / normal rate",
        value=old / normal,
        bar=0.5,
        wants_more=True,
        detail=f"{old:,.0f} / {normal:,.0f} events/s, while "
        f"{outage.rate:,} new ones came; began after {drain.wait:.1f} s, "
        f"took {drain.seconds:.1f} s",
    )


SecondsOption = Annotated[
    float, typer.Option("--seconds", min=1, help="How long it is out.")
]
RateOption = Annotated[
    int, typer.Option("--rate", min=1, help="Events logged a second.")
]
HowOption = Annotated[
    How, typer.Option("--how", help="What the outage looks like.")
]
BufferOption = Annotated[
    int, typer.Option("--buffer", min=1, help="MiB of the ring.")
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", help="Seconds a request may take.")
]


def main(
    *,
    seconds: SecondsOption = 60,
    rate: RateOption = 20_000,
    how: HowOption = How.REFUSED,
    buffer: BufferOption = 2,
    timeout: TimeoutOption = 10,
    events: EventsOption = 200_000,
    event: KindOption = Kind.TYPICAL,
    event_size: EventSizeOption = 0,
    rounds: RoundsOption = 5,
    json: JSONOption = None,
) -> None:
    """
    What does an outage cost with a spool, and how fast is it made up for?
    """
    setup = Setup(
        events=events, event=event, event_size=event_size, rounds=rounds
    )
    outage = Outage(
        seconds=seconds, rate=rate, how=how, buffer=buffer, timeout=timeout
    )
    answer(
        "An outage with a spool",
        setup,
        [lambda setup, collector: measure(setup, outage, collector)],
        json,
        ("events", "event", "event_size", "rounds"),
        **msgspec.to_builtins(outage),
    )


if __name__ == "__main__":
    typer.run(main)
