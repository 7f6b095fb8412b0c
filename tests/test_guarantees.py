# SPDX-License-Identifier: MIT
"""
Every test that docs/guarantees.md names exists, and every row names one.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "guarantees.md").read_text("utf-8")


@functools.cache
def find_tests():
    """
    Name all test functions of this tree, and the files they are in.
    """
    found = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append(path)
    return found


ROWS = [
    re.split(r" ?\| ?", line)[1:-1]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| what happens")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_each_guarantee_names_a_test(row):
    """
    The last cell of a row holds names of tests and nothing else; each is the
    name of exactly one.
    """
    names = re.findall(r"`(test_\w+)`", row[-1])

    assert len(row) == 4
    assert names
    assert re.sub(r"`test_\w+`", "", row[-1]).strip() == ""
    there = find_tests()
    assert {name: len(there.get(name, ())) for name in names} == dict.fromkeys(
        names, 1
    )


def test_tests_named_in_the_text_are_there():
    """
    Those that stand outside of the tables exist as well.
    """
    assert set(re.findall(r"`(test_\w+)`", TEXT)) <= set(find_tests())


def test_all_rows_are_read():
    """
    The four tables have some rows each.
    """
    assert len(ROWS) > 30
