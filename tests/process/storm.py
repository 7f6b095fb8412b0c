# SPDX-License-Identifier: MIT
"""
The program of `test_storm.py`: forks at random moments under load.

Four threads log all the time while the main thread and these threads fork.
Every process tells what it logged and what its counters say at its very end.
"""

from __future__ import annotations

import atexit
import os
import random
import sys
import threading
import time


def tell_last():
    """
    Tell the counters; registered before ringamp's own, so run after it.
    """
    if me.ends_by_atexit:
        me.tell()


atexit.register(tell_last)

import workload  # noqa: E402 - its handler must be registered after ours.

THREADS = 4
MOST_CHILDREN = 8
BURST = 25


class Me:
    """
    What this process has logged so far.
    """

    def __init__(self, name, client):
        self.name = name
        self.client = client
        self.numbers = iter(range(1 << 40))
        self.logged = 0
        self.ends_by_atexit = False

    def log(self, count):
        """
        Log *count* events. Numbers are given out in one step, so that
        threads need no lock.
        """
        for _ in range(count):
            tag = f"{self.name}-{next(self.numbers)}"
            self.client.log_event(workload.event(tag))

    def tell(self):
        """
        Tell how much there was.
        """
        workload.tell(
            kind="process",
            name=self.name,
            logged=next(self.numbers),
            stats=workload.counts(self.client),
        )


def become(name, seed):
    """
    Begin a child's life.
    """
    global me  # noqa: PLW0603 - one a process.
    me = Me(name, me.client)
    return random.Random(seed)


def live(chance, depth):
    """
    Log as children do: at once, later, from several threads, around a fork.
    """
    me.log(chance.randrange(1, 20))
    if chance.random() < 0.3:
        time.sleep(chance.random() * 0.03)
        me.log(chance.randrange(1, 10))
    if chance.random() < 0.3:
        several = [threading.Thread(target=me.log, args=(5,)) for _ in "abc"]
        for thread in several:
            thread.start()
        for thread in several:
            thread.join()
    if depth and chance.random() < 0.3:
        have_child(f"{me.name}.g", chance.getrandbits(32), depth - 1)
        me.log(chance.randrange(3))


def have_child(name, seed, depth):
    """
    Fork a grandchild and wait for it.
    """
    pid = os.fork()
    if not pid:
        workload.leave(visit, name, seed, depth)
    code = workload.reap(pid)
    if code != 0:
        workload.tell(kind="bad", name=name, code=code)


def visit(name, seed, depth):
    """
    Be a child that ends by `os._exit`.
    """
    chance = become(name, seed)
    # Some have a grandchild before they have logged anything.
    if depth and chance.random() < 0.3:
        have_child(f"{name}.f", chance.getrandbits(32), depth - 1)
    live(chance, depth)
    if chance.random() < 0.5:
        me.client.flush().result(workload.HANG)
    else:
        me.client.shutdown()
    me.tell()


def visit_and_exit(name, seed):
    """
    Be a child that ends as a program does.
    """
    chance = become(name, seed)
    live(chance, 1)
    me.ends_by_atexit = True
    if chance.random() < 0.5:
        me.client.shutdown()
    sys.exit(0)


class Storm:
    """
    The parent's threads, and who is to fork next.
    """

    def __init__(self, rounds, chance):
        self.left = rounds
        self.chance = chance
        self.lock = threading.Lock()
        self.children = {}
        self.wishes = threading.Semaphore(0)
        self.over = False

    def push(self, seed):
        """
        Log until the end; fork when told to.
        """
        chance = random.Random(seed)
        while not self.over:
            me.log(BURST)
            if self.wishes.acquire(blocking=False):
                name = f"t{chance.getrandbits(32):x}"
                begin = time.monotonic()
                pid = os.fork()
                if not pid:
                    workload.leave(visit, name, chance.getrandbits(32), 2)
                self.children[pid] = (name, begin)
            time.sleep(chance.random() * 0.004)

    def run(self):
        """
        Fork, or have a thread fork, until all rounds are over.
        """
        for number in range(self.left):
            time.sleep(self.chance.random() * 0.02)
            while len(self.children) >= MOST_CHILDREN:
                self.reap()
            if self.chance.random() < 0.5:
                self.wishes.release()
                continue
            name, seed = f"m{number}", self.chance.getrandbits(32)
            begin = time.monotonic()
            pid = os.fork()
            if not pid:
                visit_and_exit(name, seed)
            self.children[pid] = (name, begin)
        while self.children or self.wishes._value:
            self.reap()

    def reap(self):
        """
        Look after the children; tell of those that failed or hang.
        """
        for pid, (name, begin) in list(self.children.items()):
            left = begin + 2 * workload.HANG - time.monotonic()
            done, status = os.waitpid(pid, os.WNOHANG)
            if not done and left > 0:
                continue
            code = status if done else workload.reap(pid, 0)
            seconds = time.monotonic() - begin
            workload.tell(kind="end", name=name, code=code, seconds=seconds)
            del self.children[pid]
        time.sleep(0.002)


def main(seed, rounds):
    """
    Be the parent.
    """
    global me  # noqa: PLW0603
    chance = random.Random(seed)
    uploads = chance.choice((1, 4, 8))
    me = Me("p", workload.begin(concurrent_uploads=uploads))
    begin = time.monotonic()
    storm = Storm(rounds, chance)
    threads = [
        threading.Thread(target=storm.push, args=(chance.getrandbits(32),))
        for _ in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    storm.run()
    storm.over = True
    for thread in threads:
        thread.join()
    me.client.flush().result(30)
    workload.tell(kind="parent", seconds=time.monotonic() - begin)
    me.ends_by_atexit = True


main(int(sys.argv[1]), int(sys.argv[2]))
