# SPDX-License-Identifier: MIT
"""
Does the ten millionth event cost what the first did, and in as much memory?

An old process has logged all but the last part; then a young one logs its
first part, slice by slice in turns with the old one's last. What is compared
was measured in the same minute, which the first and the last part of one
process are not.
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
FLAT_MIB = 1.0
"""What memory may move by from the first part to the last and be flat."""


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
    ):
        old = [
            [runner.log(scale.events) for _ in range(scale.slices)]
            for _ in range(scale.parts - 1)
        ]
        with closing(Runner(collector.url)) as other:
            last, young = in_pairs(runner, other, scale)
        old.append(last)
    millions = {
        scale.part * (number + 1) / MICRO: part
        for number, part in enumerate(old)
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
                f"the last {scale.part:,} events / the first "
                f"{scale.part:,} of another process, in turns",
                [one.cpu for one in old[-1]],
                [one.cpu for one in young],
                bar=TOLERANCE,
            ),
            by_itself(old[0], old[-1]),
            memory(old, scale),
        ],
    )


def in_pairs(
    runner: Runner, other: Runner, scale: Scale
) -> tuple[list[Slice], list[Slice]]:
    """
    Have two processes log a part each, slice by slice, each of them first in
    every other turn.
    """
    found: dict[Runner, list[Slice]] = {runner: [], other: []}
    order = [runner, other]
    for _ in range(scale.slices):
        for who in order:
            found[who].append(who.log(scale.events))
        order.reverse()
    return found[runner], found[other]


def by_itself(first: list[Slice], last: list[Slice]) -> Figure:
    """
    Compare the two parts of one process, each counted in encodings made
    beside it.
    """
    return ratio(
        "events_cost_itself",
        "the last part / the first of the same process, in orjson.dumps",
        [one.cpu / one.encoder for one in last],
        [one.cpu / one.encoder for one in first],
        scale=1,
        unit="encodings",
    )


def memory(parts: list[list[Slice]], scale: Scale) -> Figure:
    """
    Say by how much memory moved from the first part to the last.
    """
    first, last = (
        median(one.resident for one in part) / MIB
        for part in (parts[0], parts[-1])
    )
    return Figure(
        key="events_memory",
        label=f"memory grown over {scale.part * scale.parts:,} events",
        value=last - first,
        unit="MiB",
        bar=FLAT_MIB,
        detail=f"{first:.2f} to {last:.2f} MiB",
    )
