# SPDX-License-Identifier: MIT
"""
What does an event cost as more threads of one process log?
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import orjson

from benchmarks.calls import SLEEPY, go_around, in_threads
from benchmarks.growth.curves import Curve, Growth
from benchmarks.growth.turns import cpu_of, in_turns
from benchmarks.harness import (
    MICRO,
    check_delivered,
    make_client,
    ratio,
    settle,
)
from benchmarks.workload import make_event
from ringamp import Client
from ringamp.collector import CollectorProcess


class Scale(msgspec.Struct, frozen=True):
    """
    How much is measured.

    Attributes:
        threads: How many log at once.

        events: Of a block, all threads together.

        rounds: Repeats.
    """

    threads: tuple[int, ...]
    events: int
    rounds: int


FULL = Scale((1, 2, 4, 8, 16), 40_000, 25)
QUICK = Scale((1, 2, 16), 2000, 2)


def measure(scale: Scale) -> Growth:
    """
    Log, deliver and encode by more and more threads, in turns.
    """
    event = make_event()
    with CollectorProcess(counting=True) as collector:
        sleepy = make_client("logging", collector.url, **SLEEPY)
        awake = make_client("delivering", collector.url, on_full="block")
        works = {"logged": sleepy, "delivered": awake}
        for client in works.values():
            go_around(client, event)
        logged, delivered = (
            in_turns(
                {
                    count: partial(work, client, event, count, scale.events)
                    for count in scale.threads
                },
                scale.rounds,
            )
            for work, client in ((log, sleepy), (deliver, awake))
        )
        encoded = in_turns(
            {
                count: partial(encode, event, count, scale.events)
                for count in scale.threads
            },
            scale.rounds,
        )
        for client in works.values():
            check_delivered(client)
            client.shutdown()
    most, least = max(scale.threads), min(scale.threads)
    return Growth(
        axis="threads",
        question="Processor time of an event as more threads log at once",
        along="threads",
        curves=[
            Curve.of("delivered event", "us", delivered, MICRO),
            Curve.of("log_event", "us", logged, MICRO),
            Curve.of("orjson.dumps", "us", encoded, MICRO),
        ],
        bars=[
            ratio(
                "threads_logged",
                f"log_event by {most} threads / by {least}",
                logged[most],
                logged[least],
            ),
            ratio(
                "threads_delivered",
                f"delivered event, {most} threads / {least}",
                delivered[most],
                delivered[least],
            ),
        ],
    )


def log(
    client: Client, event: dict[str, Any], threads: int, events: int
) -> float:
    """
    Seconds of processor time of a call, while nothing is sent.
    """
    each = events // threads
    seconds = cpu_of(
        partial(in_threads, client.log_event, event, threads, each),
        each * threads,
    )
    settle(client)
    return seconds


def deliver(
    client: Client, event: dict[str, Any], threads: int, events: int
) -> float:
    """
    The same to the last answer.
    """
    each = events // threads

    def work() -> None:
        in_threads(client.log_event, event, threads, each)
        settle(client)

    return cpu_of(work, each * threads)


def encode(event: dict[str, Any], threads: int, events: int) -> float:
    """
    Seconds of processor time of the encoder in as many threads.
    """
    each = events // threads
    return cpu_of(
        partial(in_threads, orjson.dumps, event, threads, each),
        each * threads,
    )
