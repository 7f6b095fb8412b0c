# SPDX-License-Identifier: MIT
"""
The picture: what a delivered event costs, and how many a second there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from pathlib import Path
from typing import Any

from benchmarks.peers.catalogue import OURS
from benchmarks.peers.results import Row, best_rows

OUR_COLOUR, THEIR_COLOUR = "#0b6e4f", "#9aa5b1"
PANELS = (
    ("cpu", "CPU of a delivered event, us (less is better)", "{:,.1f}"),
    ("rate", "delivered events/s (more is better)", "{:,.0f}"),
)
ROOM = 6
"""Times the longest bar: room for its number on the scale."""


def draw(rows: Sequence[Row], path: Path) -> list[Path]:
    """
    Draw *rows*, one bar a peer in its cheapest setting.

    Args:
        rows: All that was measured.

        path: Where; the other one of SVG and PNG is written beside it.

    Returns:
        The files.
    """
    import matplotlib as mpl  # noqa: PLC0415 - an extra of its own.

    mpl.use("Agg")
    # The same figures give the same file, so a picture only changes with them.
    mpl.rcParams["svg.hashsalt"] = "ringamp"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    chosen = best_rows(rows)[::-1]
    figure, axes = plt.subplots(
        1, len(PANELS), figsize=(11, 0.5 * len(chosen) + 1), sharey=True
    )
    for axis, (name, title, form) in zip(axes, PANELS, strict=True):
        draw_panel(axis, chosen, name, form)
        axis.set_title(title, fontsize=10)
    figure.tight_layout()
    files = [path.with_suffix(".svg"), path.with_suffix(".png")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(
            file,
            dpi=130,
            metadata={"Date": None} if file.suffix == ".svg" else None,
        )
    plt.close(figure)
    return files


def draw_panel(axis: Any, rows: Sequence[Row], name: str, form: str) -> None:
    """
    One bar a row.
    """
    values = [getattr(row, name) for row in rows]
    bars = axis.barh(
        [f"{row.peer} ({row.setting})" for row in rows],
        values,
        color=[
            OUR_COLOUR if row.peer == OURS else THEIR_COLOUR for row in rows
        ],
    )
    axis.bar_label(
        bars, [form.format(value) for value in values], padding=3, fontsize=9
    )
    axis.set_xscale("log")
    # A whole decade at the left: the shortest bar is to be seen.
    least = 10 ** floor(log10(min(values)))
    axis.set_xlim(least / 2, max(values) * ROOM)
    axis.spines[["top", "right"]].set_visible(False)
