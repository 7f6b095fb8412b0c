# SPDX-License-Identifier: MIT
"""
BaseRetry: a retry class of the user's own.
"""

from __future__ import annotations

from ringamp.options import Options
from ringamp.protocols import Retry
from ringamp.retry.base import BaseRetry
from ringamp.status import SKIPPED_RESPONSE, Status
from ringamp.transport.memory import MemoryTransport
from ringamp.transport.payload import Envelope

KEY = "0123456789abcdef"


class Twice(BaseRetry):
    """
    Sends a batch twice if need be.
    """

    def send_events_with_retry(self, events):
        """
        Send, and once more if that failed.
        """
        response = self.send_events(events)
        if response.status is Status.SUCCESS:
            return response
        return self.send_events(events)


def make(cls, *answers):
    """
    Make a retry class as the client does, and its transport.
    """
    options = Options.build()
    transport = MemoryTransport(answers)
    envelope = Envelope(KEY, options)
    return cls(transport=transport, options=options, envelope=envelope), (
        transport
    )


def test_a_user_needs_to_override_one_method():
    """
    The helper sends a whole request; the class decides how often.
    """
    retry, transport = make(Twice, 500)
    protocol: Retry = retry

    response = protocol.send_events_with_retry([{"event_type": "a"}])

    assert response.status is Status.SUCCESS
    assert transport.requests == [[{"event_type": "a"}]] * 2


def test_the_base_sends_once():
    """
    Without an override a batch is sent once.
    """
    retry, transport = make(BaseRetry, 500, 500)

    response = retry.send_events_with_retry([{"event_type": "a"}])

    assert response.status_code == 500
    assert len(transport.requests) == 1


def test_l3_no_events_are_no_request():
    """
    An empty list is skipped, not posted.
    """
    retry, transport = make(BaseRetry)

    assert retry.send_events([]) is SKIPPED_RESPONSE
    assert transport.requests == []


def test_the_key_is_not_shown():
    """
    The repr names the class alone, and no attribute's repr has the key.
    """
    retry, _ = make(Twice)

    assert repr(retry) == "<Twice>"
    assert KEY not in repr(vars(retry))
