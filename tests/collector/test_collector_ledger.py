# SPDX-License-Identifier: MIT
"""
Tests of `ringamp.collector.ledger`.
"""

import threading

from ringamp.collector.ledger import Ledger, Note


def events(*insert_ids, user="alice"):
    """
    Build an event for each insert_id.
    """
    return [{"insert_id": name, "user_id": user} for name in insert_ids]


def note(taken=0, status=200, **more):
    """
    Build what is remembered of a request.
    """
    return Note("/2/httpapi", status, 10, taken, **more)


def test_counts_add_up():
    """
    The summary counts requests, events by their end, statuses and faults; an
    answer that never left has no status.
    """
    ledger = Ledger()
    ledger.record(note(2, duplicates=1), events("a", "b"))
    ledger.record(note(status=500, rejected=3, fault="500"))
    ledger.record(note(1, status=None, fault="reset after"), events("c"))
    ledger.count(5, 7)
    summary = ledger.summary()

    assert (summary.requests, summary.bytes) == (4, 35)
    assert (summary.accepted, summary.duplicates) == (10, 1)
    assert summary.rejected == 3
    assert summary.statuses == {"200": 2, "500": 1}
    assert summary.faults == {"500": 1, "reset after": 1}
    assert summary.cpu_seconds > 0


def test_check_tells_the_missing_and_the_doubled():
    """
    An insert_id was taken exactly once, or it is named.
    """
    ledger = Ledger()
    ledger.record(note(4), events("a", "b", "b", "c"))

    assert ledger.check(["a", "c"])
    verdict = ledger.check(["a", "b", "x"])
    assert not verdict
    assert (verdict.missing, verdict.doubled) == (["x"], ["b"])


def test_order_is_that_of_arrival():
    """
    The insert_ids of one id come in the order in which they arrived.
    """
    ledger = Ledger()
    ledger.record(note(2), events("a", "b"))
    ledger.record(note(1), events("z", user="bobby"))
    ledger.record(note(1), [{"insert_id": "c", "device_id": "d-1"}])
    ledger.record(note(1), events("0"))

    assert ledger.order(user_id="alice") == ["a", "b", "0"]
    assert ledger.order(device_id="d-1") == ["c"]
    assert ledger.order(user_id="nobody") == []
    assert ledger.insert_ids() == ["a", "b", "z", "c", "0"]


def test_memory_is_bounded():
    """
    Only so many of the newest events, and of the first insert_ids, are kept.
    """
    ledger = Ledger(keep_events=2, keep_insert_ids=3, keep_requests=1)
    ledger.record(note(2), events("a", "b"))
    ledger.record(note(2), events("c", "d"))

    assert ledger.events() == events("c", "d")
    assert ledger.insert_ids() == ["a", "b", "c"]
    assert len(ledger.requests()) == 1
    assert ledger.summary().accepted == 4


def test_events_can_be_asked_by_id():
    """
    The newest events of one user are told in order.
    """
    ledger = Ledger()
    ledger.record(note(2), events("a") + events("b", user="bobby"))

    assert ledger.events(user_id="bobby") == events("b", user="bobby")
    assert ledger.events(device_id="d-1") == []


def test_reset_forgets():
    """
    After a reset the ledger is as new.
    """
    ledger = Ledger()
    ledger.record(note(1), events("a"))
    ledger.reset()

    assert ledger.summary().requests == 0
    assert ledger.insert_ids() == []
    assert ledger.events() == []


def test_waiting_ends_when_the_events_came():
    """
    A waiter wakes when enough was taken, and says so if it never was.
    """
    ledger = Ledger()
    threads = [
        threading.Thread(target=lambda: ledger.record(note(1), events("a")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()

    assert ledger.wait_for(events=4, requests=4, timeout=5)
    assert not ledger.wait_for(events=5, timeout=0)
    for thread in threads:
        thread.join()
