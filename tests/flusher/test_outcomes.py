# SPDX-License-Identifier: MIT
"""
Outcomes and receipts: told once, found later, kept within bounds.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import threading
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringamp.bindings import generation
from ringamp.flusher import outcomes as module
from ringamp.flusher.outcomes import FORGOTTEN, INHERITED, Outcomes
from ringamp.flusher.receipt import Receipt
from ringamp.status import Response, Status

GOOD = Response(Status.SUCCESS, 200, {"code": 200})
BAD = Response(Status.INVALID, 400, error="no")
LOST = Response(Status.DROPPED, error="too late")
ANSWERS = (GOOD, BAD, LOST)


@pytest.fixture
def outcomes():
    """
    The outcomes of a ring of this process.
    """
    return Outcomes(generation())


@st.composite
def tilings(draw):
    """
    Stretches of positions without gaps, their outcomes, and an order in
    which they are settled.
    """
    lengths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=40))
    edges = [0]
    for length in lengths:
        edges.append(edges[-1] + 8 * length)
    runs = [
        (start, end, draw(st.sampled_from(ANSWERS)))
        for start, end in itertools.pairwise(edges)
    ]
    return draw(st.permutations(runs)), edges[-1]


@given(tilings(), st.integers(1, 4), st.data())
@settings(deadline=None)
def test_outcomes_are_those_of_a_plain_dict(tiling, in_full, data):
    """
    However the runs are cut, ordered and joined: what is settled is found
    with its status, the rest is not, and the floor is where the gap begins.
    """
    runs, end = tiling
    outcomes = Outcomes(generation())
    model: dict[int, Response] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RUNS_IN_FULL", in_full)
        for start, stop, response in runs:
            outcomes.settle(start, stop, response)
            model.update(dict.fromkeys(range(start, stop), response))
            at = data.draw(st.integers(0, end + 8))
            found = outcomes.lookup(at)
            wanted = model.get(at)
            assert (found and found.status) == (wanted and wanted.status)
            floor = next(p for p in range(end + 1) if p not in model)
            assert outcomes.floor == floor


@given(tilings())
@settings(deadline=None)
def test_every_waiter_learns_its_own_outcome_once(tiling):
    """
    Futures asked for before and after give the outcome of their position.
    """
    runs, end = tiling
    outcomes = Outcomes(generation())
    early = {at: outcomes.future(at) for at in range(0, end, 8)}
    twins = {at: outcomes.future(at) for at in range(0, end, 8)}
    flush = outcomes.flush(end)

    for start, stop, response in runs:
        assert not flush.done()
        outcomes.settle(start, stop, response)

    for start, stop, response in runs:
        for at in range(start, stop, 8):
            assert early[at].result(0) is response
            assert twins[at].result(0) is response
            assert outcomes.future(at).result(0).status is response.status
    bad = [r for _, _, r in runs if r is not GOOD]
    assert flush.result(0) is (bad[0] if bad else GOOD)


def test_a_service_that_takes_everything_costs_a_bounded_history(outcomes):
    """
    Ten thousand batches delivered are a thousand runs or so, and the first
    of them is still known as delivered.
    """
    for number in range(10_000):
        outcomes.settle(number * 8, number * 8 + 8, GOOD)

    assert len(outcomes._runs) <= 2 * module.RUNS_IN_FULL + 1
    first = outcomes.lookup(0)
    assert first is not None
    assert (first.status, first.body) == (Status.SUCCESS, None)
    assert outcomes.lookup(9_999 * 8) is GOOD


def test_the_oldest_of_very_many_different_runs_are_forgotten(
    outcomes, monkeypatch
):
    """
    What is forgotten says so; what is still awaited is not lost.
    """
    monkeypatch.setattr(module, "RUNS_IN_FULL", 4)
    monkeypatch.setattr(module, "RUNS_KEPT", 16)
    late = outcomes.future(8)
    for number in (n for n in range(200) if n != 1):
        outcomes.settle(number * 8, number * 8 + 8, ANSWERS[number % 2])

    assert outcomes.lookup(0) is FORGOTTEN
    assert outcomes.lookup(8) is None
    assert not late.done()

    outcomes.settle(8, 16, LOST)

    assert late.result(0) is LOST


def test_a_waiter_that_gives_up_takes_nothing_from_the_others(outcomes):
    """
    A timeout cancels its own wait alone.
    """
    receipt = Receipt(outcomes, 0)
    other = outcomes.future(0)

    with pytest.raises(TimeoutError, match="no final outcome after"):
        receipt.result(0.01)
    outcomes.settle(0, 8, GOOD)

    assert other.result(0) is GOOD
    assert receipt.result(0) is GOOD


def test_giving_up_many_times_leaves_no_waiters_behind(outcomes):
    """
    Somebody who polls with short timeouts does not fill the memory.
    """
    receipt = Receipt(outcomes, 0)
    for _ in range(50):
        with pytest.raises(TimeoutError):
            receipt.result(0)

    assert len(outcomes._waiting[0]) <= 2


def test_a_receipt_can_be_awaited(outcomes):
    """
    In an event loop, also by several tasks, of which one is cancelled.
    """
    receipt = Receipt(outcomes, 0)

    async def several():
        """
        Three tasks wait.
        """

        async def wait():
            """
            Wait for the receipt.
            """
            return await receipt

        tasks = [asyncio.create_task(wait()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        threading.Thread(target=outcomes.settle, args=(0, 8, GOOD)).start()
        return await asyncio.gather(*tasks, return_exceptions=True)

    cancelled, *answers = asyncio.run(several())

    assert isinstance(cancelled, asyncio.CancelledError)
    assert answers == [GOOD, GOOD]


def test_what_is_known_at_once_needs_no_ring():
    """
    The receipt of a refused event has its final response from the start.
    """
    receipt = Receipt(None, 0, BAD)

    assert (receipt.status, receipt.reason) == (Status.INVALID, "no")
    assert receipt.result(0) is receipt.response is BAD
    assert receipt.future().result(0) is BAD


def test_a_queued_receipt_shows_no_reason(outcomes):
    """
    QUEUED until it is settled, and QUEUED as what was known at once after.
    """
    receipt = Receipt(outcomes, 0)

    assert (receipt.status, receipt.reason) == (Status.QUEUED, None)
    assert receipt.response is None
    outcomes.settle(0, 8, GOOD)
    assert (receipt.status, receipt.response) == (Status.QUEUED, GOOD)


def test_the_outcomes_of_another_process_are_not_told():
    """
    A receipt of another generation says whose it is, and never waits.
    """
    receipt = Receipt(Outcomes(generation() + 1), 0)

    assert receipt.response is INHERITED
    assert receipt.result(0) is INHERITED


def test_nothing_to_flush_is_skipped_at_once(outcomes):
    """
    A flush of what is settled already waits for nothing.
    """
    assert outcomes.flush(0).result(0).status is Status.SKIPPED


def test_those_who_ask_while_it_is_settled_are_all_told(outcomes, monkeypatch):
    """
    Threads ask, wait, give up and flush while the flusher settles, joins and
    is out of order: nobody hears a wrong outcome, or none at all.
    """
    monkeypatch.setattr(module, "RUNS_IN_FULL", 8)
    count = 400
    wrong, waiting, begin = [], [], threading.Barrier(5)

    def settle():
        begin.wait()
        for number in range(0, count, 2):
            for one in (number + 1, number):
                outcomes.settle(8 * one, 8 * one + 8, ANSWERS[one % 3])

    def ask(seed):
        chance = random.Random(seed)
        unanswered = deque()
        begin.wait()
        while outcomes.floor < 8 * count:
            # Who asked faster than is answered would add to the answering
            # thread's work with each answer, and so without end.
            if len(unanswered) == 16:
                if unanswered[0].done():
                    unanswered.popleft()
                continue
            # Mostly about what is being settled just now.
            number = min(outcomes.floor // 8 + chance.randrange(4), count - 1)
            future = outcomes.future(8 * number)
            if chance.random() < 0.2:
                future.cancel()
                continue
            waiting.append((number, future))
            unanswered.append(future)
            found = outcomes.lookup(8 * number)
            wanted = ANSWERS[number % 3].status
            if found is not None and found.status is not wanted:
                wrong.append((number, found))

    threads = [threading.Thread(target=settle)]
    threads += [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
    finally:
        sys.setswitchinterval(interval)

    assert wrong == []
    assert len(waiting) > 100
    for number, future in waiting:
        assert future.result(0).status is ANSWERS[number % 3].status


@given(st.permutations(range(12)), st.lists(st.integers(0, 12), max_size=5))
@settings(deadline=None)
def test_a_flush_is_done_with_the_last_event_before_it(order, targets):
    """
    In whatever order events are settled, and however many flushes overlap;
    its response is the first that was no success.
    """
    outcomes = Outcomes(generation())
    flushes = [(target, outcomes.flush(8 * target)) for target in targets]
    settled, bad = set(), dict.fromkeys(targets)

    for number in order:
        response = ANSWERS[number % 3]
        outcomes.settle(8 * number, 8 * number + 8, response)
        settled.add(number)
        for target, future in flushes:
            if number < target and response is not GOOD:
                bad[target] = bad[target] or response
            assert future.done() == (settled >= set(range(target)))

    for target, future in flushes:
        wanted = bad[target] or (GOOD if target else None)
        assert (future.result(0) is wanted) or (
            not target and future.result(0).status is Status.SKIPPED
        )
