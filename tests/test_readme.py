# SPDX-License-Identifier: MIT
"""
The README is short, and what it shows stands in full in the documents.
"""

from __future__ import annotations

import re

from documents import ROOT, TEXTS, python_blocks, rows, section

README = TEXTS["README.md"]
MOST_LINES = 150
MOST_COLUMNS = 160


def test_it_is_read_in_one_sitting():
    """
    It has few lines, and outside of tables none that has to be scrolled.
    """
    lines = README.splitlines()
    long = [
        line
        for line in lines
        if len(line) > MOST_COLUMNS and not line.startswith("|")
    ]

    assert len(lines) <= MOST_LINES
    assert long == []


def test_its_two_commands_can_be_found():
    """
    The demo and the tests are one line each, which CI runs word for word.
    """
    commands = re.findall(r"^ *python3 -m venv .*$", README, re.MULTILINE)

    assert len(commands) == 2
    assert commands[0].endswith("ringamp demo")
    assert "pytest" in commands[1]


def test_its_figures_are_those_of_the_documents():
    """
    Each number that it gives as measured is in one of the complete tables.
    """
    complete = TEXTS["docs/figures.md"] + TEXTS["docs/peers.md"]
    there = set(re.findall(r"\d[\d.,]*\d|\d", complete))
    given = {
        number
        for _, measured in rows(section("README.md", "What it costs"))
        for number in re.findall(r"\d[\d.,]*\d|\d", measured)
    }

    assert len(given) >= 8
    assert given <= there


def test_it_shows_how_to_begin():
    """
    There is code for a script, gunicorn, Celery and FastAPI, and for errors;
    tests/examples runs it.
    """
    assert len(python_blocks(README)) == 5


def test_it_has_one_picture_and_one_table():
    """
    All others are in docs/.
    """
    tables = re.findall(r"^\|[-:| ]+\|$", README, re.MULTILINE)

    assert len(re.findall(r"!\[.+?\]\(", README)) == 1
    assert len(tables) == 1


def test_every_document_can_be_reached_from_it():
    """
    It links to each page of docs/.
    """
    pages = {
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md")
    }
    linked = set(re.findall(r"\]\(([^)#\s]+)", README))

    assert pages <= linked
