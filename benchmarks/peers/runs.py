# SPDX-License-Identifier: MIT
"""
Runs a peer, and measures one round of what it costs.

Every child has a time limit and a process group of its own, which is killed
as a whole: a peer that hangs costs its limit, and is reported as hung.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from benchmarks.calls import spool_directory
from benchmarks.peers.catalogue import SPOOL, Setting
from benchmarks.peers.installs import ADAPTERS, Installed
from benchmarks.peers.sink_process import running_sink

LIMIT = 120
"""Seconds a child may take."""

ARRIVAL = 30
"""Seconds the sink is asked to wait for the last events of a round."""

CALLS = 20_000
"""Calls that are timed one by one, at most."""

BLOCK = 1000
"""Of them between two drains."""

KEPT = ("PATH", "HOME", "TMPDIR", "LANG")
"""Variables of the environment that a child gets."""

LAST_WORDS = 400


@dataclass(frozen=True, eq=False)
class Variant:
    """
    One peer in one setting.
    """

    installed: Installed
    setting: str

    @property
    def chosen(self) -> Setting:
        """
        What the setting means.
        """
        return self.installed.peer.settings[self.setting]

    @property
    def title(self) -> str:
        """
        How it is called in the output.
        """
        return f"{self.installed.peer.name} {self.setting}"

    def events_of(self, events: int) -> int:
        """
        How many of *events* it gets.
        """
        return max(1, int(events * self.chosen.share))


class Run(NamedTuple):
    """
    How a child ended.

    Attributes:
        found: What it said.

        hung: Whether it was killed at its limit.

        error: Its last words, when it failed.
    """

    found: dict[str, Any]
    hung: bool = False
    error: str = ""


class Sample(msgspec.Struct, frozen=True):
    """
    One round: microseconds a call, seconds of the processor and of the
    clock for a delivered event, bytes over idle.
    """

    p50: float
    p99: float
    p999: float
    cpu: float
    seconds: float
    memory: int
    lost: int


@contextmanager
def options_of(variant: Variant) -> Iterator[dict[str, Any]]:
    """
    The options, with a directory for the spool where there is one.
    """
    options = dict(variant.chosen.options)
    if variant.setting != SPOOL:
        yield options
        return
    with spool_directory() as directory:
        yield {**options, "spool_dir": directory}


def carry_out(
    installed: Installed, order: dict[str, Any], limit: float = LIMIT
) -> Run:
    """
    Have a new process do what *order* says.
    """
    asked = {"adapter": str(ADAPTERS / installed.peer.adapter), **order}
    environment = {name: os.environ.get(name, "") for name in KEPT}
    with subprocess.Popen(
        [*installed.command, json.dumps(asked)],
        env={**environment, **installed.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            said, words = child.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return Run({}, hung=True)
    if child.returncode == -signal.SIGKILL:
        return Run({})
    if child.returncode:
        return Run({}, error=words[-LAST_WORDS:] or f"exit {child.returncode}")
    return Run(json.loads(said))


def measure(variant: Variant, event: dict[str, Any], events: int) -> Sample:
    """
    One round of *variant*.

    Raises:
        RuntimeError: It failed, or nothing arrived.
    """
    count = variant.events_of(events)
    calls = measure_one(variant, "calls", event, min(count, CALLS))
    found = measure_one(variant, "delivery", event, count)
    delivered = found["delivered"]
    if delivered <= 0:
        raise RuntimeError(f"{variant.title}: nothing arrived")
    return Sample(
        **calls,
        cpu=found["cpu"] / delivered,
        seconds=found["seconds"] / delivered,
        memory=max(0, found["memory"]),
        lost=found["logged"] - delivered,
    )


def measure_one(
    variant: Variant, task: str, event: dict[str, Any], events: int
) -> dict[str, Any]:
    """
    One task of a round, with a sink of its own.
    """
    with running_sink() as sink, options_of(variant) as options:
        run = carry_out(
            variant.installed,
            {
                "task": task,
                "url": sink.url,
                "event": event,
                "options": options,
                "events": events,
                "block": BLOCK,
                "arrival": ARRIVAL,
                "chunk": variant.chosen.chunk,
            },
        )
    if run.hung or run.error:
        raise RuntimeError(f"{variant.title}: {run.error or 'hung'}")
    return run.found
