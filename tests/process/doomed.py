# SPDX-License-Identifier: MIT
"""
The workers of `kills.py`: what they log, and how each of them dies.

A worker writes down what `log_event` accepted in memory that it shares with
the harness, so the proof does not depend on anything of ringamp's own.
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import os
import random
import signal
import threading
import time
from itertools import count
from typing import NamedTuple

import ringamp
from ringamp.buffer.adoption import OrphanOutlet
from ringamp.buffer.backlog import Backlog
from ringamp.buffer.backlog_outlet import BacklogOutlet
from ringamp.buffer.folder import Folder
from ringamp.buffer.lease import Lease
from ringamp.buffer.outlet import Outlet
from ringamp.buffer.shelved import Shelved
from ringamp.buffer.spool import Spool
from ringamp.flusher.delivery import Delivery
from ringamp.flusher.keeping import InSpool
from ringamp.transport.connections import Connections

KEY = "0123456789abcdef0123456789abcdef"
OPTIONS = {
    "buffer_bytes": 1 << 16,
    "retry_timeouts": [20, 20],
    "request_timeout_millis": 400,
    "shutdown_timeout_millis": 500,
}
"""Everything is small, so that all of it happens in a short life."""

USERS = 8
THROTTLED = "throttled@example.com"
FINE = 7
"""The exit code of a worker that ends by `os._exit`."""

POINTS = {
    "making the ring": [
        (os, "posix_fallocate"),
        (Spool, "create"),
        (Folder, "rename"),
        (Lease, "take"),
    ],
    "claiming": [
        (Outlet, "fill"),
        (Outlet, "deal"),
        (Delivery, "send"),
        (Delivery, "collect"),
    ],
    "releasing": [(Outlet, "release")],
    "a request": [(Connections, "exchange")],
    "adopting": [
        (os, "preadv"),
        (Backlog, "free"),
        (Spool, "sweep"),
        (OrphanOutlet, "release"),
        (OrphanOutlet, "close"),
    ],
    "giving to the backlog": [
        (InSpool, "lose"),
        (InSpool, "hold"),
        (Folder, "write"),
        (os, "write"),
        (Backlog, "drop"),
    ],
    "sending the backlog": [
        (Backlog, "take"),
        (BacklogOutlet, "fill"),
        (Shelved, "keep"),
        (Shelved, "drop"),
    ],
}
"""Calls at which workers die, before or after them."""


class Plan(NamedTuple):
    """
    One worker's life, drawn beforehand.

    Attributes:
        number: Of the worker.

        seed: Of all that it does.

        end: How it ends: `kill`, `point`, `alarm`, `segfault`, `abort`,
            `exit` or `shutdown`.

        seconds: How long it lives; one that waits for a point lives no
            longer either.

        point: The group of `POINTS`.

        threads: How many of its threads log.

        inherits: Whether it uses the client that its parent made.

        relay: Whether it leaves the sending to others.

        frozen: Seconds for which it is stopped in between.
    """

    number: int
    seed: int
    end: str
    seconds: float
    point: str
    threads: int
    inherits: bool
    relay: bool
    frozen: float


class Board:
    """
    What all workers write down, in memory that outlives them.

    Args:
        workers: How many there may be.
    """

    ACCEPTED = 0
    LONGEST = 2
    REACHED = 3
    STATS = 4
    COUNTED = (
        *("adopted", "recovered", "torn", "holes", "bad_crc"),
        *("quarantined", "spooled", "dropped"),
    )
    WORDS = 12

    def __init__(self, workers):
        shared = mmap.mmap(-1, workers * self.WORDS * 8)
        self._words = memoryview(shared).cast("Q")

    def get(self, number, word):
        """
        Read a word of a worker's.
        """
        return self._words[number * self.WORDS + word]

    def put(self, number, word, value):
        """
        Write a word, in one store.
        """
        self._words[number * self.WORDS + word] = value

    def note_stats(self, number, stats):
        """
        Write down what the worker has found in the spool so far.
        """
        for at, name in enumerate(self.COUNTED, self.STATS):
            self.put(number, at, getattr(stats, name))

    def total(self, number_of_workers, name):
        """
        Sum up what all workers found.
        """
        at = self.STATS + self.COUNTED.index(name)
        return sum(self.get(n, at) for n in range(number_of_workers))


def padding(number):
    """
    Return the text that event *number* of a thread carries.
    """
    length = number * 37 % 700
    return ("abcdefghijk" * (length // 11 + 1))[:length]


def event(worker, thread, number, chance):
    """
    Make an event that says whose it is.
    """
    user = f"user{worker % USERS}@example.com"
    if chance.random() < 0.03:
        user = THROTTLED
    return {
        "event_type": "kill test",
        "user_id": user,
        "event_properties": {
            "tag": f"{worker}.{thread}.{number}",
            "padding": padding(number),
        },
    }


def set_trap(owner, name, nth, *, before):
    """
    Kill this process at the *nth* call of a function, *before* or after it.
    """
    original = getattr(owner, name)
    calls = count(1)

    def trapped(*args, **kwargs):
        is_due = next(calls) == nth
        if is_due and before:
            reach()
        result = original(*args, **kwargs)
        if is_due:
            reach()
        return result

    setattr(owner, name, trapped)


def reach():
    """
    Be killed at a point.
    """
    board.put(me.number, Board.REACHED, 1 + list(POINTS).index(me.point))
    os.kill(os.getpid(), signal.SIGKILL)


def live(plan, shared, client, url, spool_dir):
    """
    Be a worker until the end; never returns.
    """
    global board, me
    board, me = shared, plan
    chance = random.Random(plan.seed)
    faulthandler.disable()
    if plan.point:
        owner, name = POINTS[plan.point][plan.number % len(POINTS[plan.point])]
        nth = 1 + int(chance.expovariate(1))
        set_trap(owner, name, nth, before=chance.random() < 0.5)
    if not plan.inherits:
        client = ringamp.get_instance("own").init(
            KEY,
            server_url=url,
            spool_dir=spool_dir,
            delivery="relay" if plan.relay else "thread",
            min_id_length=chance.choice((1, 5)),
            concurrent_uploads=chance.choice((1, 1, 3, 8)),
            **OPTIONS,
        )
    for thread in range(1, plan.threads):
        threading.Thread(
            target=log, args=(client, thread, chance.getrandbits(32))
        ).start()
    log(client, 0, chance.getrandbits(32))


def log(client, thread, seed):
    """
    Log until the end, in bursts, and end as planned.
    """
    chance = random.Random(seed)
    end = time.monotonic() + me.seconds
    accepted = longest = 0
    while True:
        for _ in range(chance.randrange(1, 12)):
            one = event(me.number, thread, accepted, chance)
            begin = time.perf_counter()
            status = client.log_event(one).status
            took = time.perf_counter() - begin
            if status == "queued":
                accepted += 1
                board.put(me.number, Board.ACCEPTED + thread, accepted)
            elif status != "dropped":
                raise RuntimeError(f"{me.number}: {status}")
            if took > longest:
                longest = took
                board.put(me.number, Board.LONGEST, int(took * 1e6))
        board.note_stats(me.number, client.stats())
        if thread == 0 and me.end in ENDS and time.monotonic() > end:
            ENDS[me.end](client, accepted)
        time.sleep(chance.random() * 0.04)


def die_pushing(client, accepted):
    """
    Die while events are pushed as fast as it goes. No handler is set, so the
    kernel ends the process at once, wherever it is.
    """
    batch = [
        event(me.number, 0, number, random.Random(number))
        for number in range(accepted, accepted + 3000)
    ]
    log_event, put = client.log_event, board.put
    at = me.number, Board.ACCEPTED
    signal.setitimer(signal.ITIMER_REAL, random.uniform(2e-5, 1e-3))
    for number, one in enumerate(batch, accepted + 1):
        while log_event(one).status != "queued":
            pass
        put(*at, number)
    signal.pause()


def shut_down(client, accepted):
    """
    End as a worker does that is told to.
    """
    client.shutdown()
    board.note_stats(me.number, client.stats())
    os._exit(0)


ENDS = {
    "alarm": die_pushing,
    "segfault": lambda *_: ctypes.string_at(0),
    "abort": lambda *_: os.abort(),
    "exit": lambda *_: os._exit(FINE),
    "shutdown": shut_down,
}
"""What workers do at their end that are not killed from outside."""

STATUSES = {
    "kill": -signal.SIGKILL,
    "point": -signal.SIGKILL,
    "alarm": -signal.SIGALRM,
    "segfault": -signal.SIGSEGV,
    "abort": -signal.SIGABRT,
    "exit": FINE,
    "shutdown": 0,
}
"""What the parent of such workers is told."""
