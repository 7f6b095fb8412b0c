# SPDX-License-Identifier: MIT
"""
What does a call cost as more middleware stands in its way?
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
import orjson

from benchmarks.calls import SLEEPY, fitting, go_around, logged, no_op
from benchmarks.growth.curves import Curve, Growth
from benchmarks.growth.turns import in_turns
from benchmarks.harness import (
    MICRO,
    check_delivered,
    make_client,
    seconds_per_call,
)
from benchmarks.report import Figure
from benchmarks.workload import make_event
from ringamp import Client
from ringamp.collector import CollectorProcess

BUFFER_BYTES = 4 * 2**20
"""Of each instance: there is one for every count."""


class Scale(msgspec.Struct, frozen=True):
    """
    How much is measured.

    Attributes:
        counts: How many no-op middleware.

        calls: In a block.

        rounds: Repeats.
    """

    counts: tuple[int, ...]
    calls: int
    rounds: int


FULL = Scale((0, 1, 2, 3, 4, 6, 8), 1000, 200)
QUICK = Scale((0, 1, 8), 200, 2)


def measure(scale: Scale) -> Growth:
    """
    Call through chains of every length, in turns with the encoder.
    """
    event = make_event()
    with CollectorProcess(counting=True) as collector:
        clients = {
            count: make_chain(collector.url, count) for count in scale.counts
        }
        for client in clients.values():
            go_around(client, event)
        blocks: dict[float, Callable[[], float]] = {
            count: partial(
                logged, client, event, fitting(client, event, scale.calls)
            )
            for count, client in clients.items()
        }
        blocks[-1] = partial(
            seconds_per_call, orjson.dumps, event, scale.calls
        )
        series = in_turns(blocks, scale.rounds)
        for client in clients.values():
            check_delivered(client)
            client.shutdown()
    encoded = series.pop(-1)
    calls = Curve.of("log_event", "us", series, MICRO)
    none, most = calls.points[0], calls.points[-1]
    return Growth(
        axis="middleware",
        question="Time of a call behind no-op middleware",
        along="middleware",
        curves=[
            calls,
            Curve.of(
                "orjson.dumps",
                "us",
                dict.fromkeys(series, encoded),
                MICRO,
            ),
        ],
        bars=[
            Figure(
                key="middleware_each",
                label="what one more middleware costs",
                value=(most.value - none.value) / (most.x - none.x),
                unit="us",
                detail=f"without {none.value:.2f} us, with {most.x:.0f} "
                f"{most.value:.2f} us",
            )
        ],
    )


def make_chain(url: str, count: int) -> Client:
    """
    Make an instance with so many no-op middleware.
    """
    client = make_client(
        f"middleware {count}", url, buffer_bytes=BUFFER_BYTES, **SLEEPY
    )
    for _ in range(count):
        client.add_event_middleware(no_op)
    return client
