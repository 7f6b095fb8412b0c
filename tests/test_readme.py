# SPDX-License-Identifier: MIT
"""
What the README says of options, counters and statuses is what there is.
"""

from __future__ import annotations

import ast
import contextlib
import re
from itertools import chain
from pathlib import Path

import pytest

import ringamp
from ringamp.option_rules import RULES, name_of

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def section(title):
    """
    Take the text below a heading, up to the next one of any level.
    """
    found = re.search(
        rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)",
        README,
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None, f"the README has no section {title!r}"
    return found[1]


def rows(text):
    """
    Take the cells of the tables in *text*, without heads and rules.
    """
    lines = [line for line in text.splitlines() if line.startswith("|")]
    table = [re.split(r"(?<!\\) *\| *", line)[1:-1] for line in lines]
    heads = {at for at, line in enumerate(lines) if set(line) <= set("|-")}
    return [
        cells
        for at, cells in enumerate(table)
        if at not in heads and at + 1 not in heads
    ]


def quoted(cell):
    """
    List what stands in backquotes.
    """
    return re.findall("`([^`]+)`", cell)


def literal_defaults():
    """
    Read the defaults that are written as Python's literals, by option.
    """
    found = {}
    for cells in rows(section("Options")):
        names = quoted(re.sub(r"\[.*?\]", "", cells[0]))
        each = [text.strip("` ") for text in cells[1].split(",")]
        for name, text in zip(names, each, strict=False):
            with contextlib.suppress(SyntaxError, ValueError):
                found[name] = ast.literal_eval(text)
    del found["retry_timeouts"]  # The first of many.
    return found


OPTIONS = {
    name: cells
    for cells in rows(section("Options"))
    for name in quoted(re.sub(r"\[.*?\]", "", cells[0]))
}

SPELLINGS = {
    name: re.findall(r"\[`(\w+)`\]", cells[0])
    for name, cells in OPTIONS.items()
    if "[" in cells[0]
}

DEFAULTS = literal_defaults()


def test_every_option_has_a_row():
    """
    The table names all options, and nothing that is none.
    """
    assert sorted(OPTIONS) == sorted(RULES)


@pytest.mark.parametrize("name", sorted(SPELLINGS))
def test_the_second_name_of_an_option_is_accepted(name):
    """
    What stands in brackets is another spelling of an option in that row.
    """
    row = OPTIONS[name][0]
    assert all(f"`{name_of(other)}`" in row for other in SPELLINGS[name])


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_the_default_of_an_option_is_right(name):
    """
    Where a default is written as Python's literal, it is the default.
    """
    assert DEFAULTS[name] == getattr(ringamp.Options(), name)


def test_most_defaults_are_compared():
    """
    The table writes most of them as literals.
    """
    assert len(DEFAULTS) >= 20
    assert DEFAULTS["server_zone"] == "US"


def test_the_counters_exist():
    """
    Every word in the column of counters is one of `Stats`.
    """
    fates = [
        cells
        for cells in rows(section("What becomes of an event"))
        if len(cells) > 2
    ]
    named = set(chain.from_iterable(quoted(cells[-1]) for cells in fates))

    assert len(fates) > 15
    assert named <= set(ringamp.Stats.__struct_fields__)
    assert named >= {"delivered", "rejected", "dropped", "skipped", "invalid"}


def test_the_statuses_exist():
    """
    Every word that a receipt is said to say is a status.
    """
    answers = [
        cells
        for cells in rows(section("What becomes of an event"))
        if len(cells) == 4
    ]
    said = set(chain.from_iterable(quoted(cells[2]) for cells in answers))

    assert said <= {str(status) for status in ringamp.Status}
    assert said >= {"success", "invalid", "dropped"}


def test_the_examples_in_the_text_are_python():
    """
    Every block of Python compiles.
    """
    blocks = re.findall(
        r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL
    )

    assert len(blocks) >= 4
    for block in blocks:
        compile(block, "README.md", "exec")
