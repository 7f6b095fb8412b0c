# SPDX-License-Identifier: MIT
"""
What a mutation is: one small wrong change, and the test that must notice.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """
    A change of *old* to *new* in one file of the core.

    Attributes:
        program: The C test of `build.PROGRAMS` that must fail; or `model`
            for `wake_model.py`, `kill` for the kill harness, or `hotpath`
            for the tests of the builtins.

        sanitizer: What the test is built with.

        is_short: Whether pytest runs it; the whole list is for the script.
    """

    name: str
    file: str
    old: str
    new: str
    program: str
    sanitizer: str = "none"
    is_short: bool = False
