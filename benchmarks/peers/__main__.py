# SPDX-License-Identifier: MIT
"""
What do events cost with ringamp, and with the SDKs that servers use now?

    python -m benchmarks.peers --rounds 3 --json peers.json --plot peers.svg

The first run installs the peers; none of them is asked to send anywhere but
to a sink on loopback.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from benchmarks.harness import (
    MICRO,
    JSONOption,
    MarkdownOption,
    PlotOption,
    ReadOption,
    progress,
)
from benchmarks.peers import installs, plot
from benchmarks.peers.catalogue import BY_NAME, PEERS, Peer
from benchmarks.peers.fates import TRIALS, Fate, try_out, words, worst
from benchmarks.peers.results import (
    Row,
    Series,
    bars_of,
    markdown_of,
    rows_of,
    tables_of,
)
from benchmarks.peers.runs import Sample, Variant, measure
from benchmarks.peers.sink_process import capacity
from benchmarks.report import PIPE_WIDTH, Report
from benchmarks.workload import make_event

TOGETHER = 5
"""Trials at a time: they mostly wait."""

PeersOption = Annotated[
    str, typer.Option("--peers", help="Names with commas between; all.")
]
EventsOption = Annotated[
    int,
    typer.Option(
        "--events",
        min=100,
        help="Events a round of the fastest; slower peers get the share of "
        "the table in benchmarks/peers/catalogue.py.",
    ),
]
RoundsOption = Annotated[
    int, typer.Option("--rounds", min=1, help="Repeats; medians are shown.")
]
TrialsOption = Annotated[
    int,
    typer.Option(
        "--fates", min=0, help="Repeats of the trials; the worst is shown."
    ),
]
PythonOption = Annotated[
    str, typer.Option("--python", help="Interpreter of the environments.")
]
WorkOption = Annotated[
    Path | None,
    typer.Option("--work", file_okay=False, help="Where these are kept."),
]


class Saved(msgspec.Struct):
    """
    What a file of figures has that is needed to show them again.
    """

    peers: list[Row]


def chosen_peers(names: str) -> list[Peer]:
    """
    The peers that are named, as far as they can run here.
    """
    wanted = names.split(",") if names else list(BY_NAME)
    if unknown := set(wanted) - set(BY_NAME):
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))}: there are {', '.join(BY_NAME)}",
            param_hint="--peers",
        )
    for peer in PEERS:
        if peer.name in wanted and not installs.is_possible(peer):
            progress(f"{peer.name} is left out: no node or npm")
    return [
        peer
        for peer in PEERS
        if peer.name in wanted and installs.is_possible(peer)
    ]


def install_all(
    peers: Sequence[Peer], work: Path, python: str
) -> list[Variant]:
    """
    Make the environments, and list what will be measured.
    """
    variants = []
    for peer in peers:
        progress(f"installing {peer.name} {peer.version or 'of this tree'}")
        installed = installs.install(peer, work, python)
        variants += [Variant(installed, name) for name in peer.settings]
    return variants


def measure_all(
    variants: Sequence[Variant],
    events: int,
    rounds: int,
    failures: list[str],
) -> dict[Variant, list[Sample]]:
    """
    Measure all in turns, in another order each round.
    """
    event = make_event()
    shuffle = random.Random(1).shuffle  # noqa: S311 - no secret.
    series: dict[Variant, list[Sample]] = {one: [] for one in variants}
    order = list(variants)
    for number in range(rounds):
        shuffle(order)
        for variant in order:
            began = monotonic()
            try:
                sample = measure(variant, event, events)
            except RuntimeError as error:
                failures.append(f"round {number + 1} of {rounds}: {error}")
                progress(failures[-1])
                continue
            series[variant].append(sample)
            progress(
                f"round {number + 1} of {rounds}: {variant.title}: "
                f"{sample.cpu * MICRO:,.2f} us of CPU, "
                f"{1 / sample.seconds:,.0f} events/s "
                f"({monotonic() - began:.0f} s)"
            )
    # One that never ended a round has no figures, and no ratio to ours.
    return {variant: found for variant, found in series.items() if found}


def try_all(
    variants: Sequence[Variant], rounds: int
) -> dict[Variant, dict[str, Fate | None]]:
    """
    Put all to every trial.
    """
    event = make_event()
    fates: dict[Variant, dict[str, Fate | None]] = {}

    def one(variant: Variant, name: str) -> Fate | None:
        found = [try_out(variant, name, event) for _ in range(rounds)]
        known = [fate for fate in found if fate is not None]
        fate = worst(known) if known else None
        progress(f"{variant.title}, {TRIALS[name].title}: {words(fate)}")
        return fate

    if not rounds:
        return fates
    with ThreadPoolExecutor(TOGETHER) as pool:
        futures = {
            (variant, name): pool.submit(one, variant, name)
            for variant in variants
            for name in TRIALS
        }
        for (variant, name), future in futures.items():
            fates.setdefault(variant, {})[name] = future.result()
    return fates


def show(console: Console, series: Series, rows: list[Row]) -> None:
    """
    Print what was run, and what came of it.
    """
    for variant in series:
        row = next(
            row
            for row in rows
            if (row.peer, row.setting)
            == (variant.installed.peer.name, variant.setting)
        )
        options = " ".join(f"{k}={v}" for k, v in row.options.items())
        console.print(
            f"{row.peer} {row.version} {row.setting}: {row.runtime}, "
            f"{row.events:,} events{' ' if options else ''}{options}",
            highlight=False,
        )
    print_tables(console, rows)


def print_tables(console: Console, rows: list[Row]) -> None:
    """
    Print what it costs and what arrives.
    """
    for table in tables_of(rows):
        console.print(table)


def main(
    *,
    peers: PeersOption = "",
    events: EventsOption = 3_000_000,
    rounds: RoundsOption = 3,
    fates: TrialsOption = 1,
    python: PythonOption = sys.executable,
    work: WorkOption = None,
    json: JSONOption = None,
    plot_to: PlotOption = None,
    markdown: MarkdownOption = False,
    read: ReadOption = None,
) -> None:
    """
    What do events cost with ringamp, and with the SDKs used now?
    """
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    if read is not None:
        rows = msgspec.json.decode(read.read_bytes(), type=Saved).peers
        print_tables(console, rows)
        finish(rows, plot_to, markdown=markdown)
        return
    chosen = chosen_peers(peers)
    report = Report(
        "Bars", {"events": events, "rounds": rounds, "fates": fates}
    )
    limits = capacity(make_event())
    for size, (requests, total) in limits.items():
        console.print(
            f"the sink takes {requests:,.0f} requests/s of {size:,} events "
            f"each: {total:,.0f} events/s",
            highlight=False,
        )
    variants = install_all(chosen, work or installs.cache_folder(), python)
    failures: list[str] = []
    series = measure_all(variants, events, rounds, failures)
    rows = rows_of(series, try_all(variants, fates), events)
    report.gather(bars_of(series))
    report.show()
    show(console, series, rows)
    for failure in failures:
        console.print(f"no figures: {failure}", markup=False)
    if json is not None:
        saved = {
            **report.as_builtins(),
            "sink": {str(size): total for size, (_, total) in limits.items()},
            "failures": failures,
            "peers": rows,
        }
        text = msgspec.json.format(msgspec.json.encode(saved), indent=2)
        json.write_bytes(text + b"\n")
    finish(rows, plot_to, markdown=markdown)


def finish(rows: list[Row], plot_to: Path | None, *, markdown: bool) -> None:
    """
    Print and draw what was asked for.
    """
    if markdown:
        print(markdown_of(rows))
    if plot_to is not None:
        for file in plot.draw(rows, plot_to):
            progress(f"wrote {file}")


if __name__ == "__main__":
    typer.run(main)
