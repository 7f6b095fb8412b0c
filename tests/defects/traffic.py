# SPDX-License-Identifier: MIT
"""
What the tests of known defects send, and how they read what arrived.
"""

from __future__ import annotations

import time

import ringamp

SUCCESS = ringamp.Status.SUCCESS

PATIENCE = 30.0
"""Seconds until something that should happen soon counts as never."""


def event(user="user-1", **more):
    """
    Build an event as the application would.
    """
    return {"event_type": "Checkout", "user_id": user, **more}


def numbered(count, user="user-1"):
    """
    Build events that can be told apart.
    """
    return [event(user, event_properties={"n": n}) for n in range(count)]


def log_all(client, events):
    """
    Log *events*; return their receipts.
    """
    return [client.log_event(one) for one in events]


def outcomes(receipts):
    """
    Wait for all; return the status of each.
    """
    return [receipt.result(PATIENCE).status for receipt in receipts]


def numbers(collector, user=None):
    """
    List the numbers of the events taken, in order of arrival.
    """
    return [
        one["event_properties"]["n"]
        for one in collector.ledger.events(user_id=user)
    ]


def sizes(collector):
    """
    List how many events each request had, in order.
    """
    return [
        note.taken + note.duplicates + note.rejected
        for note in collector.ledger.requests()
    ]


def until(true):
    """
    Wait until *true* answers so, and say whether it did.
    """
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def balances(stats):
    """
    Say whether every event logged is somewhere, once.
    """
    ended = stats.delivered + stats.rejected + stats.dropped
    return stats.logged == ended + stats.pending
