# SPDX-License-Identifier: MIT
"""
What docs/ says of options, counters, statuses and names is what there is.
"""

from __future__ import annotations

import ast
import contextlib
import operator
import re
from itertools import chain

import pytest
from documents import TEXTS, quoted, rows, section

import ringamp
from ringamp.option_rules import RULES, name_of

OPTION_ROWS = rows(section("docs/options.md", "Options"))
AT_ONCE = rows(section("docs/outcomes.md", "At once"))
LATER = rows(section("docs/outcomes.md", "Later"))


def literal_defaults():
    """
    Read the defaults that are written as Python's literals, by option.
    """
    found = {}
    for cells in OPTION_ROWS:
        names = quoted(re.sub(r"\[.*?\]", "", cells[0]))
        each = [text.strip("` ") for text in cells[1].split(",")]
        for name, text in zip(names, each, strict=False):
            with contextlib.suppress(SyntaxError, ValueError):
                found[name] = ast.literal_eval(text)
    del found["retry_timeouts"]  # The first of many.
    return found


OPTIONS = {
    name: cells
    for cells in OPTION_ROWS
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
    outcomes = [*AT_ONCE, *LATER]
    named = set(chain.from_iterable(quoted(cells[-1]) for cells in outcomes))

    assert len(outcomes) > 15
    assert named <= set(ringamp.Stats.__struct_fields__)
    assert named >= {"delivered", "rejected", "dropped", "skipped", "invalid"}


def test_the_statuses_exist():
    """
    Every word that a receipt is said to say is a status.
    """
    later = set(chain.from_iterable(quoted(cells[2]) for cells in LATER))
    at_once = {quoted(cells[1])[0] for cells in AT_ONCE}

    assert later <= {str(status) for status in ringamp.Status}
    assert later >= {"success", "invalid", "dropped"}
    assert at_once == {"QUEUED", "INVALID", "DROPPED", "SKIPPED"}
    assert at_once <= set(ringamp.Status.__members__)


def names_of_ringamp():
    """
    List the dotted names in the second column of the table of Node's names.
    """
    table = rows(section("docs/node.md", "The names of `@amplitude/node`"))
    cells = " ".join(cells[1] for cells in table)
    return sorted(set(re.findall(r"\b(?:ringamp|client)(?:\.\w+)+", cells)))


@pytest.mark.parametrize("name", names_of_ringamp())
def test_what_replaces_a_name_of_node_exists(name):
    """
    Each name of the module and of a client can be looked up.
    """
    root, _, path = name.partition(".")
    start = {"ringamp": ringamp, "client": ringamp.Client}[root]

    assert operator.attrgetter(path)(start) is not None


def test_the_overview_shows_names_that_exist():
    """
    What the block of the API calls on a client is an attribute of one.
    """
    text = section("docs/node.md", "The API")
    used = set(re.findall(r"client\.(\w+)", text))

    assert len(used) >= 9
    assert used <= set(dir(ringamp.Client))
    assert set(re.findall(r"ringamp\.([A-Z]\w+)", text)) <= set(dir(ringamp))


def test_pages_begin_with_their_title():
    """
    The first line of each document is a heading of the first level.
    """
    for name, text in TEXTS.items():
        assert re.match(r"# .+\n", text), name
