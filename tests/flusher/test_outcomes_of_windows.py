# SPDX-License-Identifier: MIT
"""
Outcomes of events that were dealt out to several uploads.
"""

from __future__ import annotations

import random
import threading

import pytest

from ringamp.bindings import generation, renew_generation
from ringamp.buffer.window import Share, Window
from ringamp.flusher import outcomes as module
from ringamp.flusher.outcomes import Outcomes
from ringamp.status import Response, Status

GOOD = Response(Status.SUCCESS, 200)
BAD = Response(Status.INVALID, 400)


@pytest.fixture
def outcomes():
    """
    The outcomes of this process.
    """
    renew_generation()
    return Outcomes(generation())


def dealt(outcomes, start, *positions):
    """
    Open a window that ends 10 behind its last event.
    """
    end = max(max(some) for some in positions if some) + 10
    window = Window(start, end, positions)
    outcomes.open(window)
    return window


def test_each_event_answers_once_its_share_does(outcomes):
    """
    And not before; so do the futures of those who wait.
    """
    window = dealt(outcomes, 0, [0, 20], [10, 30])
    early = outcomes.future(10)
    assert outcomes.lookup(10) is None

    outcomes.settle_share(Share(window, 1), BAD)

    assert early.result(0) == BAD
    assert outcomes.lookup(30) == BAD
    assert outcomes.lookup(20) is None
    late = outcomes.future(20)
    outcomes.settle(20, 21, GOOD)
    assert late.result(0) == GOOD
    assert outcomes.future(20).result(0) == GOOD


def test_a_flush_waits_for_the_whole_window(outcomes):
    """
    Its result is the first that was no success.
    """
    outcomes.settle(0, 10, GOOD)
    window = dealt(outcomes, 10, [10, 30], [20])
    flush = outcomes.flush(40)

    outcomes.settle_share(Share(window, 1), BAD)
    assert not flush.done()
    outcomes.settle_share(Share(window, 0), GOOD)

    assert flush.result(0) == BAD
    assert outcomes.floor == 40


def test_windows_may_end_before_older_ones(outcomes):
    """
    The floor waits for the oldest, and then passes all.
    """
    first = dealt(outcomes, 0, [0], [10])
    second = dealt(outcomes, 20, [20], [30])
    for track in (0, 1):
        outcomes.settle_share(Share(second, track), GOOD)
    outcomes.settle(40, 50, GOOD)
    assert outcomes.floor == 0

    outcomes.settle_share(Share(first, 1), GOOD)
    outcomes.settle(0, 1, BAD)

    assert outcomes.floor == 50
    assert [outcomes.lookup(at) for at in (0, 10, 20, 30, 45)] == [
        BAD,
        GOOD,
        GOOD,
        GOOD,
        GOOD,
    ]


def test_old_windows_cost_a_run(outcomes):
    """
    However many there were, each event still answers; only the bodies of the
    oldest are gone.
    """
    count = 4 * module.RUNS_IN_FULL
    full = Response(Status.SUCCESS, 200, {"code": 200})
    for number in range(count):
        window = dealt(
            outcomes, 20 * number, [20 * number], [20 * number + 10]
        )
        for track in (0, 1):
            outcomes.settle_share(Share(window, track), full)

    assert len(outcomes._runs) <= 2 * module.RUNS_IN_FULL + 1
    kept = sum(isinstance(run.response, Window) for run in outcomes._runs)
    assert kept == module.WINDOWS_IN_FULL
    assert outcomes.floor == 20 * count
    assert outcomes.lookup(0) == GOOD
    assert outcomes.lookup(20 * count - 10) == full


@pytest.mark.parametrize("round_", range(5))
def test_random_windows_answer_as_a_plain_table_does(outcomes, round_):
    """
    Shares and single events, settled in any order, with others who ask all
    the time.
    """
    chance = random.Random(round_)
    position, work, wanted, runs = 0, [], {}, []
    for number in range(120):
        response = Response(Status.FAILED, 500 + number % 3)
        if chance.random() < 0.3:
            outcomes_of = [position + 10 * at for at in range(5)]
            work.append(("run", (position, position + 50), response))
            wanted.update(dict.fromkeys(outcomes_of, response))
            position += 50
            continue
        shares = [[], [], []]
        for at in range(position, position + 90, 10):
            shares[chance.randrange(3)].append(at)
        runs.append(window := Window(position, position + 90, shares))
        for track, share in enumerate(shares):
            if not share:
                continue
            if chance.random() < 0.5:
                work.append(("share", Share(window, track), response))
                wanted.update(dict.fromkeys(share, response))
                continue
            for at in share:
                odd = Response(Status.INVALID, 400 + at % 7)
                work.append(("one", (at, at + 1), odd))
                wanted[at] = odd
        position += 90
    for window in runs:
        outcomes.open(window)
    chance.shuffle(work)
    wrong, over = [], threading.Event()

    def ask():
        while not over.is_set():
            at = chance.choice(list(wanted))
            found = outcomes.lookup(at)
            if found is not None and found != wanted[at]:
                wrong.append((at, found))

    asker = threading.Thread(target=ask)
    asker.start()
    futures = {at: outcomes.future(at) for at in list(wanted)[::3]}
    flush = outcomes.flush(position)
    for kind, where, response in work:
        if kind == "share":
            outcomes.settle_share(where, response)
        else:
            outcomes.settle(*where, response)
    over.set()
    asker.join()

    assert not wrong
    assert flush.done()
    assert outcomes.floor == position
    assert {at: outcomes.lookup(at) for at in wanted} == wanted
    assert {at: one.result(0) for at, one in futures.items()} == {
        at: wanted[at] for at in futures
    }
