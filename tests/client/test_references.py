# SPDX-License-Identifier: MIT
"""
The counts of references to None, True and False, which every event touches.

On 3.10 and 3.11 they are counted, and one lost by each event ends the process
some thousand events later. What was compiled by a later Python takes them for
immortal, so these tests say most where the wheel was built by another Python
than the one they run on.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from references import drift

from ringamp import Event, MemoryTransport

COUNT = 2000


def hand_on(payload, next):
    """
    A middleware.
    """
    next(payload)


def hand_on_twice(payload, next):
    """
    One that does too much.
    """
    next(payload)
    next(payload)


def stop(payload, next):
    """
    One that hands nothing on.
    """


PROPERTIES = {"none": None, "true": True, "false": False}
EVENTS = {
    "a dict": {"event_type": "a", "user_id": "user-1"},
    "a dict with None": {
        "event_type": "a",
        "user_id": "user-1",
        "device_id": None,
        "event_properties": PROPERTIES,
    },
    "an Event": Event("a", user_id="user-1", event_properties=PROPERTIES),
    "one that needs care": {
        "event_type": "a",
        "user_id": "user-1",
        "event_properties": {**PROPERTIES, "price": Decimal("1.5")},
    },
    "an invalid dict": {"event_type": None},
    "no event": None,
}
CHAINS = {
    "no middleware": [],
    "one": [hand_on],
    "several": [hand_on, hand_on, hand_on],
    "one that calls next twice": [hand_on_twice],
    "one that stops": [stop],
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("event", EVENTS)
def test_an_event_keeps_and_loses_no_reference(make_client, event, chain):
    """
    Whatever is logged, and through whichever chain.
    """
    client = make_client(
        transport_class=MemoryTransport, upload_interval_in_sec=60
    )
    for middleware in CHAINS[chain]:
        client.add_event_middleware(middleware)
    one = EVENTS[event]

    def log():
        for _ in range(COUNT):
            client.log_event(one)

    log()

    # Other threads come and go meanwhile, with a few references each.
    for change in drift((None, True, False), log):
        assert abs(change) < COUNT // 10
