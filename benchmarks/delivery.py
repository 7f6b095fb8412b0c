# SPDX-License-Identifier: MIT
"""
What does a delivered event cost, and how many a second get through?

One process logs and delivers, the collector counts in another. The peer is
urllib3 on its own: it posts bodies that were built beforehand, byte for byte
those that ringamp sends, over one kept-alive connection of a pool with the
same settings. The processor time is that of the whole process, all threads,
from the first call to the last answer; the encoder's, measured in turns with
it, is the unit.

Beside a thread that computes in Python the clock tells another story: whoever
lets go of the GIL gets it back after a switch interval (5 ms), and a request
needs it several times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle, repeat
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple

import orjson
import typer
import urllib3

from benchmarks.harness import (
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
    ratio,
    settle,
)
from benchmarks.latency import neighbours
from benchmarks.report import Figure
from benchmarks.workload import Kind
from ringamp import Client, Payload, Response, Status
from ringamp.collector import CollectorProcess

BODIES = 8
"""Bodies that the peer posts in turn. So few stay in a server's cache, which
is the best case for the peer."""

BESIDE = 40_000
"""Events a round, at most, beside a thread that computes: it takes longer."""

ENCODED = 50_000
"""Encodings a round."""


class Recorder:
    """
    A transport that keeps the first bodies and says they were taken.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.counts: list[int] = []
        self.headers: dict[str, str] = {}

    def send_payload(self, payload: Payload) -> Response:
        """
        Keep the body.
        """
        if len(self.bodies) < BODIES:
            self.bodies.append(bytes(payload.body))
            self.counts.append(len(payload.events))
            self.headers = dict(payload.headers)
        return Response(Status.SUCCESS, 200)


class Ready:
    """
    Bodies built beforehand, and the pool that posts them.
    """

    def __init__(self, url: str, event: dict[str, Any], events: int) -> None:
        recorder = Recorder()
        client = make_client(
            "bodies",
            url,
            transport_class=recorder,
            on_full="block",
            upload_interval_in_sec=60,
        )
        log_all(client, event, min(events, BODIES * 2000))
        settle(client)
        client.shutdown()
        self._url = url
        self._pool = urllib3.PoolManager(num_pools=4, maxsize=16, block=False)
        self._headers = recorder.headers
        self._bodies = list(zip(recorder.bodies, recorder.counts, strict=True))

    def post(self, events: int) -> int:
        """
        Post at least *events*; give how many it were.
        """
        posted = 0
        for body, count in cycle(self._bodies):
            answer = self._pool.urlopen(
                "POST",
                self._url,
                body=body,
                headers=self._headers,
                timeout=urllib3.Timeout(total=10),
                redirect=False,
                retries=False,
            )
            if answer.status != 200:
                raise RuntimeError(f"the collector answered {answer.status}")
            posted += count
            if posted >= events:
                break
        return posted


class Run(NamedTuple):
    """
    What one event took: of the clock, and of the processor.
    """

    seconds: float
    cpu: float

    @classmethod
    def of(cls, work: Callable[[], int]) -> Run:
        """
        Time *work*, which gives the number of events.
        """
        cpu, started = process_time(), perf_counter()
        events = work()
        seconds, cpu = perf_counter() - started, process_time() - cpu
        return cls(seconds / events, cpu / events)


def measure(setup: Setup, collector: CollectorProcess) -> Iterator[Figure]:
    """
    Deliver, post and encode in turns.
    """
    event = setup.make_event()
    client = make_client("delivery", collector.url, on_full="block")
    ready = Ready(collector.url, event, setup.events)

    def deliver() -> int:
        log_all(client, event, setup.events)
        settle(client)
        return setup.events

    def deliver_beside() -> int:
        events = min(setup.events, BESIDE)
        with neighbours(1):
            log_all(client, event, events)
            settle(client)
        return events

    def post() -> int:
        return ready.post(setup.events)

    def encode() -> int:
        for _ in repeat(None, ENCODED):
            orjson.dumps(event)
        return ENCODED

    works = {
        "ours": deliver,
        "peer": post,
        "encoder": encode,
        "beside": deliver_beside,
    }
    runs: dict[str, list[Run]] = {name: [] for name in works}
    for number in range(setup.rounds + 1):
        for name, work in works.items():
            run = Run.of(work)
            # The first round goes once around the ring.
            if number:
                runs[name].append(run)
    check_delivered(client)
    client.shutdown()

    ours, peer, encoder = runs["ours"], runs["peer"], runs["encoder"]
    yield ratio(
        "cpu_per_event",
        "processor time of a delivered event / orjson.dumps",
        [run.cpu for run in ours],
        [run.cpu for run in encoder],
        bar=setup.encoder_bar(4.5),
    )
    yield ratio(
        "throughput",
        "delivered events/s / bodies built beforehand",
        [1 / run.seconds for run in ours],
        [1 / run.seconds for run in peer],
        scale=1,
        unit="events/s",
        bar=0.30,
        wants_more=True,
    )
    beside = [1 / run.seconds for run in runs["beside"]]
    yield Figure(
        key="throughput_beside",
        label="delivered events/s beside a thread that computes",
        value=median(beside),
        unit="events/s",
        quartiles=quartiles(beside),
    )
    yield ratio(
        "cpu_against_urllib3",
        "processor time of a delivered event / posting it only",
        [run.cpu for run in ours],
        [run.cpu for run in peer],
    )


def log_all(client: Client, event: dict[str, Any], events: int) -> None:
    """
    Log *events* of them.
    """
    log_event = client.log_event
    for _ in repeat(None, events):
        log_event(event)


def main(
    *,
    events: EventsOption = 200_000,
    event: KindOption = Kind.TYPICAL,
    event_size: EventSizeOption = 0,
    rounds: RoundsOption = 5,
    json: JSONOption = None,
) -> None:
    """
    What does a delivered event cost, and how many a second get through?
    """
    setup = Setup(
        events=events, event=event, event_size=event_size, rounds=rounds
    )
    uses = ("events", "event", "event_size", "rounds")
    answer("Delivery", setup, [measure], json, uses)


if __name__ == "__main__":
    typer.run(main)
