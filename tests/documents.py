# SPDX-License-Identifier: MIT
"""
The documents of this tree, and what stands in them: headings, tables, code.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in (
        *sorted(ROOT.glob("*.md")),
        *sorted(ROOT.glob("docs/*.md")),
        *sorted(ROOT.glob("benchmarks/*.md")),
    )
}
"""The text of each document, by its path from the root."""


def without_code(text):
    """
    Leave out fenced blocks, in which nothing is a heading or a link.
    """
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """
    Name the headings as links do.
    """
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    }


def section(document, title):
    """
    Take the text below a heading, up to the next one of any level.
    """
    found = re.search(
        rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)",
        TEXTS[document],
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None, f"{document} has no section {title!r}"
    return found[1]


def rows(text):
    """
    Take the cells of the tables in *text*, without heads and rules.
    """
    lines = [line for line in text.splitlines() if line.startswith("|")]
    table = [re.split(r"(?<!\\) *\| *", line)[1:-1] for line in lines]
    rules = {at for at, line in enumerate(lines) if set(line) <= set("|-: ")}
    return [
        cells
        for at, cells in enumerate(table)
        if at not in rules and at + 1 not in rules
    ]


def quoted(cell):
    """
    List what stands in backquotes.
    """
    return re.findall("`([^`]+)`", cell)


def python_blocks(text):
    """
    List the blocks of Python.
    """
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
