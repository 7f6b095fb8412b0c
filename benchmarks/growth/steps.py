# SPDX-License-Identifier: MIT
"""
Where do the microseconds of one event go?

    python -m benchmarks.growth.steps

The caller's part is measured while the flusher sleeps: the encoder alone, the
push (which encodes), the whole call. Then events are logged and delivered,
and the processor time of each thread is taken apart: that of the caller by
what is more than before, that of the flusher by clocks around the three things
it does for a batch. What is in none of them is the rest: waking, sleeping,
arming the ring, asking the policy, counting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, wraps
from statistics import median
from time import process_time, thread_time, thread_time_ns
from typing import Any, NamedTuple

import orjson
import typer

from benchmarks.calls import SLEEPY, fitting, go_around
from benchmarks.delivery import log_all
from benchmarks.growth.turns import cpu_of
from benchmarks.harness import (
    MICRO,
    EventSizeOption,
    EventsOption,
    JSONOption,
    KindOption,
    RoundsOption,
    Setup,
    answer,
    check_delivered,
    make_client,
    quartiles,
    settle,
)
from benchmarks.report import Figure
from benchmarks.workload import Kind
from ringamp import Client
from ringamp.buffer.ring import Ring
from ringamp.collector import CollectorProcess
from ringamp.flusher.verdicts import Verdicts
from ringamp.transport import HTTPTransport

CALLS = 5000
CALL_BLOCKS = 10
"""Blocks of calls a round: they are short, and there is time for more."""

WORKS: dict[str, tuple[type, str]] = {
    "fill": (Ring, "fill"),
    "http": (HTTPTransport, "send_payload"),
    "settle": (Verdicts, "settle"),
}
"""What the flusher does for a batch, and where a clock is put around it."""

LABELS = {
    "encode": "encode: orjson.dumps",
    "push": "push: check ids, reserve, copy, commit",
    "receipt": "the call around it, with the receipt",
    "beside": "what the call costs more beside a flusher at work",
    "fill": "claim, splice, release: the request's body, out of the ring",
    "http": "HTTP: request, answer, and the kernel that copies the body",
    "settle": "settle: resolve receipts, count",
    "rest": "the flusher's rest: wake, sleep, arm, ask the policy",
    "total": "processor time of a delivered event",
}


class Clocks:
    """
    Clocks around the flusher's works, each without what it does inside
    another one.
    """

    def __init__(self) -> None:
        self.spent = dict.fromkeys(WORKS, 0)
        self._inside = 0

    def wind(self) -> None:
        """
        Put them there, for as long as this process lives.
        """
        for name, (owner, method) in WORKS.items():
            setattr(owner, method, self._around(name, getattr(owner, method)))

    def _around(
        self, name: str, call: Callable[..., Any]
    ) -> Callable[..., Any]:
        @wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            outside, self._inside = self._inside, 0
            began = thread_time_ns()
            try:
                return call(*args, **kwargs)
            finally:
                taken = thread_time_ns() - began
                self.spent[name] += taken - self._inside
                self._inside = outside + taken

        return timed


class Delivered(NamedTuple):
    """
    Seconds of processor time of each event.
    """

    total: float
    caller: float
    works: dict[str, float]


def measure(setup: Setup, collector: CollectorProcess) -> Iterator[Figure]:
    """
    Take calls and deliveries apart, in turns.
    """
    event = setup.make_event()
    clocks = Clocks()
    clocks.wind()
    asleep = make_client("asleep", collector.url, **SLEEPY)
    awake = make_client("awake", collector.url, on_full="block")
    for client in (asleep, awake):
        go_around(client, event)
    calls = min(CALLS, fitting(asleep, event, CALLS))
    series: dict[str, list[float]] = {name: [] for name in LABELS}
    requests = awake.stats().requests
    for _ in range(setup.rounds):
        taken = steps_of_call(asleep, event, calls)
        found = deliver(awake, event, setup.events, clocks)
        call = sum(taken.values())
        taken["beside"] = found.caller - call
        taken.update(found.works)
        taken["rest"] = found.total - found.caller - sum(found.works.values())
        taken["total"] = found.total
        for name, value in taken.items():
            series[name].append(value * MICRO)
    requests = awake.stats().requests - requests
    for client in (asleep, awake):
        check_delivered(client)
        client.shutdown()
    batch = setup.events * setup.rounds / requests
    yield from figures(series, batch)


def figures(series: dict[str, list[float]], batch: float) -> Iterator[Figure]:
    """
    Give each step's median, its part of the whole, and what it is for a
    request of *batch* events.
    """
    total = median(series["total"])
    for name, label in LABELS.items():
        value = median(series[name])
        yield Figure(
            key=f"step_{name}",
            label=label,
            value=value,
            unit="us",
            quartiles=quartiles(series[name]),
            detail=f"{value / total:.0%}, {value * batch:,.0f} us a request "
            f"of {batch:,.0f} events",
        )


def steps_of_call(
    client: Client, event: dict[str, Any], calls: int
) -> dict[str, float]:
    """
    Seconds of each step of a call, while nothing is sent.
    """
    session = client._session  # noqa: SLF001 - a step has no public name.
    if session is None:
        raise RuntimeError("the client was never initialised")
    works: dict[str, Callable[[Any], object]] = {
        "encode": orjson.dumps,
        "push": session.ring.push_event,
        "receipt": client.log_event,
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(CALL_BLOCKS):
        for name, work in works.items():
            block = partial(repeat_call, work, event, calls)
            times[name].append(cpu_of(block, calls))
            settle(client)
    encode, push, whole = (median(times[name]) for name in works)
    return {
        "encode": encode,
        "push": push - encode,
        "receipt": whole - push,
    }


def repeat_call(
    call: Callable[[Any], object], argument: Any, count: int
) -> None:
    """
    Call it so often.
    """
    for _ in range(count):
        call(argument)


def deliver(
    client: Client, event: dict[str, Any], events: int, clocks: Clocks
) -> Delivered:
    """
    Log and deliver; say which thread took what of the processor's time.
    """
    before = dict(clocks.spent)
    total, caller = process_time(), thread_time()
    log_all(client, event, events)
    caller = thread_time() - caller
    settle(client)
    total = process_time() - total
    works = {
        name: (spent - before[name]) / 1e9 / events
        for name, spent in clocks.spent.items()
    }
    return Delivered(total / events, caller / events, works)


def main(
    *,
    events: EventsOption = 100_000,
    event: KindOption = Kind.TYPICAL,
    event_size: EventSizeOption = 0,
    rounds: RoundsOption = 15,
    json: JSONOption = None,
) -> None:
    """
    Where do the microseconds of one event go?
    """
    setup = Setup(
        events=events, event=event, event_size=event_size, rounds=rounds
    )
    uses = ("events", "event", "event_size", "rounds")
    answer("The steps of one event", setup, [measure], json, uses)


if __name__ == "__main__":
    typer.run(main)
