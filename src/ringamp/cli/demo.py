# SPDX-License-Identifier: MIT
"""
`ringamp demo`: four forked workers, a service that fails, and a count.

The collector runs in a process of its own. The client is initialised in this
process and used in the workers only, as a pre-fork server does it. Each event
carries its worker and a sequence number, and what the collector took is
compared with these: neither the counts of the workers nor the insert_ids that
they make are believed. The collector's ledger also says which faults were
played.
"""

from __future__ import annotations

import os
import select
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import ringamp

if TYPE_CHECKING:
    from ringamp.collector import CollectorProcess, Fault

API_KEY = "demo-0123456789abcdef"
BLOCK = 1000
"""Events that are timed together: one clock reading costs as much as an
event."""

COUNTS = (
    "logged",
    "delivered",
    "rejected",
    "dropped",
    "requests",
    "retries",
)
"""What the workers' reports add up to."""

POLL_SECONDS = 0.1
DRAIN_SECONDS = 60.0


class Misfortune(NamedTuple):
    """
    What goes wrong.

    Attributes:
        at: When: the part of the requests that have arrived before.

        fault: What.

        times: How many requests in a row meet it.

        words: What the service did, for the reader.
    """

    at: float
    fault: Fault
    times: int
    words: str


class Report(msgspec.Struct):
    """
    What a worker says of itself.
    """

    logged: int
    delivered: int
    rejected: int
    dropped: int
    requests: int
    retries: int
    micros: list[float]
    """Microseconds per log_event, one number a block."""


class Worker(NamedTuple):
    """
    A forked worker and the pipe that its report comes through.
    """

    pid: int
    pipe: BinaryIO


class Verdict(NamedTuple):
    """
    What the collector's own list of events and its count say.

    Attributes:
        lost: Events that it never took.

        doubled: Events that it took beyond one of each, under whatever
            insert_id.
    """

    lost: int
    doubled: int


def demo(
    *,
    events: Annotated[
        int, typer.Option(min=1, help="Events that all workers log together.")
    ] = 200_000,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that log.")
    ] = 4,
) -> None:
    """
    Log from forked workers to a service that fails at times, and count.
    """
    from ringamp.collector import (  # noqa: PLC0415 - an extra of its own.
        CollectorProcess,
        Settings,
    )

    console = Console()
    shares = [
        events // workers + (index < events % workers)
        for index in range(workers)
    ]
    service = CollectorProcess(
        settings=Settings(throttle=False),
        keep_events=2 * events,
    )
    with service as collector:
        planned = plan(collector, events)
        ringamp.init(
            API_KEY,
            server_url=collector.url,
            on_full="block",
            request_timeout_millis=5000,
        )
        began = time.monotonic()
        with forked(shares) as crew:
            watch(collector, planned, events, crew, console)
            reports = [read_report(worker) for worker in crew]
        seconds = time.monotonic() - began
        verdict = judge(collector, shares)
        console.print(
            table(collector, planned, reports, verdict, events / seconds),
        )
    if verdict.lost or verdict.doubled or None in reports:
        sys.exit(1)


def misfortunes() -> list[Misfortune]:
    """
    List what goes wrong, and when.
    """
    from ringamp.collector import Fault  # noqa: PLC0415 - an extra.

    return [
        Misfortune(0.1, Fault(status=429), 5, "answered 429 five times"),
        Misfortune(0.3, Fault(status=500), 1, "answered 500"),
        Misfortune(
            0.5,
            Fault(reset="after"),
            1,
            "took the events, then reset the connection",
        ),
        Misfortune(0.7, Fault(delay=1.0), 1, "answered after 1 s"),
    ]


def plan(collector: CollectorProcess, events: int) -> list[Misfortune]:
    """
    Tell the collector which requests are to meet a misfortune. There will be
    enough of them: as many as full requests would be, and the retries.
    """
    from ringamp.collector import Fault  # noqa: PLC0415 - an extra.

    planned = misfortunes()
    requests = ceil(events / ringamp.Options().max_events)
    position = 0
    for misfortune in planned:
        calm = int(misfortune.at * requests) - position
        if calm > 0:
            collector.add_fault(Fault(), calm)
            position += calm
        collector.add_fault(misfortune.fault, misfortune.times)
        position += misfortune.times
    return planned


@contextmanager
def forked(shares: list[int]) -> Iterator[list[Worker]]:
    """
    Fork a worker for each share; at the end, none of them is left.
    """
    crew: list[Worker] = []
    try:
        for index, share in enumerate(shares):
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(reading)
                work(index, share, writing)
            os.close(writing)
            crew.append(Worker(pid, os.fdopen(reading, "rb")))
        yield crew
    finally:
        for worker in crew:
            worker.pipe.close()
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGTERM)
            os.waitpid(worker.pid, 0)


