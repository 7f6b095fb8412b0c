# SPDX-License-Identifier: MIT
"""
The process that `benchmarks.outage` sends through an outage: it logs at a
steady rate until its stdin ends. The first line of stdin is its `Order`; it
prints its `Pace` before it begins, its `Account`, and its `Pace` afterwards.
"""

from __future__ import annotations

import gc
import select
import sys
from itertools import repeat
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import msgspec

from benchmarks.harness import make_client, settle
from benchmarks.unanswered import KIB
from ringamp import Client, Stats, Status

TICK = 0.002
"""Seconds between two looks at what is due: a burst has few events."""

SAMPLE = 0.02
"""Seconds between two looks at the memory."""

GOODBYE = 30_000
"""Milliseconds; the service is back by then."""


class Order(msgspec.Struct, frozen=True):
    """
    What to log, where to, and how fast.

    Attributes:
        events: How many in a round flat out.

        rounds: How many rounds flat out, before the outage.

        rate: Events a second, from then on.
    """

    url: str
    spool_dir: str
    buffer_bytes: int
    request_timeout_millis: int
    event: dict[str, Any]
    events: int
    rounds: int
    rate: int


class Pace(msgspec.Struct, frozen=True):
    """
    What is normal.

    Attributes:
        rates: Delivered events a second, flat out, of each round.

        delivered: How many events that took, all rounds together.
    """

    rates: list[float]
    delivered: int


class Account(msgspec.Struct, frozen=True):
    """
    What became of it.

    Attributes:
        queued: Receipts that said QUEUED.

        refused: Receipts that said DROPPED: the ring was full.

        idle: Bytes of the process, files in memory included, before.

        peak: The most there were.

        stats: The counts at the end.
    """

    queued: int
    refused: int
    idle: int
    peak: int
    stats: Stats


def run_flat_out(order: Order, **options: Any) -> Pace:
    """
    Log as fast as the service takes it.
    """
    client = make_client("flat out", order.url, on_full="block", **options)
    seconds = []
    # The first round goes around the ring.
    for _ in range(order.rounds + 1):
        began = perf_counter()
        for _ in repeat(None, order.events):
            client.log_event(order.event)
        settle(client)
        seconds.append(perf_counter() - began)
    client.shutdown()
    return Pace(
        [order.events / one for one in seconds[1:]],
        order.events * len(seconds),
    )


def log_steadily(client: Client, order: Order) -> Account:
    """
    Log at the rate of *order* until stdin ends.
    """
    log_event, event, queued = client.log_event, order.event, Status.QUEUED
    log_event(event).result()
    gc.collect()
    idle = peak = in_memory()
    accepted, refused = 1, 0
    began = perf_counter()
    sampled = 0.0
    while not select.select([sys.stdin], [], [], 0)[0]:
        passed = perf_counter() - began
        due = int(passed * order.rate) + 1 - accepted - refused
        for _ in repeat(None, due):
            if log_event(event).status is queued:
                accepted += 1
            else:
                refused += 1
        if passed > sampled + SAMPLE:
            sampled = passed
            peak = max(peak, in_memory())
        sleep(TICK)
    settle(client)
    return Account(
        accepted, refused, idle, max(peak, in_memory()), client.stats()
    )


def in_memory() -> int:
    """
    The bytes that this process has in memory for itself, and of the files of
    a tmpfs that it has mapped.
    """
    total = 0
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in {"RssAnon", "RssShmem"}:
            total += int(rest.split()[0]) * KIB
    return total


def main() -> None:
    """
    Serve one order.
    """
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    options: dict[str, Any] = {
        "spool_dir": order.spool_dir,
        "buffer_bytes": order.buffer_bytes,
        "request_timeout_millis": order.request_timeout_millis,
        "shutdown_timeout_millis": GOODBYE,
    }
    tell(run_flat_out(order, **options))
    client = make_client("outage", order.url, **options)
    account = log_steadily(client, order)
    client.shutdown()
    tell(account)
    tell(run_flat_out(order, **options))


def tell(what: msgspec.Struct) -> None:
    """
    Print one line of JSON.
    """
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
