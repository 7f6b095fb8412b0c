# SPDX-License-Identifier: MIT
"""
How much more do two threads log than one, on a Python without a GIL?

    python -X gil=0 -m benchmarks.freethreading

One thread and several log the same number of events each, in turns: the
figure is how many times as many events a second the several reach. Beside
`log_event` stand a loop that only computes, which says what the machine gave
just then; the encoder; and the push alone, of events that were encoded
beforehand, which is what this project's own code does. Each thread has an
event of its own, down to its strings, as a request has: a count of references
that two threads change is what costs most without a GIL.

A module that does not say that it can do without turns the GIL on when it is
imported, for the whole process. Which of ours do that is found out in other
processes. On a Python with a GIL everything runs too, and threads gain
nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import metadata
from itertools import repeat
from threading import Barrier, Thread
from time import perf_counter
from typing import Any

import orjson
import typer

from benchmarks.calls import SLEEPY, fitting, go_around
from benchmarks.harness import (
    EventSizeOption,
    JSONOption,
    KindOption,
    RoundsOption,
    Setup,
    ThreadsOption,
    answer,
    check_delivered,
    interleave,
    make_client,
    ratio,
    settle,
)
from benchmarks.report import Figure
from benchmarks.workload import Kind, json_bytes, make_struct
from ringamp import _native
from ringamp.buffer.region import PrivateRegion
from ringamp.buffer.ring import Ring
from ringamp.collector import CollectorProcess

BLOCK = 10_000
"""Calls a thread and block: long enough for all threads to be running."""

BLOCKS_A_ROUND = 6

RING_BYTES = 32 << 20

BAR = 1.5
"""Of two threads, on two cores."""

MODULES = {
    "_cffi_backend": "cffi",
    "msgspec": "msgspec",
    "orjson": "orjson",
    "urllib3": "urllib3",
    "ringamp._native": "ringamp",
}
"""What `import ringamp` loads that is not of the standard library, and whose
it is."""

PROBE = """
import importlib.util, sys
name, path = sys.argv[1:]
if path:
    spec = importlib.util.spec_from_file_location(name, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
else:
    importlib.import_module(name)
print(sys._is_gil_enabled())
"""


def has_gil() -> bool:
    """
    Whether the GIL is on in this process.
    """
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def who_wants_it() -> list[str]:
    """
    The packages, with versions, that turn the GIL on when they are imported.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHON_GIL"}
    wanting = []
    for module, package in MODULES.items():
        # Ours alone, without the package that imports the others.
        path = _native.__file__ if package == "ringamp" else ""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROBE, module, path or ""],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        if done.stdout.strip() == "True":
            wanting.append(f"{package} {metadata.version(package)}")
    return wanting


def gil_figure() -> Figure:
    """
    Whether the GIL is on, and why.
    """
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        why = "this Python is built with it"
    else:
        wanting = " and ".join(who_wants_it())
        if not has_gil():
            why = f"kept off; {wanting or 'nobody'} would turn it on"
        else:
            why = f"turned on by {wanting or 'an option of the interpreter'}"
    return Figure(
        key="gil",
        label="GIL: 1 where it is on",
        value=int(has_gil()),
        unit="",
        detail=why,
    )


def compute(count: int) -> None:
    """
    A loop that needs nothing of anybody.
    """
    number = 1
    for step in range(count):
        number = (number * 31 + step) & 255


def call_often(call: Callable[..., object], count: int, *args: Any) -> None:
    """
    Call with the same arguments again and again.
    """
    for _ in repeat(None, count):
        call(*args)


class Crowd:
    """
    What several threads do at once, and what there is to do afterwards.

    Args:
        works: One for each thread.

        count: Of the events that each is about.

        after: Called when all are done, outside the measured time.
    """

    def __init__(
        self,
        works: Sequence[Callable[[], None]],
        count: int,
        after: Callable[[], object] = lambda: None,
    ) -> None:
        self._works = works
        self._count = count
        self._after = after

    def run(self, threads: int) -> float:
        """
        Wall-clock seconds an event, with the first *threads* of them.
        """
        barrier = Barrier(threads)
        spans: list[tuple[float, float]] = []

        def work(one: Callable[[], None]) -> None:
            barrier.wait()
            started = perf_counter()
            one()
            spans.append((started, perf_counter()))

        crowd = [Thread(target=work, args=(one,)) for one in self._works]
        for thread in crowd[:threads]:
            thread.start()
        for thread in crowd[:threads]:
            thread.join()
        self._after()
        first = min(started for started, _ in spans)
        last = max(ended for _, ended in spans)
        return (last - first) / (threads * self._count)


