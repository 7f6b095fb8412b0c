# SPDX-License-Identifier: MIT
"""
Processes that die in the middle of the ring's protocol (`kill.c`): the short
form of the harness.
"""

from __future__ import annotations

import random
import sys

import build
import kill
import pytest
from test_native import refuse_to_skip

ROUNDS = 300


@pytest.fixture(autouse=True)
def _has_what_it_takes():
    """
    Compilers are everywhere but on some desks; these locks are Linux's.
    """
    if not build.compilers():
        refuse_to_skip("no C compiler on this machine")
    if sys.platform != "linux":
        pytest.skip("the harness is for Linux")


def test_nothing_is_lost_wherever_a_process_dies():
    """
    Of 300 rounds none loses, changes or doubles a record, and every point of
    the protocol in ring.c was died at.
    """
    seed = random.randrange(2**32)

    done = kill.run(ROUNDS, seed)

    print(f"seed {seed}\n{done.stdout}")
    assert done.returncode == 0, f"seed {seed}\n{done.stdout}{done.stderr}"
    survived = kill.survived(done.stdout)
    assert set(survived) == set(kill.points(build.NATIVE))
    assert min(survived.values()) > 0, survived


def test_points_of_the_protocol_have_names_of_their_own():
    """
    No two points share a name, or one could hide behind the other.
    """
    names = kill.points(build.NATIVE)

    assert len(names) >= 12
    assert len(set(names)) == len(names)


def test_point_that_nothing_reaches_is_noticed():
    """
    A point where nobody has died is not among the survived with a count.
    """
    output = "survived 3 reserved\nsurvived 0 committed\n"

    assert kill.survived(output) == {"reserved": 3, "committed": 0}
