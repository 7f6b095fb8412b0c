# SPDX-License-Identifier: MIT
"""
Which peers there are: one table of versions, settings and bars.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

DEFAULT, TUNED, SPOOL = "default", "tuned", "spool"

OURS = "ringamp"

QUEUE = {"max_queue_size": 100_000}


class Setting(NamedTuple):
    """
    How a peer is set up.

    Attributes:
        options: For its constructor.

        share: Which part of the events it gets: a slow one gets fewer.

        chunk: Events between two drains, where a queue could be full.
    """

    options: Mapping[str, Any]
    share: float
    chunk: int


class Peer(NamedTuple):
    """
    One SDK.

    Attributes:
        name: In its registry.

        version: Pinned; empty for this checkout.

        adapter: The file that speaks to it.

        settings: By name; the first two are those of its documentation.

        cpu_bar: Times ringamp's CPU that a delivered event shall cost.

        rate_bar: Part of ringamp's events/s that it shall stay below.
    """

    name: str
    version: str
    adapter: str
    settings: Mapping[str, Setting]
    cpu_bar: float | None = None
    rate_bar: float | None = None

    @property
    def is_node(self) -> bool:
        """
        Whether it runs in Node.
        """
        return self.adapter.endswith(".cjs")


PEERS = (
    Peer(
        OURS,
        "",
        "ringamp_adapter.py",
        {
            DEFAULT: Setting({}, 1, 50_000),
            # The caller waits where there is no room; a ring that stays in
            # the processor's cache.
            TUNED: Setting(
                {"on_full": "block", "buffer_bytes": 4 * 2**20}, 1, 10_000_000
            ),
            SPOOL: Setting({"on_full": "block"}, 1, 10_000_000),
        },
    ),
    Peer(
        "amplitude-analytics",
        "1.3.0",
        "amplitude_adapter.py",
        {
            DEFAULT: Setting({}, 0.007, 10_000_000),
            TUNED: Setting(
                {"flush_queue_size": 1000, "flush_interval_millis": 1000},
                0.007,
                10_000_000,
            ),
        },
        cpu_bar=100,
    ),
    Peer(
        "posthog",
        "7.91.1",
        "posthog_adapter.py",
        {
            DEFAULT: Setting({}, 0.007, 5000),
            TUNED: Setting({**QUEUE, "flush_at": 1000}, 0.007, 50_000),
        },
        cpu_bar=45,
    ),
    Peer(
        "segment-analytics-python",
        "2.4.0",
        "segment_adapter.py",
        {
            DEFAULT: Setting({}, 0.007, 5000),
            # Its requests end at 475,000 bytes, about 800 of these events.
            TUNED: Setting({**QUEUE, "upload_size": 1000}, 0.007, 50_000),
        },
        cpu_bar=45,
    ),
    Peer(
        "mixpanel",
        "5.4.1",
        "mixpanel_adapter.py",
        {
            DEFAULT: Setting({}, 0.0007, 5000),
            TUNED: Setting({"buffered": True}, 0.007, 5000),
        },
        cpu_bar=45,
    ),
    Peer(
        "rudder-sdk-python",
        "2.1.9",
        "segment_adapter.py",
        {
            DEFAULT: Setting({}, 0.007, 5000),
            TUNED: Setting(
                {**QUEUE, "upload_size": 1000, "gzip": False}, 0.007, 50_000
            ),
        },
        cpu_bar=45,
    ),
    Peer(
        "@amplitude/node",
        "1.10.2",
        "amplitude_node_adapter.cjs",
        {
            # It never divides a request: 2000 events are what the service
            # takes in one, so it is drained after so many, or told.
            DEFAULT: Setting({}, 0.07, 2000),
            TUNED: Setting({"maxCachedEvents": 2000}, 0.07, 20_000),
        },
        cpu_bar=5,
        rate_bar=4,
    ),
    Peer(
        "@amplitude/analytics-node",
        "1.5.73",
        "analytics_node_adapter.cjs",
        {
            DEFAULT: Setting({}, 0.007, 5000),
            TUNED: Setting(
                {"flushQueueSize": 2000, "flushIntervalMillis": 1000},
                0.007,
                5000,
            ),
        },
    ),
)

BY_NAME = {peer.name: peer for peer in PEERS}
