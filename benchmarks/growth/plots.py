# SPDX-License-Identifier: MIT
"""
Plots of what was measured, as SVG and PNG. The only file that wants
matplotlib, and only when plots are asked for.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.growth.curves import Curve, Growth

FORMATS = ("svg", "png")
WIDTH, HEIGHT = 6.4, 3.2
"""Inches of a panel."""

DECADE = 10
HEADROOM = 1.25
"""How far the scale goes above the largest value; the legend lies there."""

STYLE = {
    "svg.fonttype": "none",  # Text stays text: a tenth of the size.
    "svg.hashsalt": "ringamp",  # The same figures give the same file.
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


class PlotsUnavailableError(RuntimeError):
    """
    matplotlib is not installed.
    """

    def __init__(self) -> None:
        super().__init__(
            "plots need matplotlib, which the extra `bench` brings: "
            "pip install 'ringamp[bench]'"
        )


def find_matplotlib() -> Any:
    """
    Import what draws.

    Raises:
        PlotsUnavailableError: It is not installed.
    """
    try:
        matplotlib = import_module("matplotlib")
        import_module("matplotlib.figure")
    except ImportError as error:
        raise PlotsUnavailableError from error
    return matplotlib


def draw(growth: Growth, directory: Path) -> list[Path]:
    """
    Draw *growth* into *directory*: a panel for each unit.

    Returns:
        The files.

    Raises:
        PlotsUnavailableError: matplotlib is not installed.
    """
    matplotlib = find_matplotlib()
    directory.mkdir(parents=True, exist_ok=True)
    units = [*dict.fromkeys(curve.unit for curve in growth.curves)]
    files = []
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(
            figsize=(WIDTH, HEIGHT * len(units)), layout="constrained"
        )
        panels = figure.subplots(len(units), squeeze=False)[:, 0]
        for panel, unit in zip(panels, units, strict=True):
            curves = [one for one in growth.curves if one.unit == unit]
            fill_panel(panel, growth, unit, curves)
        panels[0].set_title(growth.question, fontsize=9)
        panels[-1].set_xlabel(growth.along)
        for kind in FORMATS:
            path = directory / f"growth-{growth.axis}.{kind}"
            figure.savefig(
                path,
                dpi=120,
                metadata={"Date": None} if kind == "svg" else None,
            )
            files.append(path)
    return files


def fill_panel(
    panel: Any, growth: Growth, unit: str, curves: list[Curve]
) -> None:
    """
    Draw the curves of one unit, each with the quartiles around it.
    """
    for curve in curves:
        places = [point.x for point in curve.points]
        (line,) = panel.plot(
            places,
            [point.value for point in curve.points],
            marker="o",
            markersize=3,
            label=curve.name,
        )
        spreads = [p.quartiles or (p.value, p.value) for p in curve.points]
        panel.fill_between(
            places,
            [low for low, _ in spreads],
            [high for _, high in spreads],
            color=line.get_color(),
            alpha=0.15,
            linewidth=0,
        )
    panel.set_ylabel(unit)
    values = [point.value for curve in curves for point in curve.points]
    if growth.scales in {"x", "both"}:
        panel.set_xscale("log")
        panel.set_xticks(places, [f"{x:,.10g}" for x in places])
    if growth.scales in {"y", "both"} and max(values) > DECADE * min(values):
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter("{x:,.10g}")
    else:
        # From nothing on: a change of a hundredth is no cliff.
        panel.set_ylim(0, max(values) * HEADROOM)
    panel.minorticks_off()
    panel.legend(frameon=False, fontsize=8)
