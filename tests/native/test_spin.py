# SPDX-License-Identifier: MIT
"""
The model of the ring with deaths, searched by Spin: the short form.
"""

from __future__ import annotations

import pytest
import spin
from slowness import slow_but
from test_native import refuse_to_skip


@pytest.fixture(autouse=True)
def _has_spin():
    """
    Spin is not everywhere; where everything is tested it has to be.
    """
    if not spin.is_installed():
        refuse_to_skip("spin is not installed (apt-get install spin)")


@pytest.mark.parametrize("story", slow_but([], spin.SHORT, name=" ".join))
def test_no_execution_loses_or_tears_a_record(story):
    """
    Of all interleavings and deaths none breaks a promise of the model.
    """
    found = spin.search(*story)

    assert found.complaint == ""
    assert found.is_complete
    assert found.states > 100_000


@pytest.mark.parametrize("name", slow_but(["BROKEN_CLAIM"], spin.BROKEN))
def test_broken_model_is_noticed(name):
    """
    A protocol with one step in the wrong place fails.
    """
    found = spin.search(f"-D{name}", *spin.BROKEN[name])

    assert found.complaint != ""
    assert "no report" not in found.complaint


def test_search_that_was_cut_short_is_no_proof():
    """
    A report of a search without an end is not complete, nor is none at all.
    """
    cut = """error: max search depth too small
State-vector 100 byte, depth reached 9, errors: 0
     6944 states, stored
"""

    assert not spin.read(cut).is_complete
    assert spin.read(cut).states == 6944
    assert spin.read("").complaint
