# SPDX-License-Identifier: MIT
"""
One turn: a new sink, a new gunicorn, a warm-up, the load, and the count of
what has arrived. And all of them, in another order each round.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import msgspec

from benchmarks.peers.catalogue import OURS
from benchmarks.peers.sink_process import running_sink
from benchmarks.webapp.app import EVENTS, priced
from benchmarks.webapp.catalogue import NONE, Variant
from benchmarks.webapp.load import put_load
from benchmarks.webapp.server import running_site
from benchmarks.workload import make_event

WARM_SECONDS = 1

ARRIVAL = 1
"""Seconds for what is on its way to the sink when gunicorn has ended."""

SAMPLE_LINES = 100
SAMPLES = 3000
"""Of the work, when it is fitted to the time that it shall take."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was measured in one turn.

    Attributes:
        rate: Requests a second.

        p50: Milliseconds of a request; so *p99*.

        cpu: Seconds of the workers' processor time for a request.

        events: What the application has logged, warm-up included.

        delivered: What of it has arrived.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    events: int
    delivered: int


Rounds = dict[int, Turn]
"""By number; a round that failed is missing."""


def fit_work(millis: float) -> int:
    """
    Find the lines of a section with which a request works for *millis*.

    By the fastest sample: neighbours make the others slower, and so they
    would make the work of a whole run smaller.
    """
    times = []
    for _ in range(SAMPLES):
        began = process_time()
        priced(SAMPLE_LINES)
        times.append(process_time() - began)
    wanted = millis / 1000 / EVENTS
    return max(1, round(SAMPLE_LINES * wanted / min(times)))


def take_turn(variant: Variant, wrk: str, lines: int, seconds: int) -> Turn:
    """
    Measure *variant* once.

    Raises:
        RuntimeError: Something failed, so that there are no figures.
    """
    with (
        running_sink() as sink,
        TemporaryDirectory(prefix="ringamp-webapp-") as folder,
    ):
        order = {
            "lines": lines,
            "event": make_event(),
            "adapter": variant.adapter,
            "url": sink.url,
            "options": variant.options,
        }
        with running_site(order, variant.packages, Path(folder)) as site:
            put_load(wrk, site.url, WARM_SECONDS)
            load = put_load(wrk, site.url, seconds)
        ends = site.ends()
        requests = sum(end["requests"] for end in ends)
        events = requests * EVENTS if variant.name != NONE else 0
        seen = sink.ask(f"/await/{events}/{ARRIVAL}")
    return Turn(
        **load._asdict(),
        cpu=sum(end["cpu"] for end in ends) / requests,
        events=events,
        delivered=seen["count"],
    )


def take_turns(
    variants: Sequence[Variant],
    rounds: int,
    seed: int,
    turn: Callable[[Variant], Turn],
    say: Callable[[str], None],
) -> tuple[dict[Variant, Rounds], list[str]]:
    """
    Have each variant take its turn once a round, in random order.

    Args:
        variants: What to measure.

        rounds: How often.

        seed: Of the order.

        turn: Measures one.

        say: Told what is going on.

    Returns:
        What was measured, and the failures of peers.

    Raises:
        RuntimeError: The application failed without any SDK or with
            ringamp, or ringamp lost an event: then all figures are void.
    """
    shuffle = random.Random(seed).shuffle  # noqa: S311 - no secret.
    series: dict[Variant, Rounds] = {variant: {} for variant in variants}
    failures: list[str] = []
    order = list(variants)
    for number in range(1, rounds + 1):
        shuffle(order)
        for variant in order:
            began = perf_counter()
            where = f"round {number} of {rounds}: {variant.title}"
            try:
                measured = turn(variant)
            except RuntimeError as error:
                if variant.name in (NONE, OURS):
                    raise
                failures.append(f"{where}: {error}")
                say(failures[-1])
                continue
            series[variant][number] = measured
            if variant.name == OURS and measured.delivered != measured.events:
                raise RuntimeError(
                    "the run is void, events are missing or doubled: "
                    f"{where}: {measured}"
                )
            say(
                f"{where}: {measured.rate:,.0f} requests/s, "
                f"p99 {measured.p99:.2f} ms, "
                f"{measured.delivered:,} of {measured.events:,} events "
                f"({perf_counter() - began:.0f} s)"
            )
    # One that never ended a turn has no figures.
    return {one: turns for one, turns in series.items() if turns}, failures
