# SPDX-License-Identifier: MIT
"""
`GrowthReport`: every axis as a table, and the bars below.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from benchmarks.growth.curves import Growth
from benchmarks.report import Report


class GrowthReport(Report):
    """
    The axes of one run. Takes the arguments of `Report`.
    """

    def __init__(self, title: str, chosen: dict[str, Any]) -> None:
        super().__init__(title, chosen)
        self._growths: list[Growth] = []

    def announce(self, axis: str) -> None:
        """
        Say what is measured now, to who waits for it.
        """
        if self._console.is_terminal:
            self._console.print(f"[dim]{axis} ...")

    def add(self, growth: Growth) -> None:
        """
        Take an axis in.
        """
        self._growths.append(growth)
        self.gather(growth.bars)

    def show(self) -> None:
        """
        Print the tables, then machine, versions and bars.
        """
        for growth in self._growths:
            table = Table(title=f"{growth.axis}: {growth.question}")
            for column in growth.head:
                table.add_column(column, justify="right", overflow="fold")
            for row in growth.rows:
                table.add_row(*row)
            self._console.print(table)
        super().show()

    def as_builtins(self) -> dict[str, Any]:
        """
        Put everything into what JSON can say.
        """
        growth = {
            one.axis: {
                "question": one.question,
                "along": one.along,
                "curves": msgspec.to_builtins(one.curves),
            }
            for one in self._growths
        }
        return {**super().as_builtins(), "growth": growth}

    def markdown(self) -> str:
        """
        Put everything into tables for a document.
        """
        parts = [
            f"## {one.axis}\n\n{one.question}\n\n{one.markdown()}"
            for one in self._growths
        ]
        environment = "".join(
            f"- {name}: {value}\n" for name, value in self._environment.items()
        )
        return "\n".join([f"# {self._title}\n\n{environment}", *parts])

    def save_markdown(self, path: Path) -> None:
        """
        Write the tables to *path*.
        """
        path.write_text(self.markdown(), "utf-8")
