# SPDX-License-Identifier: MIT
"""
Throttled ids with a spool: their events wait in files, not in the ring.
"""

from __future__ import annotations

import pytest

from ringamp import Status
from ringamp.collector import Fault
from ringamp.retry import ordered

RING = 1 << 16


@pytest.fixture
def spooled(make_client, tmp_path):
    """
    Make clients with a spool and a small ring.
    """

    def make(**options):
        return make_client(
            spool_dir=str(tmp_path / "spool"), buffer_bytes=RING, **options
        )

    return make


@pytest.fixture
def backlog(tmp_path):
    """
    Name the files of the backlog.
    """
    return lambda: [path.name for path in tmp_path.glob("spool/*/backlog/*")]


def test_held_events_are_in_files_while_they_wait(
    spooled, event, collector, backlog, monkeypatch
):
    """
    From the 429 to their ends, and no longer.
    """
    monkeypatch.setattr(ordered, "HOLD", 2)
    collector.faults.add(Fault(users=("throttled",)))
    client = spooled(upload_interval_in_sec=60)
    waiting = [
        client.log_event(event(n, user_id="throttled")) for n in range(3)
    ]
    free = client.log_event(event())
    client.flush()
    free.result(30)

    names = backlog()

    assert [name.rpartition(".")[2] for name in names] == ["held"]
    assert client.stats().held == 3
    assert client.stats().buffer_used == 0
    assert {one.result(30).status for one in waiting} == {Status.SUCCESS}
    assert backlog() == []


@pytest.mark.slow
def test_a_throttled_id_does_not_pin_the_ring(
    spooled, event, collector, backlog, monkeypatch
):
    """
    Ten times what the ring holds goes past it, also later events of the same
    id are on disk, and all arrive in the end, each id's in order.
    """
    monkeypatch.setattr(ordered, "HOLD", 6)
    collector.faults.add(Fault(users=("throttled",)))
    client = spooled(on_full="block", block_timeout=30)
    first = client.log_event(event(-1, user_id="throttled"))
    assert client.log_event(event(-1)).result(30).status is Status.SUCCESS
    assert first.response is None
    padding = "x" * 500
    count = 10 * RING // 500
    for number in range(count):
        user = "throttled" if number % 100 == 0 else f"user{number % 7}"
        receipt = client.log_event(
            event(number, user_id=user, event_properties={"x": padding})
        )
        assert receipt.status is Status.QUEUED, number

    assert client.stats().held > count // 100
    assert backlog()
    client.flush().result(30)

    stats = client.stats()
    assert stats.delivered == stats.logged == count + 2
    assert backlog() == []
    for user in ("throttled", *(f"user{number}" for number in range(7))):
        ids = [one["event_id"] for one in collector.ledger.events(user)]
        assert ids == sorted(set(ids))
