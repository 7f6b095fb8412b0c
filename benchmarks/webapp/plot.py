# SPDX-License-Identifier: MIT
"""
The picture: the requests a second that an application keeps, and their p99.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.catalogue import OURS
from benchmarks.peers.plot import OUR_COLOUR, THEIR_COLOUR
from benchmarks.webapp.app import EVENTS
from benchmarks.webapp.catalogue import INTERVAL, NONE
from benchmarks.webapp.results import Row

BASE_COLOUR = "#4a5561"
COLOURS = {NONE: BASE_COLOUR, OURS: OUR_COLOUR}

NUMBERS = {5: "five"}

TITLE = (
    f"Requests a second of a web application, {NUMBERS[EVENTS]} events "
    "a request (more is better)"
)
SUBTITLE = "gunicorn, {workers} workers, {millis:g} ms of work a request"

ROOM = 1.3
"""Times the longest bar: room for its words."""

NEARLY_ALL = 0.995
"""What is shown as all of the events, in whole percents."""


def draw(
    rows: Sequence[Row], options: Mapping[str, Any], path: Path
) -> list[Path]:
    """
    Draw *rows*, one bar each; but for the interval that few will set.

    Args:
        rows: All that was measured, in this order from the top.

        options: Those of the run.

        path: Where; the other one of SVG and PNG is written beside it.

    Returns:
        The files.
    """
    import matplotlib as mpl  # noqa: PLC0415 - an extra of its own.

    mpl.use("Agg")
    # The same figures give the same file, so a picture only changes with them.
    mpl.rcParams["svg.hashsalt"] = "ringamp"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    shown = [row for row in rows if row.setting != INTERVAL][::-1]
    figure, axis = plt.subplots(figsize=(9, 0.42 * len(shown) + 0.9))
    bars = axis.barh(
        [row.title for row in shown],
        [row.rate for row in shown],
        color=[COLOURS.get(row.name, THEIR_COLOUR) for row in shown],
    )
    axis.bar_label(bars, [words_of(row) for row in shown], padding=4)
    axis.set_xlim(0, ROOM * max(row.rate for row in shown))
    axis.set_xticks([])
    axis.tick_params(axis="y", length=0, labelsize=11)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    figure.suptitle(TITLE, fontsize=12, fontweight="bold")
    axis.set_title(SUBTITLE.format(**options), fontsize=10)
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


def words_of(row: Row) -> str:
    """
    What stands beside a bar; requests are cheap for one that loses events.
    """
    words = f"{row.rate:,.0f}   p99 {row.p99:.1f} ms"
    share = row.delivered / row.events if row.events else 1
    if share < NEARLY_ALL:
        words += f", {100 * share:.0f} % of the events delivered"
    return words
