# SPDX-License-Identifier: MIT
"""
The process whose instructions are counted.

    python -m benchmarks.instructions_work           under callgrind
    python -m benchmarks.instructions_work --trace   the bytecodes, as JSON

Each road is gone once to warm up, then by `EVENTS` events, then by twice as
many. Between these the process calls `getppid`, which does nothing and makes
callgrind begin a new count, so that the difference of the last two is what
`EVENTS` events cost: neither the start of the process nor a loop is in it.

Nothing waits for a network or for the clock: the transport answers at once,
and the flusher sleeps until it is told to send.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from benchmarks.calls import SLEEPY, no_op
from benchmarks.harness import make_client, settle
from benchmarks.workload import make_event, make_struct
from ringamp import Client, Payload, Response, Status

EVENTS = 2000
"""What the shortest count of each road covers; a whole request."""

WARM = 2 * EVENTS

URL = "http://127.0.0.1:9/"

TAKEN = Response(Status.SUCCESS, 200)

Road = Callable[[int], None]


class Taker:
    """
    A transport that says that all was taken.
    """

    trace: Any = None

    def send_payload(self, payload: Payload) -> Response:
        """
        Take it; and trace the thread that sends, if there is a tracer.
        """
        del payload
        if self.trace is not None:
            follow(self.trace)
        return TAKEN


def roads() -> Iterator[tuple[str, Road, Callable[[], None]]]:
    """
    Give the name of each road, the road, and what empties the ring again.
    """
    event = make_event()
    struct = make_struct(event)
    plain = client("plain")
    guarded = client("guarded").add_event_middleware(no_op)
    for name, instance, logged in (
        ("log_event(dict)", plain, event),
        ("log_event(Event)", plain, struct),
        ("log_event(dict) with a middleware", guarded, event),
    ):
        yield name, logging(instance, logged), settling(instance)
    yield "delivered event", delivering(plain, event), settling(plain)


def client(name: str) -> Client:
    """
    Make an instance whose events are taken at once, when asked.
    """
    return make_client(name, URL, transport_class=Taker, **SLEEPY)


def logging(instance: Client, event: Any) -> Road:
    """
    The road of a call.
    """

    def log(count: int) -> None:
        log_event = instance.log_event
        for _ in repeat(None, count):
            log_event(event)

    return log


def settling(instance: Client) -> Callable[[], None]:
    """
    What sends all that was logged.
    """
    return lambda: settle(instance)


def delivering(instance: Client, event: Any) -> Road:
    """
    The road from the call to the answer.
    """
    log = logging(instance, event)

    def deliver(count: int) -> None:
        log(count)
        settle(instance)

    return deliver


def mark() -> None:
    """
    Have callgrind begin a new count.
    """
    os.getppid()


def count_instructions() -> None:
    """
    Go all roads.
    """
    for _, road, clear in roads():
        road(WARM)
        clear()
        mark()
        road(EVENTS)
        mark()
        road(2 * EVENTS)
        mark()
        clear()


def follow(trace: Any) -> None:
    """
    Trace this thread from now on, in the frames that are open too.
    """
    sys.settrace(trace)
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - no other way.
    while frame is not None:
        trace(frame, "call", None)
        frame.f_trace = trace
        frame = frame.f_back


def count_bytecodes() -> dict[str, dict[str, float]]:
    """
    Go all roads, and say how many bytecodes of which function an event
    takes.
    """
    counted: Counter[str] = Counter()

    def trace(frame: FrameType, kind: str, _: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if kind == "opcode":
            code = frame.f_code
            file = Path(code.co_filename).name
            counted[f"{file}:{code.co_name}"] += 1
        return trace

    found = {}
    for name, road, clear in roads():
        road(WARM)
        clear()
        counts = []
        for events in (EVENTS, 2 * EVENTS):
            before = counted.copy()
            Taker.trace = trace
            sys.settrace(trace)
            road(events)
            sys.settrace(None)
            Taker.trace = None
            counts.append(counted - before)
        clear()
        found[name] = {
            function: (counts[1][function] - counts[0][function]) / EVENTS
            for function in counts[1]
        }
    return found


if __name__ == "__main__":
    gc.disable()
    if "--trace" in sys.argv:
        print(msgspec.json.encode(count_bytecodes()).decode())
    else:
        count_instructions()
    sys.stdout.flush()
    os._exit(0)
