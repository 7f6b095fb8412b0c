# SPDX-License-Identifier: MIT
"""
Tests of what turns measurements into figures.
"""

import json
from itertools import pairwise

import orjson
import pytest

from benchmarks.harness import (
    Setup,
    chunks,
    interleave,
    percentile,
    quartiles,
    ratio,
)
from benchmarks.memory import miscounted
from benchmarks.report import Figure, Report, shown
from benchmarks.unanswered import Findings
from benchmarks.workload import Kind, json_bytes, make_event, make_struct
from ringamp import Stats


def stats(**counts):
    """
    Make a snapshot that is zero but for *counts*.
    """
    return Stats(**{**dict.fromkeys(Stats.__struct_fields__, 0), **counts})


def test_every_block_runs_once_a_round():
    """
    The series of each block has one value a round, in the order measured.
    """
    numbers = iter(range(100))

    series = interleave(
        {name: lambda: next(numbers) for name in "abc"}, rounds=20
    )

    assert [len(values) for values in series.values()] == [20] * 3
    rounds = list(zip(*series.values(), strict=True))
    assert [sorted(one) for one in rounds] == [
        [3 * number, 3 * number + 1, 3 * number + 2] for number in range(20)
    ]


def test_blocks_change_places():
    """
    No block always comes after the same other one.
    """
    ran = []
    blocks = {name: lambda name=name: ran.append(name) or 0 for name in "abc"}

    interleave(blocks, rounds=50)

    followers = set(pairwise(ran))
    assert {("a", "b"), ("c", "b"), ("b", "a"), ("c", "a")} <= followers


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 50), (99, 99), (99.9, 100), (100, 100)]
)
def test_a_percentile_is_a_value_that_was_measured(percent, expected):
    """
    So many percent are not above it, and it is one of them.
    """
    assert percentile(range(100, 0, -1), percent) == expected


def test_ten_of_ten_thousand_are_above_the_last_percentile():
    """
    The 99.9th of 10,000 values is the one with ten above it.
    """
    assert percentile(range(10_000), 99.9) == 9_989


def test_one_round_has_no_quartiles():
    """
    A spread is not made up where there is none.
    """
    assert quartiles([1.0]) is None
    assert quartiles([4.0, 1.0, 3.0, 2.0]) == (1.0, 3.0)


@pytest.mark.parametrize(
    ("chosen", "bar"),
    [({}, 3.0), ({"event": Kind.SMALL}, None), ({"event_size": 900}, None)],
)
def test_the_encoder_is_a_bar_for_the_example_alone(chosen, bar):
    """
    Another event has no bar that counts in its encoder's time.
    """
    assert Setup(**chosen).encoder_bar(3.0) == bar


def test_a_ratio_is_that_of_the_medians():
    """
    One disturbed round moves the quartiles of the pairs, not the value.
    """
    figure = ratio("key", "label", [2.0, 4.0, 90.0], [2.0, 2.0, 2.0])

    assert figure.value == 2.0
    assert figure.quartiles == (1.0, 45.0)


@pytest.mark.parametrize(
    ("value", "bar", "wants_more", "passed"),
    [
        (3.0, 3.0, False, True),
        (3.1, 3.0, False, False),
        (0.25, 0.25, True, True),
        (0.24, 0.25, True, False),
        (9.0, None, False, None),
        (0.0, 0.0, False, True),
        (1.0, 0.0, False, False),
    ],
)
def test_a_verdict_knows_its_direction(value, bar, wants_more, passed):
    """
    Reaching the bar exactly is enough; without a bar there is no verdict.
    """
    figure = Figure(
        key="k", label="l", value=value, bar=bar, wants_more=wants_more
    )

    assert figure.passed is passed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (48.0, "48"),
        (2.345, "2.35"),
        (135.26, "135.3"),
        (1e6, "1,000,000"),
    ],
)
def test_a_value_is_shown_short(value, text):
    """
    Digits that mean nothing are left out.
    """
    assert shown(value) == text


def test_the_table_names_what_failed(capsys):
    """
    A missed bar is to be seen in the table.
    """
    report = Report("Title", {"rounds": 1})
    report.gather([Figure(key="k", label="slow", value=9.0, bar=5.0)])

    report.show()

    table = capsys.readouterr().out
    assert "FAIL" in table
    assert "<= 5" in table
    assert (
        json.loads(orjson.dumps(report.as_builtins()))["figures"][0]["passed"]
        is False
    )


def test_chunks_add_up():
    """
    None is larger than asked, and none is lost.
    """
    assert list(chunks(25, 10)) == [10, 10, 5]
    assert list(chunks(20, 10)) == [10, 10]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("size", [0, 700, 5000])
def test_an_event_is_padded_to_its_size(kind, size):
    """
    The JSON has the size asked for, or the event's own if that is more.
    """
    event = make_event(kind, size)

    assert json_bytes(event) == max(size, json_bytes(make_event(kind)))
    assert make_struct(event).to_dict() == event


def test_padding_leaves_the_next_event_alone():
    """
    The table of events is not changed by those that are made from it.
    """
    before = json_bytes(make_event())

    make_event(size=2000)

    assert json_bytes(make_event()) == before


@pytest.mark.parametrize(
    ("before", "after", "refused", "wrong"),
    [
        ({"logged": 9, "dropped": 4, "pending": 5}, {"dropped": 9}, 4, 0),
        ({"logged": 9, "dropped": 3, "pending": 6}, {"dropped": 9}, 4, 1),
        ({"logged": 9, "dropped": 4, "pending": 4}, {"dropped": 9}, 4, 1),
        ({"logged": 9, "dropped": 4, "pending": 5}, {"dropped": 8}, 4, 2),
    ],
)
def test_every_miscounted_event_is_noticed(before, after, refused, wrong):
    """
    Sums that do not add up, and drops that were told and not counted.
    """
    found = Findings(
        0, 0, refused, stats(**before), stats(logged=9, **after), 0
    )

    assert miscounted(found, 9) == wrong
