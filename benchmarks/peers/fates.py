# SPDX-License-Identifier: MIT
"""
What becomes of the events: at exit, after SIGKILL, across forks, in an
outage. Each event has a serial number, so one that is missing or comes twice
is seen, whatever the peer says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from benchmarks.peers.catalogue import SPOOL
from benchmarks.peers.runs import Variant, carry_out, options_of
from benchmarks.peers.sink_process import running_sink

RATE = 200
"""Events a second around the outage."""

OUTAGE = 5

PATIENCE = 15
"""Seconds after the end of an outage in which events may still arrive."""

NEXT = "n-"
"""What the serial numbers of the process after a killed one begin with."""


class Trial(NamedTuple):
    """
    One way to end.

    Attributes:
        title: In the table.

        events: How many are logged.

        limit: Seconds the process may take.

        in_node: Whether Node can do it at all.
    """

    title: str
    events: int
    limit: float = 60
    in_node: bool = True


TRIALS = {
    # No multiple of any batch: what waits for a full one is seen.
    "exit": Trial("exit without flush", 1010),
    "kill": Trial("SIGKILL after 1000 calls", 1000),
    # A warm parent, its undrained events, four children, the parent again.
    "fork": Trial("fork, 4 children", 700, in_node=False),
    "outage": Trial("5 s of outage", RATE * (1 + OUTAGE + 2), 120),
}


class Fate(msgspec.Struct, frozen=True):
    """
    What arrived.

    Attributes:
        expected: How many events were logged.

        received: How many of them came, at least once.

        doubled: How many came again as if they were others, or without an id
            by which a service could know.

        repeated: How many came again with the same id.

        hung: Processes that were killed because they did not end.

        raised: Calls that raised.

        error: Why there is nothing else.
    """

    expected: int
    received: int = 0
    doubled: int = 0
    repeated: int = 0
    hung: int = 0
    raised: int = 0
    error: str = ""


def account(ledger: Mapping[str, list[str]], expected: int) -> Fate:
    """
    Count what the sink has kept.
    """
    ours = {
        serial: ids
        for serial, ids in ledger.items()
        if serial and not serial.startswith(NEXT)
    }
    again = [ids for ids in ours.values() if len(ids) > 1]
    repeated = sum(bool(ids[0]) and len(set(ids)) == 1 for ids in again)
    return Fate(expected, len(ours), len(again) - repeated, repeated)


def try_out(variant: Variant, name: str, event: dict[str, Any]) -> Fate | None:
    """
    Put *variant* to one trial; None where it cannot be.
    """
    trial = TRIALS[name]
    if variant.installed.peer.is_node and not trial.in_node:
        return None
    order = {
        "task": name,
        "event": event,
        "events": trial.events,
        "rate": RATE,
        "outage": OUTAGE,
        "patience": PATIENCE,
    }
    with (
        running_sink(keeps_ledger=True) as sink,
        options_of(variant) as options,
    ):
        order |= {"url": sink.url, "options": options}
        run = carry_out(variant.installed, order, trial.limit)
        if name == "kill" and variant.setting == SPOOL:
            order["task"] = "next"
            carry_out(variant.installed, order, trial.limit)
        fate = account(sink.ledger(), trial.events)
    return msgspec.structs.replace(
        fate,
        hung=run.hung + run.found.get("hung", 0),
        raised=run.found.get("raised", 0),
        error=run.error,
    )


def worst(fates: Iterable[Fate]) -> Fate:
    """
    The worst of several rounds, in each respect.
    """
    every = list(fates)
    return Fate(
        expected=every[0].expected,
        received=min(fate.received for fate in every),
        doubled=max(fate.doubled for fate in every),
        repeated=max(fate.repeated for fate in every),
        hung=max(fate.hung for fate in every),
        raised=max(fate.raised for fate in every),
        error=next((fate.error for fate in every if fate.error), ""),
    )


def words(fate: Fate | None) -> str:
    """
    A fate, short enough for a table whose head has what was logged.
    """
    if fate is None:
        return "n/a"
    text = f"{fate.received:,}"
    for count, word in (
        (fate.doubled, "doubled"),
        (fate.repeated, "repeated"),
        (fate.hung, "hung"),
        (fate.raised, "raised"),
    ):
        if count:
            text += f", {count:,} {word}"
    return text + (", failed" if fate.error else "")
