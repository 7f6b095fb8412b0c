# SPDX-License-Identifier: MIT
"""
What every axis measures with: blocks in turns, by processor time.

The processor time is that of the whole process, all threads. It does not see
that others wanted the core, only that they were in its caches; so every place
of an axis has its turn in every round, and medians are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from itertools import repeat
from time import process_time
from typing import Any, TypeVar

import orjson

from benchmarks.delivery import log_all
from benchmarks.harness import interleave, settle
from benchmarks.workload import json_bytes
from ringamp import Client

Place = TypeVar("Place", bound=Hashable)

LINE = {
    "sku": "SKU-00017",
    "title": "Article number 17",
    "price": 26.99,
    "quantity": 2,
    "in_stock": True,
}


def in_turns(
    blocks: Mapping[Place, Callable[[], float]], rounds: int
) -> dict[Place, list[float]]:
    """
    Measure each place of an axis once a round, in random order, after a round
    that does not count: it touches memory for the first time.
    """
    named = {str(x): block for x, block in blocks.items()}
    for block in named.values():
        block()
    series = interleave(named, rounds)
    return {x: series[str(x)] for x in blocks}


def cpu_of(work: Callable[[], object], count: int) -> float:
    """
    Seconds of processor time for each of the *count* things *work* does.
    """
    began = process_time()
    work()
    return (process_time() - began) / count


def delivered_cpu(client: Client, event: dict[str, Any], count: int) -> float:
    """
    Seconds of processor time of a delivered event: from the first call to the
    last answer.
    """

    def deliver() -> None:
        log_all(client, event, count)
        settle(client)

    return cpu_of(deliver, count)


def encoder_cpu(event: dict[str, Any], count: int) -> float:
    """
    Seconds of processor time of the encoder alone.
    """
    return cpu_of(partial(encode_all, event, count), count)


def encode_all(event: dict[str, Any], count: int) -> None:
    """
    Encode *event* so often.
    """
    dumps = orjson.dumps
    for _ in repeat(None, count):
        dumps(event)


def grown_event(size: int) -> dict[str, Any]:
    """
    Make an event whose JSON has *size* bytes: a longer order has more lines,
    not longer words. At least some 90.
    """
    lines: list[dict[str, Any]] = []
    properties: dict[str, Any] = {"lines": lines}
    event = {
        "event_type": "order",
        "user_id": "datamonster",
        "event_properties": properties,
    }
    step = json_bytes(LINE) + 1
    padding = ',"p":""'
    room = size - json_bytes(event) - len(padding)
    lines.extend(dict(LINE) for _ in range(max(0, room // step)))
    properties["p"] = ""
    properties["p"] = "x" * max(0, size - json_bytes(event))
    return event
