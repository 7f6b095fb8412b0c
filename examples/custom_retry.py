# SPDX-License-Identifier: MIT
"""
A retry class of your own, with the interface of the Node SDK: events in, one
response out. It runs in the background thread and may sleep there.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from local_service import API_KEY, service_url

import ringamp


class Stubborn(ringamp.BaseRetry):
    """
    Tries five times, a little longer apart each time.
    """

    def send_events_with_retry(
        self, events: Sequence[Mapping[str, Any]]
    ) -> ringamp.Response:
        """
        Send until it is taken, or there is no point in going on.
        """
        for attempt in range(5):
            response = self.send_events(events)
            if response.status in (
                ringamp.Status.SUCCESS,
                ringamp.Status.INVALID,
            ):
                break
            time.sleep(0.1 * 2**attempt)
        return response


with service_url() as url:
    client = ringamp.init(API_KEY, server_url=url, retry_class=Stubborn)
    receipt = client.log_event({"event_type": "Tick", "device_id": "clock-1"})
    print(receipt.result(timeout=10).status)
    client.shutdown()
