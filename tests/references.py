# SPDX-License-Identifier: MIT
"""
Whether something keeps or loses references, by their counts.
"""

from __future__ import annotations

import gc
import sys

ROUNDS = 5


def drift(things, act):
    """
    Say by how much the counts of references to *things* differ after *act*
    was called, which must have been called before; the least of a few rounds.

    None and the types are everybody's: other threads, and garbage that is
    collected just then, change their counts once by thousands. What *act*
    does to them it does every time.
    """

    def counts():
        gc.collect()
        return [sys.getrefcount(thing) for thing in things]

    drifts = []
    for _ in range(ROUNDS):
        before = counts()
        act()
        after = counts()
        drifts.append(
            [now - then for now, then in zip(after, before, strict=True)]
        )
        if not any(drifts[-1]):
            break
    return min(drifts, key=lambda one: sum(map(abs, one)))
