# SPDX-License-Identifier: MIT
"""
What does an event cost as it gets larger?

A larger event has more properties, not longer ones: an order with more lines.
"""

from __future__ import annotations

from functools import partial

import msgspec

from benchmarks.growth.curves import Curve, Growth
from benchmarks.growth.turns import (
    delivered_cpu,
    encoder_cpu,
    grown_event,
    in_turns,
)
from benchmarks.harness import MICRO, check_delivered, make_client, ratio
from ringamp.collector import CollectorProcess


class Scale(msgspec.Struct, frozen=True):
    """
    How much is measured.

    Attributes:
        sizes: Bytes of JSON.

        volume: Bytes of JSON in a block.

        most: Events in a block at most.

        rounds: Repeats.
    """

    sizes: tuple[int, ...]
    volume: int
    most: int
    rounds: int


FULL = Scale(
    (100, 300, 1000, 3000, 10_000, 30_000, 100_000), 20_000_000, 50_000, 15
)
QUICK = Scale((100, 2000, 100_000), 200_000, 1000, 2)


def measure(scale: Scale) -> Growth:
    """
    Deliver and encode events of all sizes in turns.
    """
    events = {size: grown_event(size) for size in scale.sizes}
    counts = {
        size: max(1, min(scale.most, scale.volume // size))
        for size in scale.sizes
    }
    with CollectorProcess(counting=True) as collector:
        client = make_client("sizes", collector.url, on_full="block")
        delivered = in_turns(
            {
                size: partial(delivered_cpu, client, event, counts[size])
                for size, event in events.items()
            },
            scale.rounds,
        )
        check_delivered(client)
        client.shutdown()
    encoded = in_turns(
        {
            size: partial(encoder_cpu, event, counts[size])
            for size, event in events.items()
        },
        scale.rounds,
    )
    by_kilobyte = {
        size: [value * 1000 / size for value in values]
        for size, values in delivered.items()
    }
    most = max(scale.sizes)
    return Growth(
        axis="size",
        question="Processor time of a delivered event as events get larger",
        along="event size, bytes of JSON",
        curves=[
            Curve.of("delivered event", "us", delivered, MICRO),
            Curve.of("orjson.dumps", "us", encoded, MICRO),
            Curve.of(
                "delivered kilobyte", "us per 1000 bytes", by_kilobyte, MICRO
            ),
        ],
        bars=[
            ratio(
                "size_encoder",
                f"delivered event / orjson.dumps, at {most:,} bytes",
                delivered[most],
                encoded[most],
            )
        ],
        scales="both",
    )
