# SPDX-License-Identifier: MIT
"""
The gate: no road of an event takes more instructions than its record says.
"""

import os

import msgspec
import pytest

from benchmarks import instructions
from benchmarks.instructions_counts import Count, Record, Tally, count_between

MACHINE = {"python": "3.11.7", "libc": "glibc 2.36"}

OUT = """\
# callgrind format
version: 1
events: Ir
summary: 260

ob=/lib/libpython3.11.so.1.0
fl=ceval.c
fn=_PyEval_EvalFrameDefault'2
0 100
cfn=call
calls=1 0
0 150
cob=/lib/orjson.cpython-311-x86_64-linux-gnu.so
cfn=0x0000000000013cc0
calls=1 0
0 40

ob=/lib/orjson.cpython-311-x86_64-linux-gnu.so
fl=???
fn=0x0000000000013cc0
0 30
cfn=0x0000000000013cc0'2
calls=1 0
0 7
cob=/lib/libpython3.11.so.1.0
cfn=PyDict_Next
calls=1 0
+3 10

ob=/lib/libpython3.11.so.1.0
fn=call
* 120
fn=PyDict_Next
0 10
"""


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.skipif(
    not instructions.has_callgrind() and not os.environ.get("CI"),
    reason="no valgrind on this machine",
)
def test_no_road_has_grown():
    """
    An event takes at most 5 % more instructions than the record says, on
    every road.
    """
    recorded, counted = instructions.load(), instructions.count()
    others = instructions.mismatch(recorded, counted)
    if others and not os.environ.get("CI"):
        pytest.skip("; ".join(others))

    assert instructions.fault(recorded, counted) is None


def with_factor(record, factor, function):
    """
    Give *record* with one function so much larger that each road grows by
    *factor*.
    """
    roads = {}
    for name, count in record.roads.items():
        more = count.instructions * (factor - 1)
        functions = dict(count.functions)
        functions[function] = functions.get(function, 0) + more
        roads[name] = msgspec.structs.replace(
            count, instructions=count.instructions + more, functions=functions
        )
    return msgspec.structs.replace(record, roads=roads)


def test_growth_beyond_the_limit_names_the_function():
    """
    The record with 6 % more in one function shuts the gate on every road,
    and the words name the function; with 4 % more it stays open.
    """
    recorded = instructions.load()
    push = "_native.so:push"

    words = instructions.fault(recorded, with_factor(recorded, 1.06, push))

    assert words is not None
    for line, road in zip(words.splitlines(), recorded.roads, strict=True):
        assert line.startswith(f"{road}: ")
        assert "(+6.0%)" in line
        assert f"grown: {push} +" in line
    assert not instructions.fault(recorded, recorded)
    assert not instructions.fault(recorded, with_factor(recorded, 1.04, push))


def test_growth_of_a_python_function_is_named():
    """
    The interpreter's loop is one function of C; the bytecodes say whose.
    """
    before = Count(1000, 0, {"loop": 500}, {"client.py:log_event": 9})
    after = Count(1100, 0, {"loop": 600}, {"client.py:log_event": 13})

    words = instructions.fault(
        Record(MACHINE, {}, {"a": before}), Record(MACHINE, {}, {"a": after})
    )

    assert words is not None
    assert "loop +100 instructions" in words
    assert "client.py:log_event +4 bytecodes" in words


def test_another_build_is_not_compared():
    """
    Counts of another Python or C library shut the gate with what to do.
    """
    record = Record(MACHINE, {}, {"a": Count(1000, 0, {}, {})})
    other = msgspec.structs.replace(
        record, needs={**MACHINE, "python": "3.11.9"}
    )

    words = instructions.fault(record, other)

    assert words is not None
    assert "python: 3.11.9, recorded with 3.11.7" in words
    assert "--write" in words


def test_another_encoder_is_compared():
    """
    The encoder's version and its instructions do not matter.
    """
    record = Record(MACHINE, {"orjson": "1"}, {"a": Count(1000, 50, {}, {})})
    other = Record(MACHINE, {"orjson": "2"}, {"a": Count(1000, 90, {}, {})})

    assert instructions.fault(record, other) is None


def test_new_road_needs_a_record():
    """
    A road that the record does not have shuts the gate.
    """
    count = Count(1000, 0, {}, {})

    assert instructions.fault(
        Record(MACHINE, {}, {}), Record(MACHINE, {}, {"a": count})
    )


def test_calls_of_the_encoder_are_taken_off_whole(tmp_path):
    """
    What the encoder calls is the encoder's; calls inside of it count once.
    """
    path = tmp_path / "counts.1"
    path.write_text(OUT)
    twice = tmp_path / "counts.2"
    twice.write_text(OUT.replace("100", "140"))

    tally = Tally(path)
    count = count_between(tally, Tally(twice), 10, {"f": 2, "g": 0})

    assert (tally.total, tally.encoder) == (260, 40)
    assert tally.functions == {
        "libpython3.11.so.1.0:_PyEval_EvalFrameDefault": 100,
        "libpython3.11.so.1.0:call": 120,
        "libpython3.11.so.1.0:PyDict_Next": 10,
        "orjson.so:0x0000000000013cc0": 30,
    }
    assert (count.instructions, count.encoder) == (4, 0)
    assert count.bytecodes == {"f": 2}
