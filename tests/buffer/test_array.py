# SPDX-License-Identifier: MIT
"""
The bytes of a backlog file: an array that any program reads, and a checksum
in white space that nobody sees.
"""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shelves import EVENTS, at, events_of, put

from ringamp.buffer.array import SEAL_LENGTH, WHITE, array, read_array
from ringamp.buffer.backlog import Backlog
from ringamp.errors import SpoolError

DATA = b"".join(array(EVENTS, b"whose"))
NOTICED = ("has changed since", "is no JSON array", "holds no events")


def test_any_program_can_read_it():
    """
    The checksum is white space behind the array, and nothing else.
    """
    assert json.loads(DATA) == [{"n": number} for number in range(5)]
    assert DATA[:-SEAL_LENGTH] == b"[" + b",".join(EVENTS) + b"]"
    assert set(DATA[-SEAL_LENGTH:]) <= set(WHITE)


def test_what_was_written_is_read():
    """
    Byte for byte.
    """
    assert [*read_array(DATA, b"whose")] == EVENTS


def test_the_checksum_is_that_of_the_documentation():
    """
    CRC32C (check value e3069283 for "123456789"), two bits a character from
    the lowest on.
    """
    assert DATA[-SEAL_LENGTH:] == bytes(
        b" \t\n\r"[crc32c(b"whose" + DATA[:-SEAL_LENGTH]) >> shift & 3]
        for shift in range(0, 32, 2)
    )
    assert crc32c(b"123456789") == 0xE3069283


def crc32c(data):
    """
    Compute a checksum bit by bit.
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_file_written_by_hand_is_taken(end):
    """
    Without a checksum, and with the line's end of an editor.
    """
    assert [*read_array(b'[{"a":1},{"b":2}]' + end, b"whose")] == [
        b'{"a":1}',
        b'{"b":2}',
    ]


def is_refused(data):
    """
    Say whether nothing is read of *data*, and why is told.
    """
    try:
        read_array(data, b"whose")
    except ValueError as error:
        return str(error).startswith(NOTICED)
    return False


def test_every_bit_counts():
    """
    Whichever is flipped, in an event or in the checksum: it is noticed.
    """
    unnoticed = []
    for bit in range(8 * len(DATA)):
        changed = bytearray(DATA)
        changed[bit // 8] ^= 1 << bit % 8
        if not is_refused(bytes(changed)):
            unnoticed.append(bit)

    assert unnoticed == []


def test_every_byte_counts():
    """
    A file that was cut short is refused, unless all of the events are there
    and nothing else is.
    """
    taken = [n for n in range(len(DATA)) if not is_refused(DATA[:n])]

    assert taken == [len(DATA) - SEAL_LENGTH]
    assert [*read_array(DATA[: taken[0]], b"")] == EVENTS


@given(
    st.lists(
        st.dictionaries(st.text(min_size=1), st.text(), min_size=1).map(
            lambda one: json.dumps(one).encode()
        ),
        min_size=1,
    )
)
def test_any_events_come_back(events):
    """
    Whatever is in them, white space at their ends included.
    """
    assert [*read_array(b"".join(array(events, b"")), b"")] == events


def test_a_batch_in_one_piece_is_the_same_file():
    """
    The events of a request are written as they stand in its body.
    """
    assert b"".join(array([b",".join(EVENTS)], b"whose")) == DATA


def test_a_flipped_bit_on_disk_is_not_sent(backlog, folder):
    """
    The file is put aside; what is in it is none of what was logged.
    """
    name = put(backlog)
    path = at(folder, name)
    content = bytearray(path.read_bytes())
    content[content.index(b"3")] ^= 1
    path.write_bytes(content)

    with pytest.raises(SpoolError, match="has changed since it was written"):
        backlog.take(name)

    assert at(folder, f"{name}.bad").read_bytes() == content


def test_a_file_of_another_project_is_not_sent(folder, backlog):
    """
    Wherever it was moved to.
    """
    name = put(Backlog(folder, project=bytes(16)))

    with pytest.raises(SpoolError, match="or is another project's"):
        backlog.take(name)


def test_a_file_that_is_shortened_is_sealed_anew(backlog):
    """
    The rest of it is as good as the whole.
    """
    name = put(backlog)
    shelved = backlog.take(name)

    shelved.keep(2)

    assert events_of(backlog, name) == EVENTS[2:]


def test_white_space_between_events_is_taken_out():
    """
    Written by hand, the events are found where they are.
    """
    events = read_array(b'[ {"a":1} ,\n {"b":[2, 3]}\t,{"c":4}]')

    assert [*events] == [b'{"a":1}', b'{"b":[2, 3]}', b'{"c":4}']
    assert events.joined(1, 3) == b'{"b":[2, 3]},{"c":4}'


def test_events_are_cut_out_as_of_a_list():
    """
    By index from either end, by slice, and not beyond.
    """
    events = read_array(DATA, b"whose")

    assert len(events) == 5
    assert (events[0], events[-1]) == (EVENTS[0], EVENTS[4])
    assert events[1:4] == EVENTS[1:4]
    assert events[3:99] == EVENTS[3:]
    with pytest.raises(IndexError):
        events[5]


@pytest.mark.parametrize(
    ("start", "max_count", "room", "end"),
    [
        (0, 9, 40, 5),
        (0, 9, 39, 4),
        (1, 9, 24, 4),
        (1, 2, 99, 3),
        (2, 1, 99, 3),
        (4, 9, 99, 5),
        (3, 9, 0, 4),
    ],
)
def test_a_run_is_as_long_as_count_and_room_allow(start, max_count, room, end):
    """
    Each of these events takes eight bytes with its comma; one alone always
    goes.
    """
    assert len(EVENTS[0]) + 1 == 8

    events = read_array(DATA, b"whose")

    assert events.end_of_run(start, max_count, room) == end


def test_offsets_are_those_in_the_body():
    """
    Of a run in its middle too, whatever goes before it.
    """
    events = read_array(DATA, b"whose")
    body = b"head[" + events.joined(2, 5) + b"]tail"

    offsets = events.offsets(2, 5, len(b"head["))

    found = [body[a : b - 1] for a, b in pairwise(offsets)]
    assert found == EVENTS[2:]
