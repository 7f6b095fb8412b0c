# SPDX-License-Identifier: MIT
"""
How long an event waits for others to share its request, where no upload
interval is set: the rule as a table, what it makes of traffic, and who does
not wait for it.
"""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from ringamp import MemoryTransport, Status
from ringamp.flusher import linger
from ringamp.flusher.linger import LONGEST, QUIET, SHORTEST, SPARSE, Linger

RULE = [
    # linger before, seconds of quiet, mean gap -> linger
    (SHORTEST, 0.0, 0.001, 2 * SHORTEST),
    (0.08, 0.0, 0.001, 0.16),
    (0.2, 0.0, 0.001, LONGEST),
    (LONGEST, 0.0, 0.001, LONGEST),
    (0.08, 0.0, SPARSE, 0.16),
    (0.08, 0.2, SPARSE, 0.16),
    (0.08, 0.0, SPARSE + 0.001, 0.04),
    (LONGEST, 0.0, 10.0, LONGEST / 2),
    (SHORTEST, 0.0, 10.0, SHORTEST),
    (0.015, 0.0, 10.0, SHORTEST),
    (LONGEST, QUIET, 0.001, SHORTEST),
    (LONGEST, 3600.0, 0.001, SHORTEST),
    (SHORTEST, QUIET, 10.0, SHORTEST),
]

LONG = 60.0


class Silent:
    """
    A bell that counts how often it was rung.
    """

    rings = 0

    def ring(self):
        """
        Count.
        """
        self.rings += 1


@pytest.mark.parametrize(("before", "idle", "gap", "after"), RULE)
def test_the_rule_is_this_table(before, idle, gap, after):
    """
    It doubles in dense traffic, halves in sparse traffic, and is shortest
    after quiet.
    """
    assert linger.next_linger(before, idle, gap) == pytest.approx(after)


def replay(arrivals):
    """
    Play a flusher that is asked at each of these times; the batches that it
    makes, each as the time it leaves, its linger and its size.
    """
    made = Linger(Silent())
    batches, now, at = [], 0.0, 0
    while at < len(arrivals):
        if arrivals[at] > now:
            made.note_quiet(now)
            now = arrivals[at]
        pushed = sum(moment <= now for moment in arrivals)
        waited = made.begin(now, pushed)
        now += waited
        made.end()
        after = sum(moment <= now for moment in arrivals)
        batches.append((now, waited, after - at))
        at = after
    return batches


def test_steady_traffic_makes_few_requests():
    """
    At a thousand events a second the linger grows to its longest within a
    second, and four requests a second are left.
    """
    batches = replay([number / 1000 for number in range(5000)])

    first = [round(waited, 3) for _, waited, _ in batches[:6]]
    assert first == [0.01, 0.02, 0.04, 0.08, 0.16, 0.25]
    assert len(batches) <= 5 + 5 * 4
    assert sum(size for *_, size in batches) == 5000


@pytest.mark.parametrize(
    ("gap", "longest"),
    [(0.02, LONGEST), (0.05, LONGEST), (0.1, SHORTEST), (1.0, SHORTEST)],
)
def test_sparse_events_gain_nothing_by_waiting(gap, longest):
    """
    Twenty events a second share requests; of ten a second each leaves soon.
    """
    batches = replay([number * gap for number in range(200)])

    assert max(waited for _, waited, _ in batches) == longest


def test_an_event_after_quiet_leaves_soon():
    """
    However dense the traffic before was.
    """
    dense = [number / 1000 for number in range(2000)]
    batches = replay([*dense, 3.0])

    assert batches[-2][1] == LONGEST
    assert batches[-1] == (pytest.approx(3.0 + SHORTEST), SHORTEST, 1)


def test_traffic_that_thins_out_shortens_the_linger():
    """
    Step by step, so that one gap does not undo what was learnt.
    """
    dense = [number / 1000 for number in range(2000)]
    thin = [2.0 + number * 0.2 for number in range(1, 20)]
    lingers = [waited for _, waited, _ in replay([*dense, *thin])]

    peak = lingers.index(LONGEST)
    fall = [waited for waited in lingers[peak:] if waited < LONGEST]
    assert fall == sorted(fall, reverse=True)
    assert fall[-1] == SHORTEST
    assert len(set(fall)) > 2


def test_who_waits_for_an_event_wakes_the_flusher_once():
    """
    And only while it lingers longer than after quiet.
    """
    bell = Silent()
    made = Linger(bell)
    made.begin(0.0, 1)
    made.expect(8)
    assert bell.rings == 0
    made.end()

    made.begin(0.01, 100)
    for position in range(800, 1600, 8):
        made.expect(position)

    assert bell.rings == 1


