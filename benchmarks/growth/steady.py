# SPDX-License-Identifier: MIT
"""
What does an event cost at the steady rate of one worker of a server, with
default options, and how soon is one at the service after quiet?

Each SDK runs in a process of its own and logs events in small groups, as
requests do. Its figure is the processor time of the whole process, the calls
included, less that of the same loop without any call: what a sleep and a look
at the clock cost is the loop's own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from benchmarks.harness import (
    MICRO,
    interleave,
    progress,
    quartiles,
    ratio,
)
from benchmarks.peers.catalogue import BY_NAME, DEFAULT, OURS
from benchmarks.peers.installs import (
    ADAPTERS,
    Installed,
    cache_folder,
    install,
)
from benchmarks.peers.runs import ARRIVAL, Variant, carry_out
from benchmarks.peers.sink_process import running_sink
from benchmarks.report import Figure
from benchmarks.workload import make_event

PEER = "amplitude-analytics"

MILLI = 1e3


class Pace(msgspec.Struct, frozen=True):
    """
    How events are logged.

    Attributes:
        rate: Events a second.

        group: How many are logged together.

        seconds: How long.
    """

    rate: int
    group: int
    seconds: float

    @property
    def events(self) -> int:
        """
        How many are logged in all.
        """
        groups = max(1, round(self.rate / self.group * self.seconds))
        return groups * self.group


class Scale(msgspec.Struct, frozen=True):
    """
    How much is measured.

    Attributes:
        busy: A worker with something to do.

        slow: One with little.

        quiet: Seconds without an event before the one whose way is timed.

        rounds: Repeats.

        has_peer: Whether the official SDK is measured as well.
    """

    busy: Pace
    slow: Pace
    quiet: float
    rounds: int
    has_peer: bool


FULL = Scale(Pace(1000, 10, 5.0), Pace(50, 1, 5.0), 1.0, 5, has_peer=True)
QUICK = Scale(Pace(1000, 10, 0.1), Pace(50, 1, 0.1), 0.1, 1, has_peer=False)


def measure(scale: Scale) -> list[Figure]:
    """
    Measure in turns.
    """
    ours = Variant(this_one(), DEFAULT)
    blocks = {
        "busy": lambda: steady_cpu(ours, scale.busy),
        "slow": lambda: steady_cpu(ours, scale.slow),
        "quiet": lambda: seconds_after_quiet(ours, scale.quiet),
    }
    peer = find_peer() if scale.has_peer else None
    if peer is not None:
        theirs = Variant(peer, DEFAULT)
        blocks["peer"] = lambda: steady_cpu(theirs, scale.busy)
    series = interleave(blocks, scale.rounds)
    figures = [
        absolute(
            "steady_cpu",
            f"process CPU of an event at a steady {scale.busy.rate:,}/s, "
            f"{scale.busy.group} at a time, default options",
            series["busy"],
            MICRO,
            unit="us",
            bar=6.0,
        ),
        absolute(
            "steady_slow_cpu",
            f"the same at {scale.slow.rate}/s, one at a time",
            series["slow"],
            MICRO,
            unit="us",
            bar=60.0,
        ),
        absolute(
            "quiet_arrival",
            f"from the call to the service, after {scale.quiet:g} s of quiet",
            series["quiet"],
            MILLI,
            unit="ms",
            bar=30.0,
        ),
    ]
    if "peer" in series:
        figures.append(
            ratio(
                "steady_peer",
                f"{PEER} / ringamp at {scale.busy.rate:,}/s",
                series["peer"],
                series["busy"],
                bar=14.0,
                wants_more=True,
            )
        )
    return figures


def absolute(
    key: str,
    label: str,
    series: Sequence[float],
    scale: float,
    **more: Any,
) -> Figure:
    """
    Take the median of *series*, times *scale*.
    """
    scaled = sorted(value * scale for value in series)
    return Figure(
        key=key,
        label=label,
        value=scaled[len(scaled) // 2],
        quartiles=quartiles(scaled),
        **more,
    )


def this_one() -> Installed:
    """
    Ringamp as it is installed where this runs.
    """
    return Installed(
        BY_NAME[OURS],
        (sys.executable, str(ADAPTERS / "driver.py")),
        {},
        "",
        "",
    )


def find_peer() -> Installed | None:
    """
    The official SDK in an environment of its own; None where it cannot be
    installed, which is said.
    """
    try:
        return install(BY_NAME[PEER], cache_folder(), sys.executable)
    except RuntimeError as error:
        progress(f"{PEER} is left out: {error}")
        return None


def steady_cpu(variant: Variant, pace: Pace) -> float:
    """
    Seconds of processor time of an event, beside an idle loop.

    Raises:
        RuntimeError: It failed, or an event is missing.
    """
    found = run(
        variant,
        {
            "task": "steady",
            "events": pace.events,
            "group": pace.group,
            "rate": pace.rate,
        },
    )
    if found["delivered"] != pace.events:
        raise RuntimeError(f"{variant.title}: events are missing: {found}")
    cpu: float = (found["cpu"] - found["idle"]) / pace.events
    return cpu


def seconds_after_quiet(variant: Variant, quiet: float) -> float:
    """
    Seconds from a call to its event's arrival, after *quiet* seconds.
    """
    found: float = run(variant, {"task": "quiet", "quiet": quiet})["seconds"]
    return found


def run(variant: Variant, order: dict[str, Any]) -> dict[str, Any]:
    """
    Have a new process carry *order* out, with a sink of its own.
    """
    with running_sink() as sink:
        done = carry_out(
            variant.installed,
            {
                "url": sink.url,
                "event": make_event(),
                "options": dict(variant.chosen.options),
                "arrival": ARRIVAL,
                **order,
            },
        )
    if done.hung or done.error:
        raise RuntimeError(f"{variant.title}: {done.error or 'hung'}")
    return done.found
