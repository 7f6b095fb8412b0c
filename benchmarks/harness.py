# SPDX-License-Identifier: MIT
"""
How everything here is measured, and the options all benchmarks share.

Cores are shared and clocked up and down, so a figure on its own changes from
run to run. A ratio does not, if both of its sides were measured in turns, in
blocks so short that whatever disturbs one disturbs the other. `interleave`
does that, in a random order, so that no side always comes after the same
other one.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from math import ceil
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any

import msgspec
import typer

from benchmarks.report import Figure, Report
from benchmarks.workload import Kind, make_event
from ringamp import Client, get_instance
from ringamp.collector import CollectorProcess

WARM_CALLS = 50
"""Calls before each timed block: caches hold what the block before left."""

RECORD_EXTRA = 24 + 7
"""Bytes a record has in the ring beside its JSON, at most."""

WAIT_SECONDS = 120
"""How long a delivery may take before the run is given up."""

MICRO = 1e6

EventsOption = Annotated[
    int, typer.Option("--events", min=1, help="Events delivered in a round.")
]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=1, help="Forked processes that log.")
]
EventSizeOption = Annotated[
    int,
    typer.Option(
        "--event-size", min=0, help="Bytes of JSON an event has at least."
    ),
]
KindOption = Annotated[Kind, typer.Option("--event", help="Which event.")]
ThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, help="Threads that log at once.")
]
MiddlewareOption = Annotated[
    int,
    typer.Option(
        "--middleware",
        min=1,
        help="No-op middleware, in the figure that has any.",
    ),
]
RoundsOption = Annotated[
    int, typer.Option("--rounds", min=1, help="Repeats; medians are shown.")
]
OutageOption = Annotated[
    int,
    typer.Option(
        "--outage-events", min=1, help="Events logged while nobody answers."
    ),
]
JSONOption = Annotated[
    Path | None,
    typer.Option("--json", dir_okay=False, help="Write the figures here."),
]
PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", dir_okay=False, help="Draw an SVG and a PNG."),
]
ReadOption = Annotated[
    Path | None,
    typer.Option(
        "--read",
        exists=True,
        help="Measure nothing; show what --json has written.",
    ),
]
MarkdownOption = Annotated[
    bool, typer.Option("--markdown", help="Print the table for a document.")
]


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was chosen on the command line.
    """

    events: int = 200_000
    outage_events: int = 2_000_000
    workers: int = 2
    event: Kind = Kind.TYPICAL
    event_size: int = 0
    threads: int = 4
    middleware: int = 1
    rounds: int = 5

    def make_event(self) -> dict[str, Any]:
        """
        Make the event that is logged.
        """
        return make_event(self.event, self.event_size)

    def encoder_bar(self, bar: float) -> float | None:
        """
        *bar*, where the event is the one it was set for.

        What `log_event` adds to the encoder's time is nearly the same for
        every event, so a ratio to that time says little about a smaller or a
        larger one.
        """
        is_example = self.event is Kind.TYPICAL and not self.event_size
        return bar if is_example else None


Measure = Callable[[Setup, CollectorProcess], Iterable[Figure]]


def answer(
    title: str,
    setup: Setup,
    measures: Sequence[Measure],
    json_path: Path | None,
    uses: Sequence[str] = Setup.__struct_fields__,
    **more: Any,
) -> None:
    """
    Measure, print the table and write the JSON.

    Args:
        title: The question.

        setup: What was chosen.

        measures: What to measure, in this order.

        json_path: Where the JSON goes, if anywhere.

        uses: The options that mean something for this question.

        **more: Options of this question alone.
    """
    chosen = msgspec.to_builtins(setup)
    report = Report(title, {**{name: chosen[name] for name in uses}, **more})
    with CollectorProcess(counting=True) as collector:
        for measure in measures:
            report.gather(measure(setup, collector))
    report.show()
    if json_path is not None:
        report.save(json_path)


def progress(text: str) -> None:
    """
    Say what is going on, beside the output.
    """
    print(text, file=sys.stderr, flush=True)


def make_client(name: str, url: str, **options: Any) -> Client:
    """
    Make an instance that sends to *url*.
    """
    return get_instance(name).init("BENCHMARK", server_url=url, **options)


def settle(client: Client) -> None:
    """
    Wait until all that *client* logged is delivered.
    """
    client.flush().result(WAIT_SECONDS)


def check_delivered(client: Client) -> None:
    """
    Refuse to report on a run that lost something.

    Raises:
        RuntimeError: Something was logged and not delivered.
    """
    stats = client.stats()
    if stats.logged != stats.delivered or stats.invalid:
        raise RuntimeError(f"the run is void, events are missing: {stats}")


def seconds_per_call(
    call: Callable[[Any], object], argument: Any, count: int
) -> float:
    """
    Time *count* calls after a few that are not timed.
    """
    for _ in repeat(None, min(WARM_CALLS, count)):
        call(argument)
    started = perf_counter()
    for _ in repeat(None, count):
        call(argument)
    return (perf_counter() - started) / count


def interleave(
    blocks: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """
    Run every block once a round, in random order.

    Args:
        blocks: Each gives what it measured.

        rounds: How often.

    Returns:
        The series of each, by round.
    """
    order = list(blocks)
    shuffle = random.Random(1).shuffle  # noqa: S311 - no secret.
    series: dict[str, list[float]] = {name: [] for name in blocks}
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            series[name].append(blocks[name]())
    return series


def percentile(values: Iterable[float], percent: float) -> float:
    """
    The smallest value that *percent* of *values* do not exceed.
    """
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def quartiles(values: Sequence[float]) -> tuple[float, float] | None:
    """
    The first and third quartile of *values*; None for a single value.
    """
    if len(values) < 2:
        return None
    return percentile(values, 25), percentile(values, 75)


def ratio(
    key: str,
    label: str,
    measured: Sequence[float],
    against: Sequence[float],
    *,
    scale: float = MICRO,
    unit: str = "us",
    **more: Any,
) -> Figure:
    """
    Compare two series that were measured in turns.

    The value is the ratio of the medians, the quartiles are those of the
    ratios within each round.

    Args:
        key: Of the figure.

        label: Of the figure.

        measured: What is of interest.

        against: What it is compared with.

        scale: Brings both to *unit*.

        unit: Of the detail, which shows both medians.

        **more: Other fields of the figure.
    """
    ours, theirs = median(measured), median(against)
    pairs = [a / b for a, b in zip(measured, against, strict=True)]
    detail = f"{_digits(ours * scale)} / {_digits(theirs * scale)} {unit}"
    return Figure(
        key=key,
        label=label,
        value=ours / theirs,
        detail=detail,
        quartiles=quartiles(pairs),
        **more,
    )


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3f}"


def chunks(count: int, size: int) -> Iterator[int]:
    """
    Cut *count* into numbers of at most *size*.
    """
    for _ in range(count // size):
        yield size
    if count % size:
        yield count % size
