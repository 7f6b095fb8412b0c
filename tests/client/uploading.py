# SPDX-License-Identifier: MIT
"""
What the tests of several uploads share: a transport that knows what is inside
it, many users' events, and whether they arrived in order.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from ringamp import Response, Status


class Counting:
    """
    A transport that takes everything after a moment, and knows how many are
    inside at a time, and for which users.
    """

    def __init__(self, seconds=0.02):
        self.seconds = seconds
        self.most = 0
        self.clashes = []
        self.threads = set()
        self._inside = []
        self._lock = threading.Lock()

    def send_payload(self, payload):
        """
        Take it.
        """
        users = {one["user_id"] for one in payload.events}
        with self._lock:
            self.threads.add(threading.get_ident())
            self.clashes += [other & users for other in self._inside]
            self._inside.append(users)
            self.most = max(self.most, len(self._inside))
        time.sleep(self.seconds)
        with self._lock:
            self._inside.remove(users)
        return Response(Status.SUCCESS, 200)


def log_all(client, event, count, users):
    """
    Log events of many users in turn; each knows its number.
    """
    return [
        client.log_event(event(n, user_id=f"user-{n % users:03}"))
        for n in range(count)
    ]


def out_of_order(collector):
    """
    The users whose events did not first arrive in the order they were
    logged.
    """
    numbers = defaultdict(list)
    seen = set()
    for one in collector.ledger.events():
        if one["insert_id"] not in seen:
            seen.add(one["insert_id"])
            numbers[one["user_id"]].append(one["event_id"])
    return [user for user, ids in numbers.items() if ids != sorted(ids)]
