# SPDX-License-Identifier: MIT
"""
Backoff: the table, the jitter, the floor.
"""

from __future__ import annotations

import random

import pytest

from ringamp import Options
from ringamp.retry.backoff import Backoff


@pytest.mark.parametrize("retry", [1, 2, 3])
def test_a_delay_is_its_entry_and_up_to_half_more(retry):
    """
    The jitter is added to an entry: no delay is shorter.
    """
    table = (0.1, 0.2, 3.2)
    backoff = Backoff(table, random.Random(7))
    entry = table[retry - 1]

    drawn = [backoff.delay(retry) for _ in range(500)]

    assert entry <= min(drawn) < entry * 1.05
    assert entry * 1.45 < max(drawn) <= entry * 1.5


@pytest.mark.parametrize("seed", range(20))
def test_an_outage_shorter_than_the_table_ends_before_the_last_retry(seed):
    """
    However the jitter falls, all delays together last as long as the table
    says.
    """
    delays = Options().retry_delays
    backoff = Backoff(delays, random.Random(seed))

    waited = sum(backoff.delay(at + 1) for at in range(len(delays)))

    assert waited >= sum(delays) == pytest.approx(12.6)


def test_the_last_entry_repeats():
    """
    Beyond the table its last entry holds.
    """
    backoff = Backoff((1.0, 60.0), random.Random(7))

    assert 60 <= backoff.delay(10**9) <= 90


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
    A floor below the entry is met anyway.
    """
    delays = [
        Backoff((2.0,), random.Random(7)).delay(1, floor)
        for floor in (None, 0.0, 1.9)
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
