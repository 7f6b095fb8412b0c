# SPDX-License-Identifier: MIT
"""
Turns rounds into rows, ratios and bars, and these into tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import msgspec
from rich.table import Table

from benchmarks.harness import MICRO, ratio
from benchmarks.memory import MIB
from benchmarks.peers.catalogue import (
    DEFAULT,
    OURS,
    SPOOL,
    TUNED,
)
from benchmarks.peers.fates import TRIALS, Fate, words
from benchmarks.peers.runs import Sample, Variant
from benchmarks.report import Figure


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """
    One peer in one setting: medians of all rounds.

    Attributes:
        p50: Microseconds of a call; so *p99* and *p999*.

        cpu: Microseconds of the processor for a delivered event.

        rate: Delivered events a second.

        memory: Peak MiB over idle.

        lost: Events that had not arrived when the run was given up, in the
            worst round.

        cpu_ratio: *cpu* over ringamp's in the same setting; None without it.

        rate_ratio: *rate* over ringamp's.

        fates: By trial.
    """

    peer: str
    setting: str
    version: str
    runtime: str
    options: dict[str, Any]
    events: int
    p50: float
    p99: float
    p999: float
    cpu: float
    rate: float
    memory: float
    lost: int
    cpu_ratio: float | None
    rate_ratio: float | None
    fates: dict[str, Fate | None]


Series = Mapping[Variant, Sequence[Sample]]


def ours_for(series: Series, setting: str) -> Variant | None:
    """
    Our side of a comparison: the setting that another one is compared with.
    """
    wanted = TUNED if setting == SPOOL else setting
    for variant in series:
        if variant.installed.peer.name == OURS and variant.setting == wanted:
            return variant
    return None


def rows_of(
    series: Series,
    fates: Mapping[Variant, dict[str, Fate | None]],
    events: int,
) -> list[Row]:
    """
    The medians.
    """

    def middle(variant: Variant, name: str) -> float:
        return float(median(getattr(one, name) for one in series[variant]))

    rows = []
    for variant in series:
        cpu, seconds = middle(variant, "cpu"), middle(variant, "seconds")
        ours = ours_for(series, variant.setting)
        rows.append(
            Row(
                peer=variant.installed.peer.name,
                setting=variant.setting,
                version=variant.installed.version,
                runtime=variant.installed.runtime,
                options=dict(variant.chosen.options),
                events=variant.events_of(events),
                p50=middle(variant, "p50"),
                p99=middle(variant, "p99"),
                p999=middle(variant, "p999"),
                cpu=cpu * MICRO,
                rate=1 / seconds,
                memory=middle(variant, "memory") / MIB,
                lost=max(one.lost for one in series[variant]),
                cpu_ratio=cpu / middle(ours, "cpu") if ours else None,
                rate_ratio=middle(ours, "seconds") / seconds if ours else None,
                fates=fates.get(variant, {}),
            )
        )
    return rows


def bars_of(series: Series) -> Iterator[Figure]:
    """
    Hold each peer against ringamp in the same setting.
    """
    for variant in series:
        peer = variant.installed.peer
        ours = ours_for(series, variant.setting)
        if peer.name == OURS or ours is None:
            continue
        yield compare(series, (variant, ours), "cpu", peer.cpu_bar)
        if peer.rate_bar is not None:
            yield compare(series, (variant, ours), "seconds", peer.rate_bar)


def compare(
    series: Series,
    pair: tuple[Variant, Variant],
    name: str,
    bar: float | None,
) -> Figure:
    """
    One setting of a peer against ours, round by round.
    """
    theirs, ours = pair
    # A round that failed has no figures, so one of them may be shorter.
    count = min(len(series[theirs]), len(series[ours]))
    what = "CPU of a delivered event" if name == "cpu" else "time of the same"
    return ratio(
        f"{name} {theirs.title}",
        f"{theirs.title} / ringamp, {what}",
        [getattr(one, name) for one in series[theirs][:count]],
        [getattr(one, name) for one in series[ours][:count]],
        bar=bar,
        wants_more=True,
    )


def against(row: Row) -> str:
    """
    CPU with its ratio.
    """
    text = digits(row.cpu)
    if row.cpu_ratio is None or row.peer == OURS:
        return text
    return f"{text} ({digits(row.cpu_ratio)} x)"


COSTS = (
    "call, us: p50 / p99 / p99.9",
    "CPU of a delivered event, us",
    "delivered events/s",
    "peak MiB over idle",
)
FATES = tuple(
    f"{trial.title}, of {trial.events:,}" for trial in TRIALS.values()
)


def name_of(row: Row) -> list[str]:
    """
    Who it is.
    """
    return [f"{row.peer} {row.version}", row.setting]


def costs_of(row: Row) -> list[str]:
    """
    What it costs.
    """
    lost = f", {row.lost:,} lost" if row.lost else ""
    return [
        " / ".join(map(digits, (row.p50, row.p99, row.p999))),
        against(row),
        f"{row.rate:,.0f}{lost}",
        f"{row.memory:.0f}",
    ]


def fates_of(row: Row) -> list[str]:
    """
    What arrives.
    """
    return [words(row.fates.get(name)) for name in TRIALS]


def digits(value: float) -> str:
    """
    Two digits that mean something, or all before the point.
    """
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def tables_of(rows: Sequence[Row]) -> list[Table]:
    """
    The tables for a terminal: what it costs, and what arrives.
    """
    costs = Table("SDK", "setting", *COSTS, title="What it costs")
    fates = Table("SDK", "setting", *FATES, title="What arrives")
    for row in rows:
        costs.add_row(*name_of(row), *costs_of(row))
        fates.add_row(*name_of(row), *fates_of(row))
    return [costs, fates] if any(row.fates for row in rows) else [costs]


def markdown_of(rows: Sequence[Row]) -> str:
    """
    The table for a document.
    """
    lines = [["SDK", "setting", *COSTS, *FATES]]
    lines.append(["---"] * 2 + ["--:"] * (len(COSTS) + len(FATES)))
    lines += [name_of(row) + costs_of(row) + fates_of(row) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def best_rows(rows: Sequence[Row]) -> list[Row]:
    """
    Each peer in the setting that costs it least, cheapest first.
    """
    chosen: dict[str, Row] = {}
    for row in rows:
        if row.setting not in (DEFAULT, TUNED):
            continue
        if row.peer not in chosen or row.cpu < chosen[row.peer].cpu:
            chosen[row.peer] = row
    return sorted(chosen.values(), key=lambda row: row.cpu)
