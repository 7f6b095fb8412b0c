# SPDX-License-Identifier: MIT
"""
Does ringamp hold its bars? All questions at once, in one table.

    python -m benchmarks.throughput --rounds 5 --json figures.json
"""

from __future__ import annotations

import typer

from benchmarks import calls, delivery, latency, memory, workers
from benchmarks.harness import (
    EventSizeOption,
    EventsOption,
    JSONOption,
    KindOption,
    MiddlewareOption,
    OutageOption,
    RoundsOption,
    Setup,
    ThreadsOption,
    WorkersOption,
    answer,
)
from benchmarks.workload import Kind

# The workers come first: a process with threads should not fork.
MEASURES = (
    workers.measure,
    calls.measure,
    latency.measure,
    delivery.measure,
    memory.measure,
)


def main(
    *,
    events: EventsOption = 200_000,
    outage_events: OutageOption = 2_000_000,
    workers: WorkersOption = 2,
    event: KindOption = Kind.TYPICAL,
    event_size: EventSizeOption = 0,
    threads: ThreadsOption = 4,
    middleware: MiddlewareOption = 1,
    rounds: RoundsOption = 5,
    json: JSONOption = None,
) -> None:
    """
    Measure everything that has a bar, against a collector in another process.
    """
    setup = Setup(
        events=events,
        outage_events=outage_events,
        workers=workers,
        event=event,
        event_size=event_size,
        threads=threads,
        middleware=middleware,
        rounds=rounds,
    )
    answer("ringamp", setup, MEASURES, json)


if __name__ == "__main__":
    typer.run(main)
