# SPDX-License-Identifier: MIT
"""
The list of acceptance scenarios, complete: each number is in the name of a
test, as `scenario_14` or, for several, `scenario_2_to_5`.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

SCENARIOS = {
    1: "forks while threads push",
    2: "a producer is killed in the midst of a push",
    3: "a consumer is killed at each of its steps",
    4: "a segfault and an abort in a worker",
    5: "the kernel kills for want of memory",
    6: "insert_ids of a family of processes",
    7: "a child leaves alone what its parent logged",
    8: "a grandchild, with no push in between",
    10: "programs are started a thousand times",
    11: "a fork inside a TLS exchange",
    12: "a fork while another thread holds the logging lock",
    13: "a master that preloads",
    14: "gunicorn's ways to end workers",
    15: "uWSGI's ways to run",
    17: "multiprocessing's children return",
    18: "`os._exit` right after a push",
    19: "Celery with a child for every task",
    20: "the interpreter's end",
    21: "greenlets",
    22: "a full ring while the service is down",
    23: "one id waits while others go on",
    24: "laps of a ring by the hundred thousand",
    25: "a relay is killed while it drains living rings",
    28: "hostile and damaged files",
    30: "the gates of latency, races and mutations",
}
"""By number; those that are missing have become part of others."""


@functools.cache
def names_of_tests():
    """
    Name all test functions.
    """
    return [
        node.name
        for path in sorted(TESTS.rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def numbers_in(name):
    """
    Read the scenarios that a test's name claims to show.
    """
    found = set()
    for first, last in re.findall(
        r"(?<![a-z])scenario_(\d+)(?:_to_(\d+))?(?![0-9])", name
    ):
        found |= set(range(int(first), int(last or first) + 1))
    return found


@pytest.mark.parametrize("number", SCENARIOS)
def test_the_number_is_in_the_name_of_a_test(number):
    """
    Each scenario is shown by a test.
    """
    assert any(number in numbers_in(name) for name in names_of_tests())


def test_no_test_shows_a_scenario_that_is_not_listed():
    """
    A number that is no scenario's is a slip of the pen.
    """
    claimed = set().union(*map(numbers_in, names_of_tests()))

    assert claimed == set(SCENARIOS)
