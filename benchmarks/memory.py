# SPDX-License-Identifier: MIT
"""
How much memory does an outage cost, and is every event accounted for?

A process of its own logs while connections are refused
(`benchmarks.unanswered`):
the ring fills, what no longer fits is dropped and counted. The kernel keeps
the peak of its resident memory, so no moment is missed. Linux only.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import typer

from benchmarks.environment import ROOT
from benchmarks.harness import (
    EventSizeOption,
    JSONOption,
    KindOption,
    OutageOption,
    Setup,
    answer,
)
from benchmarks.report import Figure
from benchmarks.unanswered import Findings, Order
from benchmarks.workload import Kind
from ringamp import Stats
from ringamp.collector import CollectorProcess

MIB = 2**20
ALLOWANCE = 16 * MIB
"""What the client may take beside its buffer."""


def measure(setup: Setup, _: CollectorProcess) -> Iterator[Figure]:
    """
    Send a process through an outage.
    """
    if not Path("/proc/self/clear_refs").exists():
        return
    with closed_port() as port:
        order = Order(
            url=f"http://127.0.0.1:{port}/2/httpapi",
            event=setup.make_event(),
            events=setup.outage_events,
        )
        found = send_through(order)
    yield Figure(
        key="outage_memory",
        label=f"peak memory over idle, {setup.outage_events:,} events, "
        "service down",
        value=(found.peak - found.idle) / MIB,
        unit="MiB",
        bar=(found.buffer_bytes + ALLOWANCE) / MIB,
        detail=f"idle {found.idle / MIB:.1f}, peak {found.peak / MIB:.1f}, "
        f"buffer {found.buffer_bytes / MIB:.0f} MiB",
    )
    after = found.after
    yield Figure(
        key="outage_miscounted",
        label="events miscounted in the same",
        value=miscounted(found, setup.outage_events),
        unit="",
        bar=0,
        detail=f"logged {after.logged:,} = delivered {after.delivered:,} + "
        f"dropped {after.dropped:,} + pending {after.pending:,}; "
        f"{found.refused:,} receipts said DROPPED at once",
    )


def miscounted(found: Findings, events: int) -> int:
    """
    By how many events the counts are wrong, all questions together.
    """
    before, after = found.before, found.after
    return (
        abs(after.logged - events)
        + unbalanced(before)
        + unbalanced(after)
        # Nobody answered: all of it is dropped in the end.
        + abs(after.dropped - events)
        + after.pending
        # What was refused room is counted as soon as it was told.
        + max(0, found.refused - before.dropped)
    )


def unbalanced(stats: Stats) -> int:
    """
    How many events of *stats* are in no place or in two.
    """
    return abs(
        stats.logged
        - stats.delivered
        - stats.rejected
        - stats.dropped
        - stats.pending
    )


def send_through(order: Order) -> Findings:
    """
    Have *order* carried out by a new process.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.unanswered"],
        cwd=ROOT,
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Findings)


@contextmanager
def closed_port() -> Iterator[int]:
    """
    A port at which connections are refused, and that nobody else can get.
    """
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def main(
    *,
    outage_events: OutageOption = 2_000_000,
    event: KindOption = Kind.TYPICAL,
    event_size: EventSizeOption = 0,
    json: JSONOption = None,
) -> None:
    """
    How much memory does an outage cost, and is every event accounted for?
    """
    setup = Setup(
        outage_events=outage_events, event=event, event_size=event_size
    )
    uses = ("outage_events", "event", "event_size")
    answer("An outage", setup, [measure], json, uses)


if __name__ == "__main__":
    typer.run(main)
