# SPDX-License-Identifier: MIT
"""
`Figure` and `Report`: what was measured, as a table and as JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.environment import stamp

PIPE_WIDTH = 150

VERDICTS = {True: "[green]pass", False: "[bold red]FAIL", None: ""}


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """
    One measured value.

    Attributes:
        key: Its name in the JSON.

        label: Its name in the table.

        value: The median.

        unit: Of *value*, *quartiles* and *bar*.

        quartiles: The first and third of the rounds; None for one round.

        bar: What *value* is held against; None: it only informs.

        wants_more: Whether *value* shall reach the bar, not stay below it.

        detail: What it is made of.
    """

    key: str
    label: str
    value: float
    unit: str = "x"
    quartiles: tuple[float, float] | None = None
    bar: float | None = None
    wants_more: bool = False
    detail: str = ""

    @property
    def passed(self) -> bool | None:
        """
        Whether the bar is met; None where there is none.
        """
        if self.bar is None:
            return None
        if self.wants_more:
            return self.value >= self.bar
        return self.value <= self.bar

    @property
    def bar_text(self) -> str:
        """
        The bar with its direction.
        """
        if self.bar is None:
            return ""
        sign = ">=" if self.wants_more else "<="
        return f"{sign} {shown(self.bar)}"


def shown(value: float) -> str:
    """
    Write a value with three digits that mean something.
    """
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{2 if abs(value) < 100 else 1}f}"


class Report:
    """
    The figures of one run.

    Args:
        title: The question.

        chosen: The options of the run.
    """

    def __init__(self, title: str, chosen: dict[str, Any]) -> None:
        self._title = title
        self._chosen = chosen
        # Before the run, whose own load would be in it afterwards.
        self._environment = stamp()
        self._figures: list[Figure] = []
        # A pipe has no width; a table cut to 80 columns would be no use.
        self._console = Console(
            width=None if sys.stdout.isatty() else PIPE_WIDTH
        )

    def gather(self, figures: Iterable[Figure]) -> None:
        """
        Take *figures* in as they are measured.
        """
        for figure in figures:
            self._figures.append(figure)
            if self._console.is_terminal:
                self._console.print(
                    f"[dim]{figure.label}: {shown(figure.value)} {figure.unit}"
                )

    def show(self) -> None:
        """
        Print the table.
        """
        for name, value in self._environment.items():
            self._console.print(f"{name:>8}  {value}", highlight=False)
        self._console.print(
            " ".join(f"{k}={v}" for k, v in self._chosen.items()),
            highlight=False,
        )
        table = Table(title=self._title)
        table.add_column("figure", overflow="fold")
        for column in ("measured", "quartiles", "bar"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("")
        table.add_column("of", overflow="fold")
        for figure in self._figures:
            spread = " - ".join(map(shown, figure.quartiles or ()))
            table.add_row(
                figure.label,
                f"{shown(figure.value)} {figure.unit}",
                spread,
                figure.bar_text,
                VERDICTS[figure.passed],
                figure.detail,
            )
        self._console.print(table)

    def as_builtins(self) -> dict[str, Any]:
        """
        Put everything into what JSON can say.
        """
        return {
            "benchmark": self._title,
            "environment": self._environment,
            "options": self._chosen,
            "figures": [
                {**msgspec.to_builtins(figure), "passed": figure.passed}
                for figure in self._figures
            ],
        }

    def save(self, path: Path) -> None:
        """
        Write the JSON to *path*.
        """
        text = msgspec.json.encode(self.as_builtins())
        path.write_bytes(msgspec.json.format(text, indent=2) + b"\n")
