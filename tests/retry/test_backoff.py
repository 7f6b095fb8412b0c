# SPDX-License-Identifier: MIT
"""
Backoff: the table, the jitter, the floor.
"""

from __future__ import annotations

import random

import pytest

from ringamp.retry.backoff import Backoff


@pytest.mark.parametrize("retry", [1, 2, 3])
def test_a_delay_is_between_half_and_all_of_its_entry(retry):
    """
    The jitter fills the upper half of an entry, and nothing beyond.
    """
    table = (0.1, 0.2, 3.2)
    backoff = Backoff(table, random.Random(7))
    entry = table[retry - 1]

    drawn = [backoff.delay(retry) for _ in range(500)]

    assert entry / 2 <= min(drawn) < entry * 0.55
    assert entry * 0.95 < max(drawn) <= entry


def test_the_last_entry_repeats():
    """
    Beyond the table its last entry holds.
    """
    backoff = Backoff((1.0, 60.0), random.Random(7))

    assert 30 <= backoff.delay(10**9) <= 60


def test_the_floor_is_kept_and_spread():
    """
    Nobody returns before the service wants it, nor all at one moment.
    """
    backoff = Backoff((2.0,), random.Random(7))

    drawn = {backoff.delay(1, floor=20.0) for _ in range(100)}

    assert min(drawn) >= 20
    assert max(drawn) <= 21
    assert len(drawn) > 90


def test_a_low_floor_changes_nothing():
    """
    A floor below half the entry is met anyway.
    """
    delays = [
        Backoff((2.0,), random.Random(7)).delay(1, floor)
        for floor in (None, 0.0, 0.9)
    ]

    assert len(set(delays)) == 1


def test_the_seed_decides():
    """
    The same seed gives the same delays.
    """
    first, second = (Backoff((1.0,), random.Random(3)) for _ in range(2))

    assert [first.delay(1) for _ in range(9)] == [
        second.delay(1) for _ in range(9)
    ]


def test_children_with_a_copied_state_differ():
    """
    The default source has no state a fork could copy.
    """
    assert isinstance(Backoff((1.0,))._rng, random.SystemRandom)


def test_a_table_may_be_empty():
    """
    No retries: the length says so.
    """
    assert len(Backoff(())) == 0
