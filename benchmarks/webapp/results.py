# SPDX-License-Identifier: MIT
"""
Turns rounds into rows and bars, and these into tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import msgspec
from rich.table import Table

from benchmarks.harness import MICRO, ratio
from benchmarks.peers.catalogue import DEFAULT, OURS
from benchmarks.report import Figure
from benchmarks.webapp.app import EVENTS
from benchmarks.webapp.catalogue import NONE, Variant
from benchmarks.webapp.turns import Rounds

RATE_BAR = 0.96
"""Part of the requests/s that the application keeps with ringamp."""

P99_BAR = 1.15
"""Times its p99 without an SDK."""

Series = Mapping[Variant, Rounds]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """
    One SDK in one setting: medians of all rounds.

    Attributes:
        title: How it is called.

        rate: Requests a second.

        p50: Milliseconds of a request; so *p99*.

        cpu: Microseconds of the workers' processor time for a request.

        kept: *rate* over that without an SDK; None if that is missing.

        event_cpu: What an event adds to *cpu*.

        events: What was logged in all rounds.

        delivered: What of it has arrived.
    """

    title: str
    name: str
    setting: str
    version: str
    options: dict[str, Any]
    rate: float
    p50: float
    p99: float
    cpu: float
    kept: float | None
    event_cpu: float | None
    events: int
    delivered: int


def rows_of(series: Series) -> list[Row]:
    """
    The medians: first without an SDK, then the fastest.
    """

    def middle(variant: Variant, name: str) -> float:
        turns = series[variant].values()
        return float(median(getattr(turn, name) for turn in turns))

    base = next((one for one in series if one.name == NONE), None)
    rows = []
    for variant, turns in series.items():
        rate, cpu = middle(variant, "rate"), middle(variant, "cpu") * MICRO
        kept = event_cpu = None
        if base is not None and variant is not base:
            kept = rate / middle(base, "rate")
            event_cpu = (cpu - middle(base, "cpu") * MICRO) / EVENTS
        rows.append(
            Row(
                title=variant.title,
                name=variant.name,
                setting=variant.setting,
                version=variant.version,
                options=variant.options,
                rate=rate,
                p50=middle(variant, "p50"),
                p99=middle(variant, "p99"),
                cpu=cpu,
                kept=kept,
                event_cpu=event_cpu,
                events=sum(turn.events for turn in turns.values()),
                delivered=sum(turn.delivered for turn in turns.values()),
            )
        )
    return sorted(rows, key=lambda row: (row.name != NONE, -row.rate))


def bars_of(series: Series) -> Iterator[Figure]:
    """
    Hold each SDK against the application without one, round by round.
    """
    base = next((one for one in series if one.name == NONE), None)
    if base is None:
        return
    for variant in series:
        both = sorted(series[variant].keys() & series[base].keys())
        if variant is base or not both:
            continue
        # The bars are for what a user gets who chooses nothing.
        has_bar = (variant.name, variant.setting) == (OURS, DEFAULT)
        for key, what, unit, bar in (
            ("rate", "requests/s", "requests/s", RATE_BAR),
            ("p99", "p99 of a request", "ms", P99_BAR),
        ):
            yield ratio(
                f"{key} {variant.title}",
                f"{variant.title} / no SDK, {what}",
                [getattr(series[variant][one], key) for one in both],
                [getattr(series[base][one], key) for one in both],
                scale=1,
                unit=unit,
                bar=bar if has_bar else None,
                wants_more=key == "rate",
            )


COLUMNS = (
    "requests/s",
    "kept",
    "p50, ms",
    "p99, ms",
    "CPU of an event, us",
    "events delivered",
)


def words_of(row: Row) -> list[str]:
    """
    A row in the table's words.
    """
    return [
        f"{row.title} {row.version}".strip(),
        f"{row.rate:,.0f}",
        "" if row.kept is None else f"{100 * row.kept:.1f} %",
        f"{row.p50:.2f}",
        f"{row.p99:.2f}",
        "" if row.event_cpu is None else f"{row.event_cpu:.1f}",
        delivered_of(row),
    ]


def delivered_of(row: Row) -> str:
    """
    How many have arrived of how many.
    """
    if not row.events:
        return ""
    if row.delivered == row.events:
        return f"all {row.events:,}"
    return f"{row.delivered:,} of {row.events:,}"


def table_of(rows: Sequence[Row]) -> Table:
    """
    The table for a terminal.
    """
    table = Table(title="What it costs a web application")
    table.add_column("SDK")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*words_of(row))
    return table


def markdown_of(rows: Sequence[Row]) -> str:
    """
    The table for a document.
    """
    lines = [["SDK", *COLUMNS], ["---"] + ["--:"] * len(COLUMNS)]
    lines += [words_of(row) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
