# SPDX-License-Identifier: MIT
"""
How many events a second get through to a distant service, and how much do
concurrent uploads help?

The collector counts and answers late, all requests at once: it waits for a
timer, not in a queue. An id always takes the same upload, so there are many.
"""

from __future__ import annotations

from functools import partial
from itertools import cycle, islice
from time import perf_counter
from typing import Any

import msgspec

from benchmarks.growth.curves import Curve, Growth
from benchmarks.growth.turns import in_turns
from benchmarks.harness import check_delivered, make_client, ratio, settle
from benchmarks.report import Figure
from benchmarks.workload import make_event
from ringamp import Client
from ringamp.collector import CollectorProcess

BATCH = 2000
"""Events of a full request."""

USERS = 5000
FEW = 4
"""Requests of each upload in a block at least."""
BAR = 6.0
BAR_LATENCY, BAR_UPLOADS = 100, 8


class Scale(msgspec.Struct, frozen=True):
    """
    How much is measured.

    Attributes:
        latencies: Milliseconds before each answer.

        uploads: The option concurrent_uploads.

        requests: Of each upload in a block at most.

        millis: After which a block has had enough of them.

        rounds: Repeats.
    """

    latencies: tuple[int, ...]
    uploads: tuple[int, ...]
    requests: int
    millis: int
    rounds: int

    def requests_at(self, latency: int) -> int:
        """
        How many requests each upload makes in a block.
        """
        enough = self.millis // max(latency, 1)
        return max(FEW, min(self.requests, enough))


FULL = Scale((0, 10, 50, 100, 200, 500), (1, 2, 4, 8), 20, 2000, 3)
QUICK = Scale((0, 20), (1, 2), 4, 80, 1)


def measure(scale: Scale) -> Growth:
    """
    Deliver to services at every distance, by more and more uploads in turns.
    """
    events = of_many_users()
    speeds: dict[int, dict[float, list[float]]] = {
        uploads: {} for uploads in scale.uploads
    }
    for latency in scale.latencies:
        with CollectorProcess(
            counting=True, latency_millis=latency
        ) as collector:
            clients = {
                uploads: make_client(
                    f"uploads {uploads}",
                    collector.url,
                    on_full="block",
                    concurrent_uploads=uploads,
                )
                for uploads in scale.uploads
            }
            found = in_turns(
                {
                    uploads: partial(
                        speed,
                        client,
                        events,
                        uploads,
                        scale.requests_at(latency),
                    )
                    for uploads, client in clients.items()
                },
                scale.rounds,
            )
            for uploads, client in clients.items():
                speeds[uploads][latency] = found[uploads]
                check_delivered(client)
                client.shutdown()
    return Growth(
        axis="latency",
        question="Delivered events/s as the service answers later",
        along="latency, ms",
        curves=[
            Curve.of(named(uploads), "events/s", series)
            for uploads, series in speeds.items()
        ],
        bars=against_one(speeds),
        scales="y",
    )


def of_many_users() -> list[dict[str, Any]]:
    """
    Make the event once for each user.
    """
    event = make_event()
    return [
        {**event, "user_id": f"user-{number:05}@example.com"}
        for number in range(USERS)
    ]


def named(uploads: int) -> str:
    """
    Name a curve.
    """
    return f"{uploads} upload{'s' if uploads > 1 else ''}"


def speed(
    client: Client,
    events: list[dict[str, Any]],
    uploads: int,
    requests: int,
) -> float:
    """
    Delivered events a second, from the first call to the last answer, with
    about *requests* full requests for each upload.
    """
    count = uploads * requests * BATCH
    log_event = client.log_event
    began = perf_counter()
    for event in islice(cycle(events), count):
        log_event(event)
    settle(client)
    return count / (perf_counter() - began)


def against_one(
    speeds: dict[int, dict[float, list[float]]],
) -> list[Figure]:
    """
    Compare the most uploads with the fewest, at every distance.
    """
    least, most = min(speeds), max(speeds)
    return [
        ratio(
            f"latency_{latency:.0f}",
            f"{latency:.0f} ms: events/s, {named(most)} / {least}",
            speeds[most][latency],
            speeds[least][latency],
            scale=1,
            unit="events/s",
            bar=BAR if (latency, most) == (BAR_LATENCY, BAR_UPLOADS) else None,
            wants_more=True,
        )
        for latency in speeds[least]
        if least != most
    ]
