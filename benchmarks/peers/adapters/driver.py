# SPDX-License-Identifier: MIT
"""
Puts one Python peer through one task, in the peer's own environment.

    python driver.py '{"adapter": "/path/posthog_adapter.py", ...}'

Standard library alone. An adapter is a file with a class `Peer`:

    Peer(url, options)   makes the SDK's client, to send to the sink at *url*
    prepare(event)       a function of no arguments that logs *event* once;
                         what can be made beforehand is, but for objects that
                         the SDK keeps until they are sent
    drain()              what the SDK's documentation says to call before the
                         process ends; may hang, may raise

The order is one JSON object, the answer another one on stdout. Whether events
arrived is asked of the sink, not of the peer.
"""

from __future__ import annotations

import gc
import http.client
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from threading import Thread
from time import monotonic, monotonic_ns, perf_counter_ns, process_time, sleep
from typing import Any
from urllib.parse import urlsplit

Order = dict[str, Any]
Call = Callable[[], object]

PEAK_RESET = "5"
"""Written to clear_refs, it makes VmHWM begin anew."""

KIB = 1024
ARRIVAL_SECONDS = 30
"""How long the sink is asked to wait for what was logged."""

FORK_EVENTS = 100
CHILDREN = 4
HUNG_SECONDS = 8
"""A child that has not drained by then is counted as hung, and killed."""

STEP = 0.01