@pytest.mark.parametrize(
    ("awaited", "start", "due"),
    [(8, 8, SHORTEST), (800, 8, SHORTEST), (8, 16, LONG), (None, 8, LONG)],
)
def test_an_awaited_event_shortens_its_own_batch(awaited, start, due):
    """
    Not one that begins behind it.
    """
    made = Linger(Silent())
    made.begin(0.0, 1)
    if awaited is not None:
        made.expect(awaited)

    assert made.shorten(LONG, start) == due


def test_with_an_interval_nothing_shortens():
    """
    It is the user's choice, and no batch begins here.
    """
    made = Linger(Silent())
    made.expect(800)

    assert made.shorten(LONG, 8) == LONG


@pytest.fixture
def lingering(make_client, monkeypatch):
    """
    Make a client whose linger is a minute from its second batch on, and
    which has sent the first.
    """
    monkeypatch.setattr(linger, "next_linger", lambda *seen: LONG)

    def make(transport=None, **options):
        client = make_client(transport or MemoryTransport(), **options)
        client.log_event(event()).result(10)
        return client

    return make


def event(number=0):
    """
    Make an event that carries a number.
    """
    return {"event_type": "t", "user_id": "somebody", "event_id": number}


def test_events_do_wait_for_others(lingering):
    """
    What the tests below rely on: with nobody to hurry it, an event waits.
    """
    client = lingering()
    receipt = client.log_event(event())
    time.sleep(0.2)

    assert receipt.response is None
    assert client.stats().pending == 1


HURRIES = {
    "flush": lambda client, receipt: client.flush().result(10),
    "shutdown": lambda client, receipt: client.shutdown(10),
    "result": lambda client, receipt: receipt.result(10),
    "future": lambda client, receipt: receipt.future().result(10),
    "await": lambda client, receipt: asyncio.run(awaited(receipt)),
}


async def awaited(receipt):
    """
    Await a receipt.
    """
    return await asyncio.wait_for(receipt, 10)


@pytest.mark.parametrize("name", HURRIES)
@pytest.mark.parametrize("uploads", [1, 4])
def test_who_waits_does_not_wait_for_the_linger(lingering, name, uploads):
    """
    Whether for all events, for the end, or for this one.
    """
    client = lingering(concurrent_uploads=uploads)
    receipt = client.log_event(event())
    began = time.monotonic()

    HURRIES[name](client, receipt)

    assert time.monotonic() - began < 5
    assert receipt.response.status is Status.SUCCESS


def test_who_began_to_wait_before_the_batch_did_is_not_forgotten(lingering):
    """
    The event that somebody waits for comes while the flusher sends another.
    """
    entered, leave = threading.Event(), threading.Event()

    class Slow(MemoryTransport):
        def send_payload(self, payload):
            if payload.events[0]["event_id"] == 1:
                entered.set()
                leave.wait(10)
            return super().send_payload(payload)

    client = lingering(Slow())
    client.log_event(event(1))
    client.flush()
    assert entered.wait(10)
    future = client.log_event(event(2)).future()
    leave.set()

    assert future.result(10).status is Status.SUCCESS


def until(condition):
    """
    Wait until *condition* holds.
    """
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.002)


def test_a_ring_that_fills_is_emptied_at_once(lingering):
    """
    It leaves when half of the ring is in use, not when nothing fits.
    """
    client = lingering(buffer_bytes=1 << 16)
    while client.stats().buffer_used < 1 << 15:
        client.log_event(event())

    until(lambda: client.stats().pending == 0)
    assert client.stats().dropped == 0


def test_who_waits_for_room_does_not_wait_for_the_linger(lingering):
    """
    With *on_full* "block" four times what the ring holds gets through.
    """
    client = lingering(buffer_bytes=1 << 16, on_full="block")
    count = 4 * (1 << 16) // 64
    began = time.monotonic()
    for number in range(count):
        client.log_event(event(number))
    client.flush().result(10)

    assert time.monotonic() - began < LONG / 2
    stats = client.stats()
    assert stats.delivered == stats.logged == count + 1


def test_a_full_request_does_not_wait(lingering):
    """
    Two thousand events leave when the last of them is there.
    """
    client = lingering()
    for number in range(2000):
        client.log_event(event(number))

    until(lambda: client.stats().pending == 0)
