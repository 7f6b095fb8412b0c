# SPDX-License-Identifier: MIT
"""
The policy for machines that lose their network: wait for it, however long.
"""

from __future__ import annotations

import random

from ringamp.options import Options
from ringamp.retry.backoff import Backoff
from ringamp.retry.decision import Attempt, Decision, Resend
from ringamp.retry.ordered import OrderedRetry
from ringamp.status import Response

PROBES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 40.0)
"""
Seconds between tries while there is no network, to which the jitter adds up
to half; the last one repeats. So a minute bounds how long a recovered network
goes unnoticed.
"""


class OfflineRetry(OrderedRetry):
    """
    Keep the newest events until the network is back.

    Where `OrderedRetry` would charge a retry (no connection, no answer in
    time, a server error, a captive portal's redirect), the batch is tried
    again on a timer that grows to a minute, and never dropped for it; the
    *retry_timeouts* option is not used. All other answers mean what they
    mean to `OrderedRetry`. What waits goes out in ordinary requests.

    Attributes:
        keep_newest: Of what waits, the *max_cached_events* newest are kept.

        retries: None: there is no last retry.

    .. versionadded:: 0.1.0
    """

    def __init__(
        self, options: Options, rng: random.Random | None = None
    ) -> None:
        super().__init__(options, rng)
        self._probe = Backoff(PROBES, rng)
        self.keep_newest = options.max_cached_events
        self.retries = None

    def again(self, attempt: Attempt, response: Response) -> list[Decision]:
        """
        Try the whole batch again later; its number only paces the timer.
        """
        delay = self._probe.delay(attempt.number, response.retry_after)
        return [Resend(range(attempt.count), attempt.number + 1, delay)]
