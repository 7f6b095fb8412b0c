# SPDX-License-Identifier: MIT
"""
What does gzip cost, what does it save, and when does it pay?

    python -m benchmarks.compression --rounds 9 --json figures.json

Packing is measured on bodies as ringamp sends them, in the processor time of
the thread that packs; between two of them the processor's cache is swept, as
the application does. Events of one kind are the best case for gzip, so bodies
of events that differ in ids, times and values are packed as well.

Then one process delivers in turns with gzip and without, to the counting
collector over plain HTTP and to a server behind TLS, which is how the service
is reached. The processor time is that of the whole process. Plain HTTP on
loopback is the worst case for gzip: a byte costs next to nothing to send.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from time import thread_time
from typing import Any

import orjson
import typer

from benchmarks.delivery import Recorder, Run, log_all
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
    interleave,
    make_client,
    quartiles,
    ratio,
    settle,
)
from benchmarks.report import Figure
from benchmarks.tls_sink import TLSSink
from benchmarks.workload import Kind
from ringamp import Client
from ringamp.collector import CollectorProcess
from ringamp.transport.compression import Codec, installed

BATCH = 2000
"""Events of a body, the most that the service takes."""

CODEC_BAR = {"isal": 0.5}
BYTES_BAR = 0.15
CPU_BAR = 1.0
"""Behind TLS, where bytes are dear. On loopback it costs less to send one than
to pack it, whatever packs it."""

SWEEP = bytes(4 << 20)
"""More than a core's own cache holds."""

BLOCKS = 20
"""Bodies a round and codec."""


def alike(setup: Setup) -> list[bytes]:
    """
    Make bodies of the chosen event, as they are sent.
    """
    recorder = Recorder()
    client = make_client(
        "bodies",
        "http://127.0.0.1:1/2/httpapi",
        transport_class=recorder,
        on_full="block",
        upload_interval_in_sec=60,
    )
    log_all(client, setup.make_event(), 8 * BATCH)
    settle(client)
    client.shutdown()
    return recorder.bodies


def mixed(setup: Setup) -> list[bytes]:
    """
    Make bodies of events that differ where those of many users would.
    """
    chance = random.Random(1)  # noqa: S311 - no secret.

    def one(number: int) -> bytes:
        event = setup.make_event()
        event["user_id"] = f"user-{chance.randrange(10**6)}@example.com"
        event["time"] = 1_700_000_000_000 + 3 * number
        event["insert_id"] = f"{chance.getrandbits(64):016x}-{number}"
        event["ip"] = ".".join(str(chance.randrange(256)) for _ in range(4))
        event["event_properties"]["load_time"] = chance.random()
        return orjson.dumps(event)

    return [
        b'{"api_key":"BENCHMARK","events":[%b]}'
        % b",".join(map(one, range(start, start + BATCH)))
        for start in range(0, 8 * BATCH, BATCH)
    ]


def pack_all(pack: Codec, bodies: list[bytes]) -> float:
    """
    Give the seconds of one event's packing.
    """
    seconds = 0.0
    cache = bytearray(SWEEP)
    for number in range(BLOCKS):
        body = bodies[number % len(bodies)]
        cache[:] = SWEEP
        started = thread_time()
        pack(body)
        seconds += thread_time() - started
    return seconds / BLOCKS / BATCH


def measure_codecs(setup: Setup, _: CollectorProcess) -> Iterator[Figure]:
    """
    Pack with each codec that is installed.
    """
    codecs = installed()
    kinds = {"one kind": alike(setup), "mixed": mixed(setup)}
    is_example = setup.encoder_bar(0.0) is not None
    blocks: dict[str, Callable[[], float]] = {
        f"{name}, {kind}": partial(pack_all, pack, bodies)
        for kind, bodies in kinds.items()
        for name, pack in codecs.items()
    }
    series = interleave(blocks, setup.rounds)
    for kind, bodies in kinds.items():
        for name, pack in codecs.items():
            seconds = [one * MICRO for one in series[f"{name}, {kind}"]]
            plain, packed = len(bodies[0]), len(pack(bodies[0]))
            has_bar = is_example and kind == "one kind"
            yield Figure(
                key=f"pack_{name}_{kind.replace(' ', '_')}",
                label=f"packing with {name}, an event ({kind})",
                value=median(seconds),
                unit="us",
                quartiles=quartiles(seconds),
                bar=CODEC_BAR.get(name) if has_bar else None,
                detail=f"{packed:,} of {plain:,} bytes:"
                f" {100 * packed / plain:.1f} %",
            )


