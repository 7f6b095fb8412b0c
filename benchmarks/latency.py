# SPDX-License-Identifier: MIT
"""
How long can one `log_event` take beside threads that want the interpreter?

One thread does some 50 us of work between its events, as a handler would, and
the call alone is timed. Beside it run threads that compute in Python and
never wait. An extension that lets go of the interpreter during the call gets
it back only after a switch interval (5 ms), which shows in the 99th
percentile. A call that keeps it can still be the one at which this thread's
time is up; that is as likely as the call is short, and shows in the maximum.

The encoder alone, timed in the same way, is the floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from threading import Event as Signal
from threading import Thread
from time import perf_counter_ns
from typing import Any

import orjson
import typer

from benchmarks.harness import (
    EventSizeOption,
    EventsOption,
    JSONOption,
    KindOption,
    RoundsOption,
    Setup,
    answer,
    check_delivered,
    make_client,
    percentile,
    quartiles,
    settle,
)
from benchmarks.report import Figure
from benchmarks.workload import Kind
from ringamp.collector import CollectorProcess

NEIGHBOURS = 4
PAUSE_NS = 50_000
MOST_EVENTS = 10_000
"""Calls a round at most; ten of them are above the 99.9th percentile."""

BAR_US = 200
PERCENTILES = {"p50": 50.0, "p99": 99.0, "p999": 99.9, "max": 100.0}
NAMES = {"p50": "p50", "p99": "p99", "p999": "p99.9", "max": "max"}


def measure(setup: Setup, collector: CollectorProcess) -> Iterator[Figure]:
    """
    Take the percentiles of each round.
    """
    event = setup.make_event()
    count = min(setup.events, MOST_EVENTS)
    client = make_client("latency", collector.url)
    calls: dict[str, Callable[[Any], object]] = {
        "log_event": client.log_event,
        "orjson.dumps": orjson.dumps,
    }
    rounds: dict[str, list[list[float]]] = {name: [] for name in calls}
    quiet: list[list[float]] = []
    for _ in range(setup.rounds):
        quiet.append(sample(client.log_event, event, count))
        with neighbours(NEIGHBOURS):
            for name, call in calls.items():
                rounds[name].append(sample(call, event, count))
        settle(client)
    check_delivered(client)
    client.shutdown()

    floors = rounds["orjson.dumps"]
    for key, percent in PERCENTILES.items():
        series = [percentile(one, percent) for one in rounds["log_event"]]
        floor = median(percentile(one, percent) for one in floors)
        alone = median(percentile(one, percent) for one in quiet)
        yield Figure(
            key=f"latency_{key}",
            label=f"log_event beside {NEIGHBOURS} busy threads, {NAMES[key]}",
            value=median(series),
            unit="us",
            bar=BAR_US if key == "p999" else None,
            detail=f"orjson.dumps there {floor:,.1f} us; "
            f"log_event alone {alone:,.1f} us",
            quartiles=quartiles(series),
        )


def sample(
    call: Callable[[Any], object], event: dict[str, Any], count: int
) -> list[float]:
    """
    Microseconds of each call.
    """
    clock = perf_counter_ns
    taken = []
    for _ in range(count):
        until = clock() + PAUSE_NS
        while clock() < until:
            pass
        started = clock()
        call(event)
        taken.append((clock() - started) / 1000)
    return taken


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """
    Run *count* threads that compute all the time.
    """
    stop = Signal()

    def compute() -> None:
        number = 1
        while not stop.is_set():
            for step in range(1000):
                number = (number * 31 + step) % 1_000_003

    crowd = [Thread(target=compute) for _ in range(count)]
    for thread in crowd:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in crowd:
            thread.join()


def main(
    *,
    events: EventsOption = MOST_EVENTS,
    event: KindOption = Kind.TYPICAL,
    event_size: EventSizeOption = 0,
    rounds: RoundsOption = 5,
    json: JSONOption = None,
) -> None:
    """
    How long can one log_event take beside threads that compute?
    """
    setup = Setup(
        events=events, event=event, event_size=event_size, rounds=rounds
    )
    uses = ("events", "event", "event_size", "rounds")
    answer("The slowest calls", setup, [measure], json, uses)


if __name__ == "__main__":
    typer.run(main)
