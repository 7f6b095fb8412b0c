# SPDX-License-Identifier: MIT
"""
What do events cost a web application, without an SDK, with ringamp and with
the SDKs that servers use now?

    python -m benchmarks.webapp --json webapp.json --plot webapp.svg

The first run installs the peers; none of them is asked to send anywhere but
to a sink on loopback.
"""

from __future__ import annotations

import random
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from benchmarks.harness import (
    JSONOption,
    MarkdownOption,
    PlotOption,
    ReadOption,
    RoundsOption,
    progress,
)
from benchmarks.peers import installs
from benchmarks.report import PIPE_WIDTH, Report
from benchmarks.webapp import plot
from benchmarks.webapp.app import EVENTS
from benchmarks.webapp.catalogue import NAMES, prepare
from benchmarks.webapp.load import CONNECTIONS, INSTALL, find_wrk
from benchmarks.webapp.results import (
    Row,
    bars_of,
    markdown_of,
    rows_of,
    table_of,
)
from benchmarks.webapp.server import WORKERS
from benchmarks.webapp.turns import fit_work, take_turn, take_turns

SEEDS = 10**6

MISSING = 2
"""The exit code where something has to be installed first."""

NO_GUNICORN = (
    "this benchmark needs gunicorn, which serves the application: "
    "pip install -e '.[dev]'"
)

PeersOption = Annotated[
    str,
    typer.Option(
        "--peers", help=f"Names with commas between: {', '.join(NAMES)}; all."
    ),
]
SecondsOption = Annotated[
    int, typer.Option("--seconds", min=1, help="Of load in a turn.")
]
WorkOption = Annotated[
    float,
    typer.Option(
        "--millis", min=0.01, help="Milliseconds of work in a request."
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option("--seed", help="Of the order of turns; by chance."),
]
FolderOption = Annotated[
    Path | None,
    typer.Option("--work", file_okay=False, help="Where peers are installed."),
]


class Saved(msgspec.Struct):
    """
    What a file of figures has that is needed to show them again.
    """

    rows: list[Row]
    options: dict[str, Any]


def chosen_names(names: str) -> list[str]:
    """
    What is named, in the order of the catalogue.
    """
    wanted = names.split(",") if names else NAMES
    if unknown := set(wanted) - set(NAMES):
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))}: there are {', '.join(NAMES)}",
            param_hint="--peers",
        )
    return [name for name in NAMES if name in wanted]


def main(
    *,
    peers: PeersOption = "",
    rounds: RoundsOption = 5,
    seconds: SecondsOption = 5,
    millis: WorkOption = 1.0,
    seed: SeedOption = None,
    work: FolderOption = None,
    json: JSONOption = None,
    plot_to: PlotOption = None,
    markdown: MarkdownOption = False,
    read: ReadOption = None,
) -> None:
    """
    What do events cost a web application?
    """
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    if read is not None:
        saved = msgspec.json.decode(read.read_bytes(), type=Saved)
        console.print(table_of(saved.rows))
        finish(saved, plot_to, markdown=markdown)
        return
    names = chosen_names(peers)
    wrk = find_wrk()
    if wrk is None or find_spec("gunicorn") is None:
        progress(INSTALL if wrk is None else NO_GUNICORN)
        raise typer.Exit(MISSING)
    if seed is None:
        seed = random.randrange(SEEDS)  # noqa: S311 - no secret.
    lines = fit_work(millis)
    options = {
        "rounds": rounds,
        "seconds": seconds,
        "millis": millis,
        "seed": seed,
        "lines": lines * EVENTS,
        "events": EVENTS,
        "workers": WORKERS,
        "connections": CONNECTIONS,
    }
    report = Report("Bars", options)
    variants = []
    for name in names:
        progress(f"installing {name}")
        variants += prepare(name, work or installs.cache_folder())
    turn = partial(take_turn, wrk=wrk, lines=lines, seconds=seconds)
    series, failures = take_turns(variants, rounds, seed, turn, progress)
    rows = rows_of(series)
    report.gather(bars_of(series))
    report.show()
    console.print(table_of(rows))
    for failure in failures:
        console.print(f"no figures: {failure}", markup=False)
    if json is not None:
        whole = {**report.as_builtins(), "failures": failures, "rows": rows}
        text = msgspec.json.format(msgspec.json.encode(whole), indent=2)
        json.write_bytes(text + b"\n")
    finish(Saved(rows, options), plot_to, markdown=markdown)


def finish(saved: Saved, plot_to: Path | None, *, markdown: bool) -> None:
    """
    Print and draw what was asked for.
    """
    if markdown:
        print(markdown_of(saved.rows))
    if plot_to is not None:
        for file in plot.draw(saved.rows, saved.options, plot_to):
            progress(f"wrote {file}")


if __name__ == "__main__":
    typer.run(main)
