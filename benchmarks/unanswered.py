# SPDX-License-Identifier: MIT
"""
The process that `benchmarks.memory` looks at: it logs to a port where nobody
answers. Reads its `Order` from stdin, prints its `Findings`.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from time import sleep
from typing import Any

import msgspec

from benchmarks.harness import make_client
from ringamp import Client, Stats, Status

PEAK_RESET = "5"
"""Written to clear_refs, it makes VmHWM begin anew."""

KIB = 1024
WARM_STEPS = 1000
GOODBYE = 0.5
"""Seconds of the shutdown: nobody will answer."""


class Order(msgspec.Struct, frozen=True):
    """
    What to log and where to.
    """

    url: str
    event: dict[str, Any]
    events: int


class Findings(msgspec.Struct, frozen=True):
    """
    What was seen.

    Attributes:
        idle: Resident bytes after init and one event.

        peak: The most there were while logging.

        refused: Receipts that said DROPPED.

        before: The counts before the shutdown.

        after: The counts after it.

        buffer_bytes: The option.
    """

    idle: int
    peak: int
    refused: int
    before: Stats
    after: Stats
    buffer_bytes: int


def log_through(order: Order) -> Findings:
    """
    Carry *order* out.
    """
    client = make_client("outage", order.url)
    warm_up(client, order.event)
    gc.collect()
    idle = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text(PEAK_RESET)

    log_event, dropped = client.log_event, Status.DROPPED
    refused = 0
    for _ in range(order.events - 1):
        if log_event(order.event).status is dropped:
            refused += 1

    peak = resident("VmHWM")
    before = client.stats()
    client.shutdown(GOODBYE)
    return Findings(
        idle,
        peak,
        refused,
        before,
        client.stats(),
        client.options.buffer_bytes,
    )


def warm_up(client: Client, event: dict[str, Any]) -> None:
    """
    Log one event and wait until it was refused a connection.

    Raises:
        RuntimeError: It never was.
    """
    client.log_event(event)
    for _ in range(WARM_STEPS):
        if client.stats().requests:
            return
        sleep(0.01)
    raise RuntimeError("no request was made")


def resident(name: str) -> int:
    """
    The bytes that /proc/self/status has under *name*.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * KIB
    raise RuntimeError(f"/proc/self/status has no {name}")


def main() -> None:
    """
    Serve one order.
    """
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(log_through(order)))


if __name__ == "__main__":
    main()
