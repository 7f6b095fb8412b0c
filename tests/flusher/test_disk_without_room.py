# SPDX-License-Identifier: MIT
"""
An outage while the spool's disk takes nothing.
"""

from __future__ import annotations

import errno
import os
import time

import pytest

from ringamp.buffer.backlog import Backlog
from ringamp.flusher import delivery, keeping
from ringamp.status import Response, Status

PAUSE = 0.3


class Outage:
    """
    A service that is out until it is told otherwise.
    """

    def __init__(self):
        self.is_over = False
        self.taken = 0

    def send_payload(self, payload):
        """
        Take it or not.
        """
        if not self.is_over:
            return Response(Status.FAILED, 503)
        self.taken += len(payload.events)
        return Response(Status.SUCCESS, 200)


@pytest.fixture
def tries(monkeypatch):
    """
    Have every file of the backlog fail; list when one was tried.
    """
    found = []

    def put(*_, **__):
        found.append(time.monotonic())
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Backlog, "put", put)
    for module in (delivery, keeping):
        monkeypatch.setattr(module, "DISK_PAUSE", PAUSE)
    return found


@pytest.mark.parametrize("retry", ["OrderedRetry", "OfflineRetry"])
def test_events_are_sent_from_the_ring_where_the_disk_is_full(
    make_client, tmp_path, tries, retry
):
    """
    With ring and disk full the disk is tried now and then, and not all the
    time; and when the service is back all that was accepted is sent,
    although the disk is as full as before.
    """
    import ringamp

    service = Outage()
    client = make_client(
        service,
        spool_dir=str(tmp_path / "spool"),
        buffer_bytes=1 << 16,
        max_cached_events=100,
        retry_timeouts=[10, 10],
        retry_class=getattr(ringamp, retry),
    )
    event = {"event_type": "x", "user_id": "u@example.com"}
    while client.log_event(event).status == "queued":
        time.sleep(1e-4)
    before = len(tries)
    time.sleep(5 * PAUSE)
    assert 0 < len(tries) - before < 20
    service.is_over = True

    client.flush().result(30)

    stats = client.stats()
    assert service.taken == stats.delivered == stats.logged - 1
    assert stats.dropped == 1
