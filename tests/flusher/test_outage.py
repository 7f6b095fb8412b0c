# SPDX-License-Identifier: MIT
"""
Whether the service is out, and when it is tried again.
"""

from __future__ import annotations

from ringamp.flusher.outage import FIRST_PAUSE, LONGEST_PAUSE, Outage


def test_there_is_none_at_first():
    """
    Anything may be sent at any time.
    """
    outage = Outage()

    assert not outage.is_on
    assert outage.may_try(0.0)
    assert outage.may_try(1e9)


def test_a_failure_begins_it():
    """
    Nothing is tried before the first pause has passed; then it is.
    """
    outage = Outage()

    outage.note_failure(100.0)

    assert outage.is_on
    assert outage.next_try == 100.0 + FIRST_PAUSE
    assert not outage.may_try(100.0 + FIRST_PAUSE - 0.001)
    assert outage.may_try(100.0 + FIRST_PAUSE)


def test_pauses_grow_up_to_the_longest():
    """
    Each try that fails doubles the next pause, and a long outage is tried
    every so often, for ever.
    """
    outage, now, pauses = Outage(), 0.0, []
    for _ in range(8):
        outage.note_failure(now)
        pauses.append(outage.next_try - now)
        now = outage.next_try

    assert pauses[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert set(pauses[5:]) == {LONGEST_PAUSE}


def test_a_success_ends_it():
    """
    At once, and the next outage begins with the first pause again.
    """
    outage = Outage()
    for _ in range(5):
        outage.note_failure(0.0)

    outage.note_success()

    assert not outage.is_on
    assert outage.may_try(0.0)
    outage.note_failure(50.0)
    assert outage.next_try == 50.0 + FIRST_PAUSE


def test_a_success_without_an_outage_changes_nothing():
    """
    That is what nearly every answer is.
    """
    outage = Outage()

    outage.note_success()

    assert (outage.is_on, outage.next_try) == (False, 0.0)