def of_its_own(value: Any) -> Any:
    """
    Copy an event so that nothing in it is another's: its keys are those that
    are written in a program, which have no count, and its values new objects.

    A copy of the usual kind shares the strings, and one that comes out of the
    encoder shares the keys, which it remembers.
    """
    if isinstance(value, dict):
        return {
            sys.intern(key): of_its_own(inner) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [of_its_own(inner) for inner in value]
    if isinstance(value, str):
        return "".join([*value])
    return float(repr(value)) if isinstance(value, float) else value


def drain(ring: Ring) -> None:
    """
    Make the ring empty.
    """
    while True:
        batch = ring.fill(b"[", b"]", max_count=2000, max_bytes=1 << 20)
        if batch is None or batch.end is None:
            return
        ring.release(batch.end)
        ring.reuse(batch)


def make_crowds(setup: Setup, url: str) -> tuple[dict[str, Crowd], Any]:
    """
    Prepare what is compared, and the client that it logs with.
    """
    threads = range(setup.threads)
    events = [of_its_own(setup.make_event()) for _ in threads]
    structs = [make_struct(event) for event in events]
    client = make_client("freethreading", url, **SLEEPY)
    go_around(client, events[0])
    each = fitting(client, events[0], BLOCK * setup.threads) // setup.threads
    ring = Ring(
        PrivateRegion(RING_BYTES).format(),
        min_id_length=5,
        max_event=1 << 20,
        library=b"ringamp/benchmark",
    )
    for _ in range(RING_BYTES // (each * json_bytes(events[0])) + 1):
        call_often(ring.push_event, each, events[0])
        drain(ring)

    def often(call: Callable[..., object], arguments: Any) -> list[Any]:
        return [partial(call_often, call, each, *args) for args in arguments]

    def log_often(ours: Sequence[Any]) -> list[Any]:
        # The bound method is each thread's own, as when it is called by name.
        return [partial(call_often, client.log_event, each, e) for e in ours]

    logged = partial(settle, client)
    return {
        "compute": Crowd([partial(compute, 10 * each) for _ in threads], each),
        "encoder": Crowd(often(orjson.dumps, zip(events)), each),
        "push": Crowd(
            often(
                ring.push_dict,
                [(orjson.dumps(event), event) for event in events],
            ),
            each,
            partial(drain, ring),
        ),
        "dict": Crowd(log_often(events), each, logged),
        "struct": Crowd(log_often(structs), each, logged),
    }, client


LABELS = {
    "dict": "log_event(dict)",
    "struct": "log_event(Event)",
    "push": "push of what is encoded",
    "encoder": "orjson.dumps",
    "compute": "a loop that only computes",
}


def measure(setup: Setup, collector: CollectorProcess) -> Iterator[Figure]:
    """
    Compare one thread with several.
    """
    yield gil_figure()
    crowds, client = make_crowds(setup, collector.url)
    series = interleave(
        {
            f"{name} {threads}": partial(crowd.run, threads)
            for name, crowd in crowds.items()
            for threads in {1, setup.threads}
        },
        setup.rounds * BLOCKS_A_ROUND,
    )
    check_delivered(client)
    client.shutdown()
    is_held = not has_gil() and setup.threads == 2
    for name, label in LABELS.items():
        yield ratio(
            f"threads_{name}",
            f"{label}: {setup.threads} threads / one",
            series[f"{name} 1"],
            series[f"{name} {setup.threads}"],
            scale=1e9,
            unit="ns an event",
            bar=BAR if is_held and name in {"dict", "struct"} else None,
            wants_more=True,
        )


def main(
    *,
    event: KindOption = Kind.TYPICAL,
    event_size: EventSizeOption = 0,
    threads: ThreadsOption = 2,
    rounds: RoundsOption = 5,
    json: JSONOption = None,
) -> None:
    """
    How much more do two threads log than one?
    """
    setup = Setup(
        event=event, event_size=event_size, threads=threads, rounds=rounds
    )
    uses = ("event", "event_size", "threads", "rounds")
    answer("Threads without a GIL", setup, [measure], json, uses)


if __name__ == "__main__":
    typer.run(main)
