# SPDX-License-Identifier: MIT
"""
What the builtins of the hot path hold: deep copies, and no reference too
many or too few.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections import OrderedDict, defaultdict

import pytest
from small_ring import EVENT, Ring, changed

from ringamp import bindings

ROUNDS = 100_000


@pytest.fixture
def ring():
    """
    A ring of the smallest size.
    """
    return Ring()


def test_copy_shares_no_container():
    """
    A copy has dicts and lists of its own, of subclasses too; the rest is
    shared.
    """
    rest = (1, [2]), object(), "text"
    event = {
        "a": {"b": [{"c": 1}, [], [[2]]]},
        "d": defaultdict(list, {"e": [3]}),
        "f": OrderedDict(g={"h": 4}),
        "rest": list(rest),
    }

    copy = bindings.copy_event(event)

    assert copy == event
    pairs = [(copy, event)]
    while pairs:
        ours, theirs = pairs.pop()
        if isinstance(theirs, (dict, list)):
            assert ours is not theirs
            keys = theirs if isinstance(theirs, dict) else range(len(theirs))
            pairs += [(ours[key], theirs[key]) for key in keys]
        else:
            assert ours is theirs


def test_copy_of_a_dict_subclass_is_a_dict():
    """
    The copy of an event of a dict subclass is a plain dict, in order.
    """
    copy = bindings.copy_event(OrderedDict(b=1, a=2))

    assert type(copy) is dict
    assert list(copy) == ["b", "a"]


def test_copy_has_a_depth_limit():
    """
    A hundred levels are copied; more, or a cycle, is a ValueError.
    """

    def nested(levels, make):
        value = 1
        for _ in range(levels):
            value = make(value)
        return {"x": value}

    for make in (lambda value: [value]), (lambda value: {"y": value}):
        fine = nested(100, make)
        assert bindings.copy_event(fine) == fine
        with pytest.raises(ValueError, match="100 levels"):
            bindings.copy_event(nested(102, make))

    cycle = {}
    cycle["a"] = cycle["b"] = [cycle]
    with pytest.raises(ValueError, match="100 levels"):
        bindings.copy_event(cycle)


def repeat(call, rounds):
    """
    Call until what is allocated once is allocated, then many times more.

    Returns:
        By how many bytes Python's memory grew in the latter.
    """
    for _ in range(1000):
        call()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(rounds):
            call()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def quiet(call, *errors):
    """
    Give *call*, its errors swallowed: they are what is repeated.
    """

    def run():
        try:
            call()
        except errors:
            return

    return run


DEEP = {"a": [{"b": ["c", {"d": (1,)}]}], "e": {"f": {"g": 1}}}
TOO_DEEP: dict = {"x": []}
TOO_DEEP["x"].append(TOO_DEEP)


@pytest.mark.parametrize(
    "path",
    [
        "pushed",
        "full",
        "unclean",
        "refused by the encoder",
        "no string",
        "wrong arguments",
        "copy",
        "copy too deep",
        "check",
        "bind",
    ],
)
def test_references_stay_level(ring, path):
    """
    No road through the builtins keeps or loses a reference.
    """
    push, push_dict = ring.pushers[:2]
    full = Ring()
    while full.pushers.push_event(EVENT) >= 0:
        pass
    marker = "datamonster-" + path
    event = changed(user_id=marker)
    unclean = changed(user_id=marker, time=marker)
    refused = changed(user_id=marker, x=object())
    unnamed = changed(user_id=(marker,))

    def pushed():
        assert push(event) >= 0
        ring.drain()

    calls = {
        "pushed": pushed,
        "full": lambda: full.pushers.push_event(event),
        "unclean": lambda: push(unclean),
        "refused by the encoder": lambda: push(refused),
        "no string": lambda: push(unnamed),
        "wrong arguments": quiet(lambda: push_dict(marker, event), TypeError),
        "copy": lambda: bindings.copy_event({**DEEP, "m": [marker]}),
        "copy too deep": quiet(
            lambda: bindings.copy_event(TOO_DEEP), ValueError
        ),
        "check": lambda: bindings.check_id(marker, 5, False),
        "bind": lambda: bindings.bind(ring.view, event),
    }
    before = sys.getrefcount(marker), sys.getrefcount(event)
    # Each of these makes and unmakes a hundred containers.
    rounds = ROUNDS // 10 if path == "copy too deep" else ROUNDS
    grown = repeat(calls[path], rounds)

    assert (sys.getrefcount(marker), sys.getrefcount(event)) == before
    assert grown < rounds // 5