def connect(order: Order, url: str) -> Any:
    """
    Load the adapter and make its peer.
    """
    spec = importlib.util.spec_from_file_location("adapter", order["adapter"])
    if spec is None or spec.loader is None:
        raise ImportError(order["adapter"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Peer(url, order["options"])


def ask(order: Order, path: str) -> dict[str, Any]:
    """
    Ask the sink something.
    """
    address = urlsplit(order["url"])
    wire = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=ARRIVAL_SECONDS + 10
    )
    try:
        wire.request("GET", path)
        answer: dict[str, Any] = json.loads(wire.getresponse().read())
    finally:
        wire.close()
    return answer


def arrivals(order: Order, count: int, seconds: float) -> dict[str, Any]:
    """
    Wait until *count* events have arrived, at most *seconds*.
    """
    return ask(order, f"/await/{count}/{seconds}")


def numbered(peer: Any, order: Order, serial: str) -> Call:
    """
    What logs an event that can be told from the others.
    """
    event = order["event"]
    properties = {**event["event_properties"], "serial": serial}
    call: Call = peer.prepare({**event, "event_properties": properties})
    return call


def log_in_chunks(peer: Any, call: Call, events: int, chunk: int) -> None:
    """
    Log *events*, draining after each *chunk*: a queue that is full drops.
    """
    for start in range(0, events, chunk):
        for _ in repeat(None, min(chunk, events - start)):
            call()
        peer.drain()


def time_calls(order: Order) -> dict[str, Any]:
    """
    Time every single call, in blocks with a drain in between.
    """
    peer = connect(order, order["url"])
    call = peer.prepare(order["event"])
    block = min(order["block"], order["events"])
    spans: list[int] = []
    note, now = spans.append, perf_counter_ns
    log_in_chunks(peer, call, block, block)  # Warm.
    for _ in range(max(1, order["events"] // block)):
        for _ in repeat(None, block):
            began = now()
            call()
            note(now() - began)
        peer.drain()
    spans.sort()
    return {
        name: spans[min(len(spans) - 1, int(len(spans) * part))] / 1000
        for name, part in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
    }


def deliver(order: Order) -> dict[str, Any]:
    """
    Log and deliver: what it takes of the processor, the clock and memory.
    """
    peer = connect(order, order["url"])
    call = peer.prepare(order["event"])
    events, chunk = order["events"], order["chunk"]
    patience = order["arrival"]
    log_in_chunks(peer, call, 1, 1)
    before = arrivals(order, 1, patience)["count"]
    gc.collect()
    idle = resident("VmRSS")
    reset_peak()
    warm = max(1, events // 4)
    log_in_chunks(peer, call, warm, chunk)
    before = arrivals(order, before + warm, patience)["count"]
    cpu, began = process_time(), monotonic_ns()
    log_in_chunks(peer, call, events, chunk)
    seen = arrivals(order, before + events, patience)
    cpu = process_time() - cpu
    return {
        "logged": events,
        "delivered": seen["count"] - before,
        "seconds": (seen["last"] - began) / 1e9,
        "cpu": cpu,
        "memory": resident("VmHWM") - idle,
    }


def exit_without_flush(order: Order) -> dict[str, Any]:
    """
    Log and return: the interpreter ends as it ends always.
    """
    peer = connect(order, order["url"])
    for number in range(order["events"]):
        numbered(peer, order, f"e-{number}")()
    return {}


def die(order: Order) -> dict[str, Any]:
    """
    Be killed right after the last call.
    """
    peer = connect(order, order["url"])
    calls = [
        numbered(peer, order, f"k-{number}")
        for number in range(order["events"])
    ]
    for call in calls:
        call()
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def come_after(order: Order) -> dict[str, Any]:
    """
    Be the next process after one that was killed.
    """
    peer = connect(order, order["url"])
    numbered(peer, order, "n-0")()
    peer.drain()
    arrivals(order, order["events"] + 1, ARRIVAL_SECONDS)
    return {}


def fork(order: Order) -> dict[str, Any]:
    """
    Log before the fork, in four children, and in the parent after it.

    The parent is warm by then, and has events that nobody has drained.
    """
    peer = connect(order, order["url"])
    log_numbered(peer, order, "w")
    peer.drain()
    log_numbered(peer, order, "p")
    children = []
    for number in range(CHILDREN):
        child = os.fork()
        if not child:
            be_child(peer, order, f"c{number}")
        children.append(child)
    log_numbered(peer, order, "q")
    give_up = monotonic() + HUNG_SECONDS
    hung = sum(not ended(child, give_up) for child in children)
    drain = Thread(target=peer.drain, daemon=True)
    drain.start()
    drain.join(HUNG_SECONDS)
    arrivals(order, FORK_EVENTS * (CHILDREN + 3), 5)
    return {"hung": hung + drain.is_alive()}


def be_child(peer: Any, order: Order, name: str) -> None:
    """
    Log, drain, end; does not return.
    """
    status = 1
    try:
        log_numbered(peer, order, name)
        peer.drain()
        status = 0
    finally:
        os._exit(status)


def log_numbered(peer: Any, order: Order, name: str) -> None:
    """
    Log this process's share.
    """
    for number in range(FORK_EVENTS):
        numbered(peer, order, f"{name}-{number}")()


def ended(child: int, give_up: float) -> bool:
    """
    Wait for *child*; kill it when it hangs.
    """
    while monotonic() < give_up:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        sleep(STEP)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def endure(order: Order) -> dict[str, Any]:
    """
    Log at a steady rate before, in and after an outage of the sink.
    """
    peer = connect(order, order["url"])
    rate, outage = order["rate"], order["outage"]
    events = order["events"]
    raised = 0
    began = monotonic()
    for number in range(events):
        if number == rate:
            ask(order, f"/outage/{outage}")
        sleep(max(0.0, began + number / rate - monotonic()))
        try:
            numbered(peer, order, f"o-{number}")()
        except Exception:
            raised += 1
    sleep(max(0.0, began + 1 + outage + 1 - monotonic()))
    drain = Thread(target=peer.drain, daemon=True)
    drain.start()
    drain.join(ARRIVAL_SECONDS)
    arrivals(order, events, order["patience"])
    return {"raised": raised, "hung": int(drain.is_alive())}


def go_steadily(order: Order) -> dict[str, Any]:
    """
    Log groups of events at a steady rate: the processor time of that, and of
    the same loop without a call.
    """
    peer = connect(order, order["url"])
    call = peer.prepare(order["event"])
    patience = order["arrival"]
    log_in_chunks(peer, call, 100, 100)
    before = arrivals(order, 100, patience)["count"]
    idle = process_time()
    keep_pace(order, lambda: None)
    idle = process_time() - idle
    cpu = process_time()
    keep_pace(order, call)
    peer.drain()
    cpu = process_time() - cpu
    seen = arrivals(order, before + order["events"], patience)
    return {"cpu": cpu, "idle": idle, "delivered": seen["count"] - before}


def keep_pace(order: Order, call: Call) -> None:
    """
    Call as often as there are events, in groups, at their rate.
    """
    group, rate = order["group"], order["rate"]
    began = monotonic()
    for done in range(group, order["events"] + 1, group):
        for _ in repeat(None, group):
            call()
        sleep(max(0.0, began + done / rate - monotonic()))


def break_quiet(order: Order) -> dict[str, Any]:
    """
    Log one event after quiet: the seconds until it has arrived.
    """
    peer = connect(order, order["url"])
    call = peer.prepare(order["event"])
    log_in_chunks(peer, call, 1, 1)
    before = arrivals(order, 1, order["arrival"])["count"]
    sleep(order["quiet"])
    began = monotonic_ns()
    call()
    seen = arrivals(order, before + 1, order["arrival"])
    return {"seconds": (seen["last"] - began) / 1e9}


def resident(name: str) -> int:
    """
    The bytes that /proc/self/status has under *name*; 0 where there is none.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    for line in status.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * KIB
    return 0


def reset_peak() -> None:
    """
    Have the kernel's peak of resident memory begin anew.
    """
    refs = Path("/proc/self/clear_refs")
    if refs.exists():
        refs.write_text(PEAK_RESET)


TASKS: dict[str, Callable[[Order], dict[str, Any]]] = {
    "calls": time_calls,
    "delivery": deliver,
    "exit": exit_without_flush,
    "kill": die,
    "next": come_after,
    "fork": fork,
    "outage": endure,
    "steady": go_steadily,
    "quiet": break_quiet,
}


ENDS_BY_ITSELF = ("exit", "outage")
"""Tasks in which the SDK's own way to exit is part of the question."""


def main() -> None:
    """
    Carry one order out.
    """
    order = json.loads(sys.argv[1])
    print(json.dumps(TASKS[order["task"]](order)), flush=True)
    if order["task"] not in ENDS_BY_ITSELF:
        os._exit(0)


if __name__ == "__main__":
    main()