def work(index: int, share: int, writing: int) -> None:
    """
    Be a worker: log, send what is left, report, and end.
    """
    code = 1
    try:
        client = ringamp.get_instance()
        micros = []
        for first in range(0, share, BLOCK):
            block = [
                an_event(index, number)
                for number in range(first, min(first + BLOCK, share))
            ]
            began = time.perf_counter()
            for event in block:
                client.log_event(event)
            spent = time.perf_counter() - began
            micros.append(spent / len(block) * 1e6)
        client.shutdown(DRAIN_SECONDS)
        stats = client.stats()
        report = Report(
            stats.logged,
            stats.delivered,
            stats.rejected,
            stats.dropped,
            stats.requests,
            stats.retries,
            micros,
        )
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(msgspec.json.encode(report))
        code = 0
    except KeyboardInterrupt:
        code = 130
    finally:
        # Past the parent's exit handlers, open files and progress bar.
        os._exit(code)


def user(index: int) -> str:
    """
    Name the user that a worker's events are about.
    """
    return f"worker-{index:02d}"


def an_event(index: int, number: int) -> dict[str, Any]:
    """
    Make the event that a worker logs as its *number*.
    """
    return {
        "event_type": "Checkout",
        "user_id": user(index),
        "event_id": number,
        "event_properties": {"items": 3, "total": 41.5, "coupon": None},
    }


def watch(
    collector: CollectorProcess,
    planned: list[Misfortune],
    events: int,
    crew: list[Worker],
    console: Console,
) -> None:
    """
    Show what has arrived and what went wrong, until all workers have ended.
    """
    to_come = list(planned)
    # A pipe has something to read once its worker has reported, or ended.
    at_work = [worker.pipe for worker in crew]
    with Progress(console=console) as progress:
        bar = progress.add_task("Delivered", total=events)
        while at_work:
            over = select.select(at_work, [], [], POLL_SECONDS)[0]
            at_work = [pipe for pipe in at_work if pipe not in over]
            summary = collector.summary()
            progress.update(bar, completed=summary.accepted)
            while to_come and to_come[0].fault.name in summary.faults:
                words = to_come.pop(0).words
                progress.console.print(f"The service {words}")


def read_report(worker: Worker) -> Report | None:
    """
    Wait for a worker's report; None if it ended without one.
    """
    try:
        return msgspec.json.decode(worker.pipe.read(), type=Report)
    except msgspec.DecodeError:
        return None


def judge(collector: CollectorProcess, shares: list[int]) -> Verdict:
    """
    Compare what the collector took with what was to be logged.
    """
    lost = distinct = 0
    for index, share in enumerate(shares):
        taken = {event["event_id"] for event in collector.events(user(index))}
        missing = sum(number not in taken for number in range(share))
        lost += missing
        distinct += share - missing
    # The count, since it also knows of events that nobody should have sent.
    return Verdict(lost, collector.summary().accepted - distinct)


def table(
    collector: CollectorProcess,
    planned: list[Misfortune],
    reports: list[Report | None],
    verdict: Verdict,
    per_second: float,
) -> Table:
    """
    Make the table of counts.
    """
    told = [report for report in reports if report is not None]
    micros = [value for report in told for value in report.micros]
    summary = collector.summary()
    played = ", ".join(
        f"{name} x{summary.faults.get(name, 0)}"
        for name in (misfortune.fault.name for misfortune in planned)
    )
    total = {
        name: sum(getattr(report, name) for report in told) for name in COUNTS
    }
    # The transport repeats what a lost connection may have swallowed by
    # itself, so the service sees more requests than are counted here.
    repeats = max(0, summary.requests - total["requests"])
    rows = [
        *((name, f"{total[name]:,}") for name in COUNTS[:4]),
        ("lost", f"{verdict.lost:,}"),
        ("duplicates", f"{verdict.doubled:,}"),
        (
            "copies resent, which the service dropped",
            f"{summary.duplicates:,}",
        ),
        *((name, f"{total[name]:,}") for name in COUNTS[4:]),
        ("repeated at once, on a new connection", f"{repeats:,}"),
        ("events/s", f"{per_second:,.0f}"),
        (
            "microseconds per log_event (median)",
            f"{statistics.median(micros):.2f}" if micros else "-",
        ),
    ]
    if len(told) < len(reports):
        rows.append(("workers that ended early", str(reports.count(None))))
    made = Table(
        title=f"{len(reports)} workers, and a service that failed",
        caption=f"Faults: {played}",
    )
    made.add_column("")
    made.add_column("count", justify="right")
    for row in rows:
        made.add_row(*row)
    return made
