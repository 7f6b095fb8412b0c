# SPDX-License-Identifier: MIT
"""
Parameters of which one or two are enough for a first look.
"""

from __future__ import annotations

import pytest


def slow_but(quick, given, *, name=str):
    """
    Give parameters of a test, all but some of them marked as slow.

    Args:
        quick: Those that always run.

        given: All of them.

        name: What a parameter is called.
    """
    assert {*quick} <= {*given}, "none of the parameters"
    return [
        pytest.param(
            one,
            id=name(one),
            marks=[] if one in quick else [pytest.mark.slow],
        )
        for one in given
    ]
