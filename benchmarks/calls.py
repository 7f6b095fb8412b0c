# SPDX-License-Identifier: MIT
"""
How much longer does `log_event` take than the encoder it calls?

The caller's thread only: the flusher sleeps while a block is timed, since it
has an upload interval to wait for, and what was logged is sent between the
blocks. The ring has been all the way around before the first block: its
memory is there, and it is never full.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, Thread
from time import perf_counter
from typing import Any

import msgspec
import orjson
import typer

from benchmarks.harness import (
    RECORD_EXTRA,
    WARM_CALLS,
    EventSizeOption,
    JSONOption,
    KindOption,
    MiddlewareOption,
    RoundsOption,
    Setup,
    ThreadsOption,
    answer,
    check_delivered,
    chunks,
    interleave,
    make_client,
    ratio,
    seconds_per_call,
    settle,
)
from benchmarks.report import Figure
from benchmarks.workload import Kind, json_bytes, make_struct
from ringamp import Client
from ringamp.collector import CollectorProcess

BLOCK = 1000
"""Calls a block: a millisecond or less, so a block is rarely interrupted."""

THREAD_BLOCK = 5000
"""Calls a thread and block: several times the interpreter's switch interval
for all threads together, or they would only run one after the other."""

BLOCKS_A_ROUND = 40

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of ours in it.

SLEEPY = {"upload_interval_in_sec": 60, "max_cached_events": 1_000_000}
"""Options with which the flusher sleeps until `flush`."""


def no_op(payload: Any, next: Callable[[Any], object]) -> None:
    """
    A middleware that hands everything on.
    """
    next(payload)


def measure(setup: Setup, collector: CollectorProcess) -> Iterator[Figure]:
    """
    Compare the calls with the encoders, and with and without a spool.
    """
    with spool_directory() as spool_dir:
        yield from compare(setup, collector, spool_dir)


@contextmanager
def spool_directory() -> Iterator[str]:
    """
    A directory for a spool, in memory where there is such a file system.
    """
    under = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with TemporaryDirectory(prefix="ringamp-", dir=under) as directory:
        yield directory


def compare(
    setup: Setup, collector: CollectorProcess, spool_dir: str
) -> Iterator[Figure]:
    """
    Measure in turns.
    """
    event = setup.make_event()
    struct = make_struct(event)
    plain = make_client("calls", collector.url, **SLEEPY)
    guarded = make_client("calls with middleware", collector.url, **SLEEPY)
    for _ in range(setup.middleware):
        guarded.add_event_middleware(no_op)
    spooled = make_client(
        "calls with a spool", collector.url, spool_dir=spool_dir, **SLEEPY
    )
    if not [*Path(spool_dir).rglob("*.ring")]:
        raise RuntimeError("the run is void, there is no ring in the spool")
    clients = (plain, guarded, spooled)
    for client in clients:
        go_around(client, event)

    encode = msgspec.json.Encoder().encode
    count = fitting(plain, event, BLOCK)
    each = fitting(plain, event, THREAD_BLOCK * setup.threads) // setup.threads
    series = interleave(
        {
            "orjson": partial(seconds_per_call, orjson.dumps, event, count),
            "msgspec": partial(seconds_per_call, encode, struct, count),
            "dict": partial(logged, plain, event, count),
            "spool": partial(logged, spooled, event, count),
            "middleware": partial(logged, guarded, event, count),
            "struct": partial(logged, plain, struct, count),
        },
        setup.rounds * BLOCKS_A_ROUND,
    )
    crowd = interleave(
        {
            "orjson": partial(
                in_threads, orjson.dumps, event, setup.threads, each
            ),
            "dict": partial(
                logged_in_threads, plain, event, setup.threads, each
            ),
        },
        setup.rounds * BLOCKS_A_ROUND // 4,
    )
    for client in clients:
        check_delivered(client)
        client.shutdown()

    yield ratio(
        "log_event_dict",
        "log_event(dict) / orjson.dumps",
        series["dict"],
        series["orjson"],
        bar=setup.encoder_bar(2.5),
    )
    yield ratio(
        "log_event_middleware",
        f"with {setup.middleware} no-op middleware / orjson.dumps",
        series["middleware"],
        series["orjson"],
        bar=setup.encoder_bar(5.0) if setup.middleware == 1 else None,
    )
    yield ratio(
        "log_event_struct",
        "log_event(Event) / msgspec's encoding of it",
        series["struct"],
        series["msgspec"],
        bar=setup.encoder_bar(2.5),
    )
    yield ratio(
        "log_event_spool",
        "log_event(dict) with a spool / without",
        series["spool"],
        series["dict"],
        bar=1.3,
    )
    yield ratio(
        "log_event_threads",
        f"{setup.threads} threads: log_event(dict) / orjson.dumps",
        crowd["dict"],
        crowd["orjson"],
    )


def go_around(client: Client, event: dict[str, Any]) -> None:
    """
    Touch all of the ring once.
    """
    capacity = client.stats().buffer_capacity
    laps = capacity // json_bytes(event) + 1
    for count in chunks(laps, fitting(client, event, 20_000)):
        for _ in range(count):
            client.log_event(event)
        settle(client)


def fitting(client: Client, event: dict[str, Any], count: int) -> int:
    """
    *count*, or fewer where a quarter of the ring would not hold so many.
    """
    quarter = client.stats().buffer_capacity // 4
    most = quarter // (json_bytes(event) + RECORD_EXTRA) - WARM_CALLS
    return max(1, min(count, most))


def logged(client: Client, event: Any, count: int) -> float:
    """
    Seconds a call of `log_event`; the ring is empty again afterwards.
    """
    seconds = seconds_per_call(client.log_event, event, count)
    settle(client)
    return seconds


def logged_in_threads(
    client: Client, event: Any, threads: int, count: int
) -> float:
    """
    The same by several threads at once.
    """
    seconds = in_threads(client.log_event, event, threads, count)
    settle(client)
    return seconds


def in_threads(
    call: Callable[[Any], object], argument: Any, threads: int, count: int
) -> float:
    """
    Wall-clock seconds a call, with *threads* threads that call.
    """
    barrier = Barrier(threads)
    spans: list[tuple[float, float]] = []

    def run() -> None:
        barrier.wait()
        started = perf_counter()
        for _ in range(count):
            call(argument)
        spans.append((started, perf_counter()))

    crowd = [Thread(target=run) for _ in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    first = min(started for started, _ in spans)
    last = max(ended for _, ended in spans)
    return (last - first) / (threads * count)


def main(
    *,
    event: KindOption = Kind.TYPICAL,
    event_size: EventSizeOption = 0,
    threads: ThreadsOption = 4,
    middleware: MiddlewareOption = 1,
    rounds: RoundsOption = 5,
    json: JSONOption = None,
) -> None:
    """
    How much longer does log_event take than the encoder it calls?
    """
    setup = Setup(
        event=event,
        event_size=event_size,
        threads=threads,
        middleware=middleware,
        rounds=rounds,
    )
    uses = ("event", "event_size", "threads", "middleware", "rounds")
    answer("One call", setup, [measure], json, uses)


if __name__ == "__main__":
    typer.run(main)
