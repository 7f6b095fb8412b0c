# SPDX-License-Identifier: MIT
"""
What does sending an event cost as more are logged each second?

A request costs nearly the same with one event in it as with a hundred, so at
a low rate the upload interval, which decides how many share one, decides what
an event costs. Measured is the time of all threads but the one that logs,
which sleeps most of the time.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter, process_time, sleep, thread_time
from typing import Any

import msgspec

from benchmarks.delivery import log_all
from benchmarks.growth import steady
from benchmarks.growth.curves import Curve, Growth
from benchmarks.growth.turns import in_turns
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

TICK = 0.005
"""Seconds between two looks at the clock: events come in small groups."""


class Scale(msgspec.Struct, frozen=True):
    """
    How much is measured.

    Attributes:
        rates: Events logged a second.

        intervals: The option upload_interval_in_sec.

        seconds: Of a block.

        rounds: Repeats.

        steady: What is measured of a worker with default options.
    """

    rates: tuple[int, ...]
    intervals: tuple[float, ...]
    seconds: float
    rounds: int
    steady: steady.Scale


FULL = Scale((100, 1000, 10_000, 100_000), (0, 1), 2.0, 2, steady.FULL)
QUICK = Scale((100, 10_000), (0, 1), 0.1, 1, steady.QUICK)


def measure(scale: Scale) -> Growth:
    """
    Log at every rate with every interval.
    """
    event = make_event()
    curves = []
    slowest: dict[float, list[float]] = {}
    with CollectorProcess(counting=True) as collector:
        for interval in scale.intervals:
            client = make_client(
                f"interval {interval:g}",
                collector.url,
                upload_interval_in_sec=interval,
            )
            requests: dict[float, list[float]] = {}
            costs = in_turns(
                {
                    rate: partial(
                        at_rate, client, event, rate, scale.seconds, requests
                    )
                    for rate in scale.rates
                },
                scale.rounds,
            )
            check_delivered(client)
            client.shutdown()
            slowest[interval] = costs[min(scale.rates)]
            name = f"interval {interval:g} s"
            curves.append(Curve.of(name, "us to send an event", costs, MICRO))
            curves.append(Curve.of(name, "events a request", requests))
    shortest, longest = min(slowest), max(slowest)
    return Growth(
        axis="rate",
        question="Processor time of sending an event as more are logged "
        "each second",
        along="events logged a second",
        curves=sorted(curves, key=lambda curve: curve.unit, reverse=True),
        bars=[
            ratio(
                "rate_interval",
                f"sending an event at {min(scale.rates)} a second, interval "
                f"{longest:g} s / {shortest:g} s",
                slowest[longest],
                slowest[shortest],
            ),
            *steady.measure(scale.steady),
        ],
        scales="both",
    )


def at_rate(
    client: Client,
    event: dict[str, Any],
    rate: int,
    seconds: float,
    requests: dict[float, list[float]],
) -> float:
    """
    Log so many a second; give the seconds of processor time that sending one
    of them took, and note how many went into a request.
    """
    before = client.stats().requests
    began = perf_counter()
    total, own = process_time(), thread_time()
    logged = 0
    while (passed := perf_counter() - began) < seconds:
        due = int(passed * rate) - logged
        log_all(client, event, due)
        logged += due
        sleep(TICK)
    settle(client)
    own = thread_time() - own
    total = process_time() - total
    made = client.stats().requests - before
    requests.setdefault(rate, []).append(logged / made)
    return (total - own) / logged
