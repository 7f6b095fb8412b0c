# SPDX-License-Identifier: MIT
"""
Tests of the seams: what can be tested of words.
"""

from __future__ import annotations

from ringamp.protocols import MiddlewarePayload


def test_middleware_payload():
    """
    A payload is an event, with nothing beside it unless given, and both can
    be replaced on the way.
    """
    event = {"event_type": "t"}
    payload = MiddlewarePayload(event)
    payload.extra = 5

    assert payload.event is event
    assert MiddlewarePayload(event).extra is None
    assert payload == MiddlewarePayload(event, extra=5)
