# SPDX-License-Identifier: MIT
"""
A handful of the mutations; the whole list is `mutations.py`.
"""

from __future__ import annotations

import build
import mutations
import pytest
import wake_model
from mutation import Mutation
from mutations import MUTATIONS
from slowness import slow_but

SHORT = [each for each in MUTATIONS if each.is_short]

CONTROLS = mutations.unchanged(SHORT)

needs_compiler = pytest.mark.skipif(
    not build.compilers(), reason="no C compiler on this machine"
)


@needs_compiler
@pytest.mark.parametrize(
    "mutation", slow_but(SHORT[:3], SHORT, name=lambda each: each.name)
)
def test_mutation_is_noticed(mutation):
    """
    The test that a mutation names fails on a core with that mutation.
    """
    assert mutations.is_killed(mutation)


@needs_compiler
@pytest.mark.parametrize(
    "control",
    slow_but(CONTROLS[:1], CONTROLS, name=lambda each: each.program),
)
def test_unchanged_core_passes(control):
    """
    The same tests pass where nothing was changed.
    """
    assert not mutations.is_killed(control)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_mutation_applies(mutation, tmp_path):
    """
    Every mutation's text stands in the core exactly once.
    """
    mutations.apply_mutation(mutation, tmp_path)


def test_mutations_have_names_of_their_own():
    """
    No two mutations share a name.
    """
    assert len({each.name for each in MUTATIONS}) == len(MUTATIONS)


def test_stale_mutation_is_refused(tmp_path):
    """
    A mutation whose text is gone is an error, not a kill.
    """
    stale = Mutation("stale", "ring.c", "no such text", "", "ring")

    with pytest.raises(mutations.NotApplicableError):
        mutations.apply_mutation(stale, tmp_path)


def test_orders_of_the_wake_up_suffice():
    """
    With the orders of ring.c no execution loses a wake-up.
    """
    assert wake_model.is_safe(build.NATIVE)


@pytest.mark.parametrize(
    ("consumer", "producer"), [(False, True), (True, False), (False, False)]
)
def test_weaker_orders_of_the_wake_up_do_not(consumer, producer):
    """
    With acquire and release on either side some execution loses one.
    """
    assert wake_model.loses_a_wake_up(
        consumer_ordered=consumer, producer_ordered=producer
    )