def deliver(client: Client, event: dict[str, Any], events: int) -> int:
    """
    Log events and wait for their ends.
    """
    log_all(client, event, events)
    settle(client)
    return events


def in_turns(
    setup: Setup, name: str, url: str
) -> tuple[dict[str, list[Run]], dict[str, Client]]:
    """
    Deliver with gzip and without; give the runs and the clients.
    """
    clients = {
        "gzip": make_client(
            f"{name}-gzip", url, on_full="block", compression="gzip"
        ),
        "plain": make_client(f"{name}-plain", url, on_full="block"),
    }
    runs: dict[str, list[Run]] = {kind: [] for kind in clients}
    event = setup.make_event()
    for number in range(setup.rounds + 1):
        for kind, client in clients.items():
            run = Run.of(partial(deliver, client, event, setup.events))
            # The first round goes once around the ring.
            if number:
                runs[kind].append(run)
    for client in clients.values():
        check_delivered(client)
        client.shutdown()
    return runs, clients


def measure(setup: Setup, collector: CollectorProcess) -> Iterator[Figure]:
    """
    Deliver to the collector and behind TLS.
    """
    is_example = setup.encoder_bar(0.0) is not None
    runs, clients = in_turns(setup, "http", collector.url)
    sent = [client.stats() for client in clients.values()]
    read = collector.summary().bytes
    counted = sum(one.bytes_sent for one in sent)
    if read != counted:
        raise RuntimeError(f"the run is void: {read} bytes, not {counted}")
    packed, saved = sent[0].bytes_sent, sent[0].bytes_saved
    yield Figure(
        key="gzip_bytes",
        label="bytes on the wire with gzip / without",
        value=packed / (packed + saved),
        bar=BYTES_BAR if is_example else None,
        detail=f"{packed:,} / {packed + saved:,}",
    )
    yield from _compared("http", "plain HTTP on loopback", runs)
    with TLSSink() as sink:
        runs, _ = in_turns(setup, "tls", sink.url)
    yield from _compared("tls", "TLS on loopback", runs, CPU_BAR)


def _compared(
    key: str,
    how: str,
    runs: dict[str, list[Run]],
    bar: float | None = None,
) -> Iterator[Figure]:
    """
    Compare processor time and rate.
    """
    gzip, plain = runs["gzip"], runs["plain"]
    yield ratio(
        f"gzip_cpu_{key}",
        f"processor time of a delivered event, gzip / none, {how}",
        [run.cpu for run in gzip],
        [run.cpu for run in plain],
        bar=bar,
    )
    yield ratio(
        f"gzip_throughput_{key}",
        f"delivered events/s, gzip / none, {how}",
        [1 / run.seconds for run in gzip],
        [1 / run.seconds for run in plain],
        scale=1,
        unit="events/s",
    )


def main(
    *,
    events: EventsOption = 200_000,
    event: KindOption = Kind.TYPICAL,
    event_size: EventSizeOption = 0,
    rounds: RoundsOption = 5,
    json: JSONOption = None,
) -> None:
    """
    What does gzip cost, what does it save, and when does it pay?
    """
    setup = Setup(
        events=events, event=event, event_size=event_size, rounds=rounds
    )
    uses = ("events", "event", "event_size", "rounds")
    measures = [measure_codecs, measure]
    answer("Compression", setup, measures, json, uses)


if __name__ == "__main__":
    typer.run(main)
