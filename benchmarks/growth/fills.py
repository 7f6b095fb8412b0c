# SPDX-License-Identifier: MIT
"""
What does a call cost as the buffer fills?

The transport waits at a gate while the buffer is filled, a block of calls is
timed at each level on the way, and then the gate opens: so nothing is sent,
and no event is dropped, while calls are timed.
"""

from __future__ import annotations

from itertools import repeat
from threading import Event as Gate
from typing import Any

import msgspec
import orjson

from benchmarks.growth.curves import Curve, Growth
from benchmarks.harness import (
    MICRO,
    RECORD_EXTRA,
    WAIT_SECONDS,
    WARM_CALLS,
    check_delivered,
    make_client,
    ratio,
    seconds_per_call,
    settle,
)
from benchmarks.workload import json_bytes, make_event
from ringamp import Client, Payload, Response, Status

NOWHERE = "http://127.0.0.1:9/2/httpapi"
"""Nothing is sent there; the transport is our own."""


class Scale(msgspec.Struct, frozen=True):
    """
    How much is measured.

    Attributes:
        levels: Percent of the buffer in use.

        calls: In a block.

        buffer_bytes: The option.

        rounds: Repeats.
    """

    levels: tuple[int, ...]
    calls: int
    buffer_bytes: int
    rounds: int


FULL = Scale((1, 10, 25, 50, 75, 90, 98), 1000, 32 * 2**20, 40)
QUICK = Scale((1, 50, 90), 100, 2**20, 2)


class Turnstile:
    """
    A transport that holds every payload until its gate is open.
    """

    def __init__(self) -> None:
        self._gate = Gate()
        self._gate.set()
        self._waiting = Gate()

    def shut(self, client: Client, event: dict[str, Any]) -> None:
        """
        Close the gate, and wait until the flusher of *client* stands at it
        with one *event*.

        Raises:
            RuntimeError: It never came.
        """
        self._waiting.clear()
        self._gate.clear()
        client.log_event(event)
        if not self._waiting.wait(WAIT_SECONDS):
            raise RuntimeError("the run is void, nothing is being sent")

    def open(self) -> None:
        """
        Let everything pass.
        """
        self._gate.set()

    def send_payload(self, _: Payload) -> Response:
        """
        Wait, then say that it was taken.
        """
        self._waiting.set()
        self._gate.wait(WAIT_SECONDS)
        return Response(Status.SUCCESS, 200)


def measure(scale: Scale) -> Growth:
    """
    Fill the buffer so often, and time a block at every level.
    """
    event = make_event()
    transport = Turnstile()
    client = make_client(
        "fills",
        NOWHERE,
        transport_class=transport,
        buffer_bytes=scale.buffer_bytes,
    )
    series: dict[float, list[float]] = {level: [] for level in scale.levels}
    encoded: list[float] = []
    # The first round touches the buffer's memory, and does not count.
    for _ in range(scale.rounds + 1):
        transport.shut(client, event)
        for level in scale.levels:
            series[level].append(at_level(client, event, level, scale.calls))
        encoded.append(seconds_per_call(orjson.dumps, event, scale.calls))
        transport.open()
        settle(client)
    check_delivered(client)
    client.shutdown()
    counted = {level: values[1:] for level, values in series.items()}
    least, most = min(scale.levels), max(scale.levels)
    return Growth(
        axis="fill",
        question="Time of a call as the buffer fills",
        along="buffer in use, %",
        curves=[
            Curve.of("log_event", "us", counted, MICRO),
            Curve.of(
                "orjson.dumps",
                "us",
                dict.fromkeys(scale.levels, encoded[1:]),
                MICRO,
            ),
        ],
        bars=[
            ratio(
                "fill_call",
                f"log_event at {most} % / at {least} %",
                counted[most],
                counted[least],
            )
        ],
    )


def at_level(
    client: Client, event: dict[str, Any], level: int, calls: int
) -> float:
    """
    Fill up to *level* percent, less the block that is timed then.
    """
    stats = client.stats()
    record = json_bytes(event) + RECORD_EXTRA
    target = stats.buffer_capacity * level // 100
    # The block is before its level, so that the last one has room as well.
    missing = target - stats.buffer_used - (calls + WARM_CALLS) * record
    for _ in repeat(None, max(0, missing // record)):
        client.log_event(event)
    return seconds_per_call(client.log_event, event, calls)
