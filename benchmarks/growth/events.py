# SPDX-License-Identifier: MIT
"""
Does the ten millionth event cost what the first did, and in as much memory?

Between the two lies a minute in which the machine may change its mind, and a
fresh process is no yardstick: two of them, in turns, differ by up to a tenth
for as long as they live, by where their memory happens to lie. So a companion
logs in turns with the first part and with the last part of the same process,
and nothing in between: what is compared is how both parts stand to it.
"""

from __future__ import annotations

from contextlib import closing
from statistics import median

import msgspec

from benchmarks.growth.curves import Curve, Growth
from benchmarks.growth.runner import Runner, Slice
from benchmarks.harness import MICRO, ratio
from benchmarks.report import Figure
from ringamp.collector import CollectorProcess

MIB = 2**20
TOLERANCE = 1.05
FLAT_MIB = 2.0
"""
What memory may move by from the first part to the last and be flat. Some
0.9 MiB of it are the answers to the last 2048 requests, which receipts may
still ask for: there are as many from the fifth million on.
"""


class Scale(msgspec.Struct, frozen=True):
    """
    How much is measured.

    Attributes:
        parts: How many parts.

        slices: Of each part.

        events: Of each slice.
    """

    parts: int
    slices: int
    events: int

    @property
    def part(self) -> int:
        """
        Events of a part.
        """
        return self.slices * self.events


FULL = Scale(10, 40, 25_000)
QUICK = Scale(3, 3, 3000)


def measure(scale: Scale) -> Growth:
    """
    Log all parts, the last in turns with another process's first.
    """
    with (
        CollectorProcess(counting=True) as collector,
        closing(Runner(collector.url)) as runner,
        closing(Runner(collector.url)) as companion,
    ):
        first = in_pairs(runner, companion, scale)
        between = [
            [runner.log(scale.events) for _ in range(scale.slices)]
            for _ in range(scale.parts - 2)
        ]
        last = in_pairs(runner, companion, scale)
    parts = [
        [ours for ours, _ in first],
        *between,
        [ours for ours, _ in last],
    ]
    millions = {
        scale.part * (number + 1) / MICRO: part
        for number, part in enumerate(parts)
    }
    return Growth(
        axis="events",
        question="Processor time of a delivered event, and memory, as more "
        "were logged",
        along="events logged, millions",
        curves=[
            Curve.of(
                "delivered event",
                "us",
                {x: [s.cpu for s in part] for x, part in millions.items()},
                MICRO,
            ),
            Curve.of(
                "orjson.dumps",
                "us",
                {x: [s.encoder for s in part] for x, part in millions.items()},
                MICRO,
            ),
            Curve.of(
                "resident memory",
                "MiB",
                {
                    x: [s.resident for s in part]
                    for x, part in millions.items()
                },
                1 / MIB,
            ),
        ],
        bars=[
            ratio(
                "events_cost",
                f"the last {scale.part:,} of {scale.part * scale.parts:,} "
                "events / the first",
                [ours.cpu / theirs.cpu for ours, theirs in last],
                [ours.cpu / theirs.cpu for ours, theirs in first],
                scale=1,
                unit="of the companion",
                bar=TOLERANCE,
            ),
            ratio(
                "events_cost_alone",
                "the same by itself, in orjson.dumps",
                [one.cpu / one.encoder for one in parts[-1]],
                [one.cpu / one.encoder for one in parts[0]],
                scale=1,
                unit="encodings",
            ),
            memory(parts, scale),
        ],
    )


def in_pairs(
    runner: Runner, companion: Runner, scale: Scale
) -> list[tuple[Slice, Slice]]:
    """
    Have two processes log a part each, slice by slice, each of them first in
    every other turn.
    """
    pairs = []
    for number in range(scale.slices):
        if number % 2:
            theirs = companion.log(scale.events)
            pairs.append((runner.log(scale.events), theirs))
        else:
            ours = runner.log(scale.events)
            pairs.append((ours, companion.log(scale.events)))
    return pairs


def memory(parts: list[list[Slice]], scale: Scale) -> Figure:
    """
    Say by how much memory moved from the first part to the last.
    """
    first, middle, last = (
        median(one.resident for one in part) / MIB
        for part in (parts[0], parts[len(parts) // 2], parts[-1])
    )
    return Figure(
        key="events_memory",
        label=f"memory grown over {scale.part * scale.parts:,} events",
        value=last - first,
        unit="MiB",
        bar=FLAT_MIB,
        detail=f"{first:.2f} to {last:.2f} MiB, half way {middle:.2f}",
    )
