# SPDX-License-Identifier: MIT
"""
Batches and keepers for the tests of what is kept, and a look at what is on
disk.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from wreckage import event, numbers

from ringamp import MemoryTransport
from ringamp.buffer.batch import Batch, Pin, Tile
from ringamp.buffer.region import new_ring_id
from ringamp.buffer.spool import ring_text
from ringamp.flusher.keeping import InSpool
from ringamp.flusher.outage import Outage
from ringamp.retry.decision import Hold
from ringamp.status import Response, Status

DOWN = Response(Status.FAILED, 503, error="HTTP 503")
REFUSED = Response(Status.INVALID, 400, error="no such field")
THROTTLED = Response(Status.RATE_LIMIT, 429, error="too many")


class Clock:
    """
    A time that stands still.
    """

    now = 100.0

    def monotonic(self):
        """
        Return the time of the test.
        """
        return self.now

    def wall(self):
        """
        Return a time of the year 2023.
        """
        return 1_700_000_000.5


def make_keeper(spool, lost):
    """
    Make the keeper of a ring.
    """
    return InSpool(
        spool,
        ring_text(new_ring_id()),
        5,
        clock=Clock(),
        outage=Outage(),
        note_lost=lost.append,
    )


def batch_of(*payloads, freed=None):
    """
    Make a batch that holds the room of a ring, as the delivery does.
    """
    events = [
        json.dumps(event(one)).encode() if isinstance(one, int) else one
        for one in payloads
    ]
    tiles = [Tile(n, n + 1) for n in range(len(events))]
    batch = Batch.of(b"[", events, b"]", tiles)
    free = (lambda: None) if freed is None else lambda: freed.append(True)
    batch.pins = Pin(len(batch), free, in_ring=True)
    return batch


def stored(spool, suffix=".json"):
    """
    List the numbers of the events in each backlog file.
    """
    folder = Path(spool.rings.path).parent / "backlog"
    return [
        numbers(json.loads(path.read_bytes()))
        for path in sorted(folder.glob(f"*{suffix}"))
    ]


def letters(spool):
    """
    Read the dead letters.
    """
    folder = Path(spool.rings.path).parent / "dead-letters"
    return [
        line
        for path in sorted(folder.iterdir())
        for line in path.read_bytes().splitlines()
    ]


def hold(*indexes):
    """
    Decide that these wait.
    """
    return Hold(indexes, frozenset("u"), frozenset(), 30.0, None, THROTTLED)


def put_file(home, count, **more):
    """
    Put a file of numbered events into the backlog; return its name.
    """
    usual = {
        "now_ms": int(time.time() * 1000),
        "owner": ring_text(new_ring_id()),
        "min_id_length": 5,
    }
    events = [json.dumps(event(number)).encode() for number in range(count)]
    return home.backlog.put(events, **{**usual, **more})


def until(condition):
    """
    Wait until *condition* holds.
    """
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.002)


class Switched(MemoryTransport):
    """
    A service that is out until it is switched on.
    """

    is_out = True

    def send_payload(self, payload):
        """
        Answer 503, or take it.
        """
        if not self.is_out:
            return super().send_payload(payload)
        self.requests.append([])
        return Response(Status.FAILED, 503)
