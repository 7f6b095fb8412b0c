# SPDX-License-Identifier: MIT
"""
Tests of what makes tables of measurements along an axis.
"""

import pytest

from benchmarks.growth import processes, uploads
from benchmarks.growth.curves import Curve, Growth, Point, digits
from benchmarks.growth.processes import Tally
from benchmarks.growth.turns import grown_event, in_turns
from benchmarks.workers import Shift
from benchmarks.workload import json_bytes
from ringamp import Stats


def shift(**counts):
    """
    Make what a worker reports, zero but for *counts*.
    """
    stats = Stats(**{**dict.fromkeys(Stats.__struct_fields__, 0), **counts})
    return Shift(cpu=1.0, later=2.0, stats=stats)


def test_a_curve_has_medians_with_their_quartiles():
    """
    In the unit asked for, and in the order of the axis.
    """
    curve = Curve.of("cost", "us", {1: [3e-6, 1e-6, 2e-6], 4: [5e-6]}, 1e6)

    assert [point.x for point in curve.points] == [1, 4]
    assert [point.value for point in curve.points] == pytest.approx([2, 5])
    assert curve.points[0].quartiles == pytest.approx((1, 3))
    assert curve.points[1].quartiles is None


def test_a_table_has_a_row_for_each_place():
    """
    A place at which a curve was not measured is an empty cell.
    """
    growth = Growth(
        axis="a",
        question="?",
        along="events",
        curves=[
            Curve("one", "us", [Point(1, 0.5), Point(1000, 12.25)]),
            Curve("two", "MiB", [Point(1000, 73.0)]),
        ],
    )

    assert growth.markdown().splitlines() == [
        "| events | one, us | two, MiB |",
        "| --: | --: | --: |",
        "| 1 | 0.500 |  |",
        "| 1,000 | 12.2 | 73.0 |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0567, "0.057"), (2.345, "2.35"), (41.26, "41.3"), (98765.4, "98,765")],
)
def test_three_digits_are_shown(value, text):
    """
    More would mean nothing.
    """
    assert digits(value) == text


def test_the_round_that_touches_memory_first_does_not_count():
    """
    Every place has one value a round, and ran once more than that.
    """
    ran = []
    blocks = {x: lambda x=x: ran.append(x) or len(ran) for x in (1, 2)}

    series = in_turns(blocks, rounds=3)

    assert sorted(ran) == [1] * 4 + [2] * 4
    assert sorted(series[1] + series[2]) == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("size", [100, 101, 300, 1000, 2999, 100_000])
def test_an_event_grows_to_the_byte(size):
    """
    By properties, not by one long string.
    """
    event = grown_event(size)

    assert json_bytes(event) == size
    assert len(event["event_properties"]["p"]) < 120


@pytest.mark.parametrize(
    ("counts", "arrived", "told"),
    [
        ({"delivered": 10}, 10, (0, 0, 0)),
        ({"delivered": 10}, 11, (0, 0, 1)),
        ({"delivered": 8, "dropped": 1, "rejected": 1}, 8, (2, 0, 4)),
        ({"delivered": 10, "retries": 3}, 10, (0, 3, 0)),
    ],
)
def test_what_goes_wrong_in_a_worker_is_told(counts, arrived, told):
    """
    Dropped, sent again, or counted where it did not arrive.
    """
    tally = Tally([1])

    tally.note([shift(**counts)], 10, arrived, 2.0)

    assert (tally.dropped, tally.repeated, tally.miscounted) == told
    assert tally.speeds == {1: [5.0]}
    bars = processes.promises(tally, 1)
    assert [bar.passed for bar in bars] == [not value for value in told]


def test_the_promise_of_uploads_is_about_one_distance():
    """
    Eight against one, a tenth of a second away: less than six times is a
    miss; other distances only inform.
    """
    speeds = {
        1: {100: [100.0], 200: [50.0]},
        8: {100: [590.0], 200: [100.0]},
    }

    near, far = uploads.against_one(speeds)

    assert (near.value, near.bar, near.passed) == (5.9, 6.0, False)
    assert far.passed is None


@pytest.mark.parametrize(
    ("latency", "requests"), [(0, 20), (100, 20), (200, 10), (500, 4)]
)
def test_a_block_takes_about_as_long_at_every_distance(latency, requests):
    """
    Fewer requests where each takes longer, and never only one.
    """
    assert uploads.FULL.requests_at(latency) == requests
