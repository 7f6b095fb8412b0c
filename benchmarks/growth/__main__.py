# SPDX-License-Identifier: MIT
"""
What does an event cost as one thing after another grows?

    python -m benchmarks.growth --json growth.json --plots plots
    python -m benchmarks.growth --axis latency --axis processes
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from benchmarks.growth import (
    events,
    fills,
    middleware,
    processes,
    rates,
    sizes,
    threads,
    uploads,
)
from benchmarks.growth.curves import Growth
from benchmarks.growth.plots import (
    PlotsUnavailableError,
    draw,
    find_matplotlib,
)
from benchmarks.growth.report import GrowthReport
from benchmarks.harness import JSONOption


class Axis(str, Enum):
    """
    What grows.
    """

    PROCESSES = "processes"
    EVENTS = "events"
    SIZE = "size"
    THREADS = "threads"
    MIDDLEWARE = "middleware"
    FILL = "fill"
    RATE = "rate"
    LATENCY = "latency"


class Measure(NamedTuple):
    """
    How an axis is measured, and how much in each mode.
    """

    run: Callable[[Any], Growth]
    full: Any
    quick: Any


# The workers come first: a process with threads should not fork.
AXES: dict[Axis, Measure] = {
    axis: Measure(module.measure, module.FULL, module.QUICK)
    for axis, module in (
        (Axis.PROCESSES, processes),
        (Axis.EVENTS, events),
        (Axis.SIZE, sizes),
        (Axis.THREADS, threads),
        (Axis.MIDDLEWARE, middleware),
        (Axis.FILL, fills),
        (Axis.RATE, rates),
        (Axis.LATENCY, uploads),
    )
}


def main(
    *,
    axis: Annotated[
        list[Axis] | None,
        typer.Option("--axis", help="Only this; may be given repeatedly."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Seconds, to see that it runs."),
    ] = False,
    json: JSONOption = None,
    markdown: Annotated[
        Path | None,
        typer.Option("--markdown", dir_okay=False, help="Write tables here."),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            "--plots",
            file_okay=False,
            help="Draw into this directory, as SVG and PNG.",
        ),
    ] = None,
) -> None:
    """
    What does an event cost as one thing after another grows?
    """
    if plots is not None:
        try:
            # Before minutes of measuring.
            find_matplotlib()
        except PlotsUnavailableError as error:
            raise typer.BadParameter(str(error)) from error
    chosen = [one for one in AXES if axis is None or one in axis]
    report = GrowthReport(
        "Growth",
        {"axis": [one.value for one in chosen], "quick": quick},
    )
    for one in chosen:
        report.announce(one.value)
        measure = AXES[one]
        growth = measure.run(measure.quick if quick else measure.full)
        report.add(growth)
        if plots is not None:
            draw(growth, plots)
    report.show()
    if json is not None:
        report.save(json)
    if markdown is not None:
        report.save_markdown(markdown)


if __name__ == "__main__":
    typer.run(main)
