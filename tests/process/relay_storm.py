# SPDX-License-Identifier: MIT
"""
Kill relays at random instants while eight workers log, and show that nothing
is lost or doubled.

    python tests/process/relay_storm.py --kills 500 --seed 1

Each time another one goes on: a relay that is started anew, one that stood by,
or a worker with delivery="thread", which is killed as well. One of the workers
has stopped in the middle of a push; its record must stay as it is until it
goes on. In the end a last relay sends what there is.

What must hold: of each worker, the collector has taken just the events that
`log_event` accepted, each once; the one that was being logged at a death may
be there or not. The count of accepted events stands in shared memory, written
by the worker itself.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import workload

import ringamp
from ringamp.bindings import HEADER_SIZE, ffi
from ringamp.collector import LENIENT, CollectorProcess, Fault
from ringamp.options import Options
from ringamp.relay import RelayAgent
from ringamp.retry import ordered

PRODUCERS = 8
SLOTS = 4096
"""Counts of accepted events: of the producers, then of those in between."""

STOP = 8 * (SLOTS - 1)
"""Where the producers are told to stop."""

THROTTLED = "throttled@example.com"
HOLD = 0.2
"""Seconds instead of 30, so that held events travel as well."""

WEATHER = (
    (Fault(users=(THROTTLED,)), 0.1),
    (Fault(status=500), 0.03),
    (Fault(reset="before"), 0.02),
    (Fault(reset="after"), 0.03),
    (Fault(delay=0.03), 0.3),
)
SUCCESSORS = ("next", "standby", "thread")
DRAIN_SECONDS = 30


class Storm:
    """
    One run.

    Args:
        kills: How many relays die.

        seed: Of all that is left to chance.
    """

    def __init__(self, kills, seed):
        self.kills = kills
        self.chance = random.Random(seed)
        self.spool = tempfile.mkdtemp(prefix="ringamp-storm-")
        self.shared = mmap.mmap(-1, 8 * SLOTS)
        self.slot = PRODUCERS
        self.url = ""
        self.deaths = Counter()
        self.current = None
        self.is_told = False
        signal.signal(signal.SIGTERM, self.tell)

    # -- Those who log ---------------------------------------------------

    def begin(self, delivery):
        """
        Initialise the client of this process.
        """
        return ringamp.init(
            workload.KEY,
            server_url=self.url,
            spool_dir=self.spool,
            delivery=delivery,
            buffer_bytes=1 << 20,
            on_full="block",
            retry_timeouts=[20, 20, 50],
        )

    def log(self, client, slot, name):
        """
        Log one event and note that it was accepted.
        """
        number = self.count(slot)
        event = workload.event(f"{name}-{number}")
        if number % 10 == 0:
            event["user_id"] = THROTTLED
        receipt = client.log_event(event)
        assert receipt.status == "queued", receipt
        self.shared[8 * slot : 8 * slot + 8] = (number + 1).to_bytes(
            8, "little"
        )

    def count(self, slot):
        """
        How many events *slot* had accepted.
        """
        return int.from_bytes(self.shared[8 * slot : 8 * slot + 8], "little")

    def produce(self, slot, seed):
        """
        Be a worker: log until the end, then wait to be delivered.
        """
        chance = random.Random(seed)
        client = self.begin("relay")
        while not self.shared[STOP]:
            for _ in range(chance.randrange(1, 30)):
                self.log(client, slot, f"p{slot}")
            time.sleep(chance.random() * 0.01)
        assert (workload.threads(), workload.sockets()) == (1, 0)
        workload.tell(kind="worker", **workload.counts(client))

    def produce_slowly(self, slot):
        """
        Be a worker that stops in the middle of a push; count how often its
        record was touched.
        """
        client = self.begin("relay")
        self.log(client, slot, f"p{slot}")
        ring = client._session.ring
        at = ring.tail
        for _ in range(20):
            self.log(client, slot, f"p{slot}")
        start = ffi.cast("unsigned char *", ring._region.pointer)
        record = ffi.buffer(start + HEADER_SIZE + at, ring.tail - at)
        word = record[:2]
        record[:2] = b"\x01\x00"
        before = record[:]
        touched = 0
        while not self.shared[STOP]:
            touched += record[:] != before
            time.sleep(0.001)
        record[:2] = word
        workload.tell(kind="slow", touched=touched, claimed=ring.used == 0)

    def stand_in(self, slot):
        """
        Be a worker that sends by itself, and for others.
        """
        client = self.begin("thread")
        while True:
            self.log(client, slot, f"p{slot}")
            time.sleep(0.002)

    # -- Those who send --------------------------------------------------

    def agent(self):
        """
        Make a relay.
        """
        return RelayAgent(
            workload.KEY,
            Options.build(
                server_url=self.url,
                spool_dir=self.spool,
                retry_timeouts=[20, 20, 50],
            ),
        )

    def relay(self):
        """
        Be a relay.
        """
        self.current = self.agent()
        if not self.is_told:
            self.current.run()

    def tell(self, *_):
        """
        End the relay of this process, if it has one by now. The handler is
        there before the fork: a relay may be told before it is made.
        """
        self.is_told = True
        if self.current is not None:
            self.current.stop()

    # -- The run ---------------------------------------------------------

    def end(self, pid):
        """
        Kill one, and see that it lived until then.
        """
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL

    def pause(self):
        """
        Let them work for a moment.
        """
        time.sleep(self.chance.random() ** 2 * 0.25)

    def run(self):
        """
        Kill and replace.
        """
        workers = [
            workload.fork(self.produce, slot, self.chance.getrandbits(32))
            for slot in range(1, PRODUCERS)
        ]
        workers.append(workload.fork(self.produce_slowly, 0))
        relays = [workload.fork(self.relay)]
        for _ in range(self.kills):
            successor = self.chance.choice(SUCCESSORS)
            self.deaths[successor] += 1
            if successor == "standby":
                relays.append(workload.fork(self.relay))
            self.pause()
            self.end(relays.pop(0))
            if successor == "thread":
                pid = workload.fork(self.stand_in, self.slot)
                self.slot += 1
                self.pause()
                self.end(pid)
            if not relays:
                relays.append(workload.fork(self.relay))
        self.shared[STOP] = 1
        codes = [workload.reap(pid, 20) for pid in workers]
        for pid in relays:
            os.kill(pid, signal.SIGTERM)
        codes += [workload.reap(pid, 20) for pid in relays]
        return codes

    def drain(self):
        """
        Have a last relay send everything.
        """
        give_up = time.monotonic() + DRAIN_SECONDS
        while not self.agent().run(once=True):
            if time.monotonic() > give_up:
                return False
        return True

    def losses(self, events):
        """
        Compare what was taken with what was accepted.
        """
        tags = Counter(event["event_properties"]["tag"] for event in events)
        faults = [f"doubled {tag}" for tag, n in tags.items() if n > 1]
        for slot in range(self.slot):
            count = self.count(slot)
            mine = {f"p{slot}-{number}" for number in range(count)}
            faults += [f"lost {tag}" for tag in mine - tags.keys()]
            # Accepted, and not yet counted when it died.
            mine.add(f"p{slot}-{count}")
            for tag in mine:
                tags.pop(tag, None)
        return faults + [f"unknown {tag}" for tag in tags]


def events_of(collector):
    """
    Return what the collector took.
    """
    address = f"{collector.base_url}/_collector/events"
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


def main():
    """
    Read the command line, run, tell.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().getrandbits(32)
    )
    given = parser.parse_args()
    ordered.HOLD = HOLD
    print(f"seed {given.seed}", flush=True)
    storm = Storm(given.kills, given.seed)
    began = time.monotonic()
    try:
        with CollectorProcess(
            settings=LENIENT, keep_events=5_000_000, seed=given.seed
        ) as collector:
            storm.url = collector.url
            for fault, probability in WEATHER:
                collector.add_fault(fault, None, probability)
            codes = storm.run()
            collector.clear_faults()
            is_drained = storm.drain()
            events = events_of(collector)
            duplicates = collector.summary().duplicates
    finally:
        left = [
            path.name
            for path in Path(storm.spool).glob("*/*/*")
            if path.is_file()
        ]
        shutil.rmtree(storm.spool)
    workload.tell(
        kind="storm",
        codes=codes,
        is_drained=is_drained,
        faults=storm.losses(events)[:20],
        left=left,
        events=len(events),
        repeats=duplicates,
        deaths=storm.deaths,
        seconds=time.monotonic() - began,
    )


if __name__ == "__main__":
    main()
