# SPDX-License-Identifier: MIT
"""
`Growth`: what was measured along one axis, and how it is put into words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal, TypeVar

import msgspec

from benchmarks.harness import quartiles
from benchmarks.report import Figure

Place = TypeVar("Place", bound=float)

Scales = Literal["linear", "x", "y", "both"]
"""Which scales of the plot are logarithmic."""


class Point(msgspec.Struct, frozen=True):
    """
    What was measured at one place of the axis.

    Attributes:
        x: The place.

        value: The median.

        quartiles: The first and third of the rounds; None for one round.
    """

    x: float
    value: float
    quartiles: tuple[float, float] | None = None


class Curve(msgspec.Struct, frozen=True):
    """
    One quantity along the axis.

    Attributes:
        name: What it is.

        unit: Of its values. Curves of one unit share a panel of the plot.

        points: In the order of the axis.
    """

    name: str
    unit: str
    points: list[Point]

    @classmethod
    def of(
        cls,
        name: str,
        unit: str,
        series: Mapping[Place, Sequence[float]],
        scale: float = 1.0,
    ) -> Curve:
        """
        Take the medians of *series*, times *scale*.
        """
        scaled = {
            x: [value * scale for value in values]
            for x, values in series.items()
        }
        points = [
            Point(x, median(values), quartiles(values))
            for x, values in scaled.items()
        ]
        return cls(name, unit, points)


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was measured along one axis.

    Attributes:
        axis: Its name.

        question: What was asked.

        along: What grows, with its unit.

        curves: What was measured.

        bars: What was promised, and what became of it.

        scales: Of the plot.
    """

    axis: str
    question: str
    along: str
    curves: list[Curve]
    bars: list[Figure] = []
    scales: Scales = "linear"

    @property
    def head(self) -> list[str]:
        """
        The columns of the table.
        """
        names = [f"{curve.name}, {curve.unit}" for curve in self.curves]
        return [self.along, *names]

    @property
    def rows(self) -> list[list[str]]:
        """
        The table, a row for each place of the axis.
        """
        places = dict.fromkeys(
            point.x for curve in self.curves for point in curve.points
        )
        return [
            [f"{x:,.10g}", *(cell(curve, x) for curve in self.curves)]
            for x in places
        ]

    def markdown(self) -> str:
        """
        The table, for a document.
        """
        lines = [
            self.head,
            ["--:"] * len(self.head),
            *self.rows,
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def cell(curve: Curve, x: float) -> str:
    """
    What *curve* has at *x*; nothing where it was not measured.
    """
    for point in curve.points:
        if point.x == x:
            return digits(point.value)
    return ""


def digits(value: float) -> str:
    """
    Write *value* with three digits that mean something.
    """
    for least, places in ((1000, 0), (100, 0), (10, 1), (1, 2)):
        if abs(value) >= least:
            return f"{value:,.{places}f}"
    return f"{value:.3f}"
