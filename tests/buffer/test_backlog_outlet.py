# SPDX-License-Identifier: MIT
"""
Batches out of the backlog, and back.
"""

from __future__ import annotations

from itertools import count

from shelves import EVENTS, events_of, put

from ringamp.buffer import backlog as backlog_module
from ringamp.buffer.backlog_outlet import BacklogOutlet
from ringamp.buffer.shelved import Label


def test_what_waits_anew_does_not_take_the_place_of_where_it_was(
    backlog, monkeypatch
):
    """
    An event that is put into a file of its own is there when the rest of its
    old file has its ends, also where this process has come to the number
    that the old file has.
    """
    name = put(backlog)
    number = Label.read(name).number
    monkeypatch.setattr(backlog_module, "_counter", count(number))
    outlet = BacklogOutlet(backlog)
    assert outlet.look()
    batch = outlet.fill(b"[", b"]", max_count=100, max_bytes=10_000)

    assert outlet.put_anew(batch, [1])
    batch.loosen(range(len(EVENTS)))

    (left,) = backlog.names()
    assert left != name
    assert Label.read(left).created_ms == Label.read(name).created_ms
    assert events_of(backlog, left) == [EVENTS[1]]
