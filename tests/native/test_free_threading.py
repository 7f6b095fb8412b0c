# SPDX-License-Identifier: MIT
"""
What holds whether there is a GIL or not: threads that push, close, copy and
change events at the same time.

Where there is none they do so at the very same time. With one, they change
places as often as the interpreter can.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import sysconfig
import threading
import weakref

import orjson
import pytest
from small_ring import EVENT, Ring, changed

from ringamp import _native, bindings

ROUNDS = 60
PUSHERS = 3
ROOM = 1 << 21

IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

LOAD = """
import importlib.util, sys, sysconfig
spec = importlib.util.spec_from_file_location("ringamp._native", sys.argv[1])
before = sys._is_gil_enabled()
spec.loader.exec_module(importlib.util.module_from_spec(spec))
print(before, sys._is_gil_enabled())
"""


@pytest.fixture(autouse=True)
def _eager():
    """
    Have threads change places all the time.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


def at_once(*works):
    """
    Run each in a thread of its own, from one moment on; raise what one did.
    """
    begin, faults = threading.Barrier(len(works)), []

    def run(work):
        begin.wait()
        try:
            work()
        except BaseException as fault:
            faults.append(fault)

    crowd = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(30)
        assert not thread.is_alive()
    for fault in faults:
        raise fault


def test_the_module_fits_the_interpreter():
    """
    One module for the stable ABI where there is a GIL; without one, a module
    of this version that says it can do without.
    """
    suffix = _native.__file__.rpartition("/")[2].partition(".")[2]
    if not IS_FREE_THREADED:
        assert suffix == "abi3.so"
        return

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD, _native.__file__],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )

    assert suffix == sysconfig.get_config_var("EXT_SUFFIX").lstrip(".")
    assert done.stdout.split() == ["False", "False"]


def test_what_was_accepted_is_there_when_close_returns():
    """
    However close and pushes meet: when it returns, the ring holds each event
    that was not refused, and it takes none any more.
    """
    for number in range(ROUNDS):
        ring = Ring(ROOM)
        accepted, found = [], []
        enough = threading.Semaphore(0)

        def push(ring=ring, accepted=accepted, enough=enough, some=number % 7):
            mine = []
            event = changed(event_properties={"x": "y" * 500})
            while (answer := ring.pushers.push_event(event)) >= 0:
                mine.append(answer)
                if len(mine) == some:
                    enough.release()
            enough.release()
            accepted.append((len(mine), answer))

        def close(ring=ring, found=found, enough=enough):
            enough.acquire()
            ring.pushers.close()
            found.append(len(ring.drain()))

        at_once(close, *[push] * PUSHERS)

        assert found == [sum(count for count, _ in accepted)]
        assert {answer for _, answer in accepted} <= {
            bindings.FORKED,
            bindings.FULL,
        }
        assert ring.push(EVENT) == bindings.FORKED
        assert ring.drain() == []


def test_closing_twice_is_closing():
    """
    The second close returns as the first did.
    """
    ring = Ring()
    ring.pushers.push_event(EVENT)

    ring.pushers.close()
    ring.pushers.close()

    assert ring.push(EVENT) == bindings.FORKED
    assert len(ring.drain()) == 1


def test_an_event_that_others_change_is_pushed_or_refused():
    """
    While one thread takes fields out of an event and puts others in, another
    pushes it: every answer is one that the event had coming.
    """
    ring, stop = Ring(ROOM), threading.Event()
    event = changed(time=1)
    payload = orjson.dumps(event)
    answers = set()

    def change():
        number = 0
        while not stop.is_set():
            number += 1
            event["user_id"] = f"somebody-{number}"
            event["time"] = 10**12 + number
            del event["time"], event["user_id"]
            event[f"other-{number % 50}"] = number

    def push():
        try:
            for _ in range(4000):
                answer = ring.pushers.push_dict(payload, event)
                answers.add(min(answer, 0))
        finally:
            stop.set()

    at_once(change, push)

    assert answers <= {0, bindings.NO_ID}


def test_a_copy_of_what_others_change_is_whole():
    """
    A copy of an event whose lists and dicts grow and shrink meanwhile is
    made of states that they were in.
    """
    stop = threading.Event()
    event = changed(event_properties={"items": [[1], {"a": 2}]})
    inner = event["event_properties"]

    def change():
        number = 0
        while not stop.is_set():
            number += 1
            inner["items"] += [[number], {"a": number}] * 20
            inner[f"more-{number % 9}"] = [number]
            del inner["items"][2:], inner[f"more-{number % 9}"]

    def copy():
        try:
            for _ in range(3000):
                made = bindings.copy_event(event)
                assert made["user_id"] == EVENT["user_id"]
                items = made["event_properties"]["items"]
                assert items[:2] == [[1], {"a": 2}]
                assert not len(items) % 2
        finally:
            stop.set()

    at_once(change, copy)


class Outcomes:
    """
    Something that receipts hold.
    """


def last_of_many(ring, both):
    """
    Log by two entrances in several threads; see that each receipt knows its
    outcomes, and give one of the second.
    """
    logs = [ring.pushers.enter(one, lambda *_: None)[0] for one in both]
    receipts = []

    def log():
        for number in range(300):
            which = number % 2 if number < 100 else number // 200
            receipts.append((logs[which](changed(), None), both[which]))

    at_once(*[log] * PUSHERS)
    assert len(receipts) == 300 * PUSHERS
    assert all(receipt._outcomes is one for receipt, one in receipts)
    return receipts[-1][0]


def test_receipts_of_all_threads_know_their_outcomes():
    """
    Threads that log by two entrances in turn, and a receipt that outlives
    them: what it asks ends with it, and all else before.
    """
    both = Outcomes(), Outcomes()
    alive = [weakref.ref(one) for one in both]

    last = last_of_many(Ring(ROOM), both)
    del both
    gc.collect()

    assert alive[0]() is None
    assert last._outcomes is alive[1]()
    del last
    gc.collect()
    assert alive[1]() is None
