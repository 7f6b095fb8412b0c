# SPDX-License-Identifier: MIT
"""
Which batch goes next: in order on each track, and those of any ids alone.
"""

from __future__ import annotations

from math import inf

import pytest

from ringamp.buffer.batch import Batch
from ringamp.flusher.line import Line


def make(*entries):
    """
    Make a line of (track, due).
    """
    line = Line()
    for track, due in entries:
        batch = Batch.of(b"[", [b"{}"], b"]", [])
        batch.track = track
        line.append((due, batch))
    return line


ANY = None

CASES = {
    "nothing": ([], [], None, None),
    "one of any": ([(ANY, 0)], [], 0, 0),
    "one of any waits": ([(ANY, 7)], [], None, 7),
    "one of any waits for an answer": ([(ANY, 0)], [3], None, inf),
    "one track": ([(1, 0)], [], 0, 0),
    "its track is busy": ([(1, 0)], [1], None, inf),
    "another is busy": ([(1, 0)], [2], 0, 0),
    "all wait for one of any": ([(1, 0)], [ANY], None, inf),
    "past one that is busy": ([(1, 0), (2, 0)], [1], 1, 0),
    "past one that waits": ([(1, 9), (2, 0)], [], 1, 0),
    "not past one of its track": ([(1, 9), (1, 0)], [], None, 9),
    "not past a busy one of its track": ([(1, 9), (1, 0)], [1], None, inf),
    "the soonest": ([(1, 9), (2, 8), (3, 7)], [3], None, 8),
    "not past one of any": ([(1, 9), (ANY, 0), (2, 0)], [], None, 9),
    "one of any is not first": ([(1, 9), (ANY, 0)], [1], None, inf),
    "one of any goes first": ([(ANY, 0), (1, 0)], [], 0, 0),
    "behind one of any that waits": ([(ANY, 8), (1, 0)], [], None, 8),
}


@pytest.mark.parametrize("case", CASES)
def test_who_goes_next_and_when(case):
    """
    At the time 5, with these tracks under way: which is taken, and when one
    may be.
    """
    entries, busy, taken, due = CASES[case]
    line = make(*entries)
    batches = [batch for _, batch in line]

    assert line.due(busy) == due
    found = line.take(5, busy)

    assert found is (None if taken is None else batches[taken])
    left = [one for at, one in enumerate(batches) if at != taken]
    assert [batch for _, batch in line] == left
