# SPDX-License-Identifier: MIT
"""
The wall clock jumps by days, forth and back, and nobody is late for it.
"""

from __future__ import annotations

import itertools
import time

import pytest

from ringamp import MemoryTransport
from ringamp.client import Client

DAY = 86_400.0


class Jumping:
    """
    A wall clock that is set at every look; the other one goes on.
    """

    def __init__(self):
        self._days = itertools.cycle([0.0, 9.0, -9.0, 0.5, -400.0])

    def monotonic(self):
        """
        Tell the time that passes.
        """
        return time.monotonic()

    def wall(self):
        """
        Tell some time.
        """
        return time.time() + DAY * next(self._days)


@pytest.mark.parametrize("spool", [False, True])
def test_retries_do_not_see_the_wall_clock(tmp_path, spool):
    """
    They come when their time has passed, not when a clock says so; with a
    spool what went to the backlog is sent as well.
    """
    transport = MemoryTransport([503, 503] if not spool else [503])
    client = Client("jumping", Jumping()).init(
        "0123456789abcdef",
        transport_class=transport,
        retry_timeouts=[] if spool else [40, 40],
        spool_dir=tmp_path / "spool" if spool else None,
    )
    begin = time.monotonic()
    event = {"event_type": "first", "user_id": "datamonster"}
    first = client.log_event(event).result(30)
    stats = client.stats()
    while stats.delivered + stats.recovered_delivered < 1:
        assert time.monotonic() < begin + 8
        time.sleep(0.01)
        stats = client.stats()
    client.shutdown()

    assert first.status == ("queued" if spool else "success")
    assert {e["insert_id"] for e in transport.events} == {
        transport.events[0]["insert_id"]
    }
    assert len(transport.events) == (2 if spool else 3)
