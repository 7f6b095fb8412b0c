# SPDX-License-Identifier: MIT
"""
Dead letters: what a line says, and how many there may be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ringamp.buffer.deadletter import DeadLetters
from ringamp.buffer.folder import Folder
from ringamp.errors import SpoolError
from ringamp.status import Status

DAY = 86_400_000
NOON = 1_700_000_000_000 // DAY * DAY + DAY // 2
TODAY = "2023-11-14.ndjson"


@pytest.fixture
def folder(tmp_path):
    """
    Open an empty folder; close it at the end.
    """
    made = Folder.open(str(tmp_path / "dead-letters"))
    yield made
    made.close()


def put(letters, *events, **changes):
    """
    Put events with a usual answer, changed as told.
    """
    answer = {
        "now_ms": NOON,
        "reason": "no such field",
        "status": Status.INVALID,
        "status_code": 400,
    }
    return letters.put(events, **{**answer, **changes})


def lines(folder, name=TODAY):
    """
    Read the lines of a file.
    """
    return folder.read(name, 1 << 30).splitlines()


def test_a_line_says_what_became_of_one_event(folder):
    """
    Time, reason, status, code and the event; one line each, in order.
    """
    letters = DeadLetters(folder, 1 << 20)

    put(letters, b'{"n":1}', b'{"n":2}')
    put(letters, b'{"n":3}', reason="other", status="skipped", status_code=0)

    common = {
        "time": NOON,
        "reason": "no such field",
        "status": "invalid",
        "status_code": 400,
    }
    assert [json.loads(line) for line in lines(folder)] == [
        {**common, "event": {"n": 1}},
        {**common, "event": {"n": 2}},
        {
            "time": NOON,
            "reason": "other",
            "status": "skipped",
            "status_code": 0,
            "event": {"n": 3},
        },
    ]


def test_an_event_is_not_altered(folder):
    """
    Its bytes are in the line as they were sent.
    """
    event = rb'{"a":1.50,"b":"\u00e9\n","a":1e400,"c":12345678901234567890123}'

    put(DeadLetters(folder, 1 << 20), event)

    assert lines(folder)[0].endswith(b',"event":' + event + b"}")


def test_white_space_ends_no_line(folder):
    """
    An event set over several lines is stored on one.
    """
    put(DeadLetters(folder, 1 << 20), b'{\n"a":\r\n"b\\n"}')

    (line,) = lines(folder)
    assert json.loads(line)["event"] == {"a": "b\n"}


def test_a_reason_is_kept_short_and_encodable(folder):
    """
    500 characters of it, whatever they are.
    """
    reason = '"\udcff\n' + "ä" * 1000

    put(DeadLetters(folder, 1 << 20), b'{"n":1}', reason=reason)

    (line,) = lines(folder)
    assert json.loads(line)["reason"] == '"?\n' + "ä" * 497


@pytest.mark.parametrize(
    ("now_ms", "name"),
    [
        (NOON // DAY * DAY, "2023-11-14.ndjson"),
        (NOON // DAY * DAY - 1, "2023-11-13.ndjson"),
        (1_709_164_800_000, "2024-02-29.ndjson"),
        (0, "1970-01-01.ndjson"),
    ],
)
def test_a_file_is_a_day_in_utc(folder, now_ms, name):
    """
    The day changes at midnight in UTC, wherever the machine stands.
    """
    put(DeadLetters(folder, 1 << 20), b'{"n":1}', now_ms=now_ms)

    assert folder.names() == [name]


def test_the_oldest_day_goes_first(folder):
    """
    Old days make room, oldest first and no more than needed; what was
    removed is told. Files of others are left alone.
    """
    event = b'{"n":"' + b"x" * 800 + b'"}'
    letters = DeadLetters(folder, 4000)
    folder.write("notes.txt", [b"x" * 9000])
    removed = [
        put(letters, event, now_ms=NOON + day * DAY) for day in range(6)
    ]

    assert removed == [
        [], [], [], [], ["2023-11-14.ndjson"], ["2023-11-15.ndjson"]
    ]  # fmt: skip
    assert folder.names() == [
        "2023-11-16.ndjson",
        "2023-11-17.ndjson",
        "2023-11-18.ndjson",
        "2023-11-19.ndjson",
        "notes.txt",
    ]


def test_one_day_alone_is_bounded(folder):
    """
    A large day goes on in a second file and a third, numbers in order, and
    loses its oldest first; the newest letter is always there.
    """
    letters = DeadLetters(folder, 100_000)
    for number in range(4000):
        put(letters, b'{"n":%d}' % number)
        names = folder.names()
        assert sum(map(folder.size, names)) <= 100_000

    kept = sorted(
        json.loads(line)["event"]["n"]
        for name in folder.names()
        for line in lines(folder, name)
    )
    assert kept == list(range(kept[0], 4000))
    assert len(kept) > 500
    assert TODAY not in folder.names()
    assert len(folder.names()) > 2
    assert any(len(name.split(".")[1]) == 2 for name in folder.names())


def test_a_batch_that_never_fits_is_told(folder):
    """
    More than there may be at all is an error, and removes nothing.
    """
    letters = DeadLetters(folder, 1000)
    put(letters, b'{"n":1}')

    with pytest.raises(OSError, match="1000 are allowed"):
        put(letters, b'{"n":"' + b"x" * 1000 + b'"}')
    assert len(lines(folder)) == 1


def test_a_clock_set_back_removes_nothing_of_now(folder):
    """
    What was just written stays though its day is the oldest.
    """
    letters = DeadLetters(folder, 1000)
    event = b'{"n":"' + b"x" * 500 + b'"}'
    put(letters, event, now_ms=NOON + DAY)

    removed = put(letters, event)

    assert removed == ["2023-11-15.ndjson"]
    assert folder.names() == [TODAY]


def test_what_is_written_to_is_not_removed(folder):
    """
    A file that is the oldest and is appended to stays; the next one goes.
    """
    letters = DeadLetters(folder, 2000)
    put(letters, b'{"n":1}')
    put(letters, b'{"n":"' + b"x" * 1700 + b'"}', now_ms=NOON + DAY)

    assert put(letters, b'{"n":2}') == ["2023-11-15.ndjson"]
    assert [json.loads(one)["event"]["n"] for one in lines(folder)] == [1, 2]


def test_a_link_is_not_written_through(folder, tmp_path):
    """
    What lies under the day's name and is no file of ours is left alone, and
    told.
    """
    target = tmp_path / "target"
    target.write_text("mine\n")
    Path(folder.path, TODAY).symlink_to(target)

    with pytest.raises(SpoolError, match="is a link"):
        put(DeadLetters(folder, 1000), b'{"n":1}')
    assert target.read_text() == "mine\n"


def test_a_failing_disk_is_told(folder):
    """
    The system's error reaches the caller.
    """
    letters = DeadLetters(folder, 1000)
    folder.close()

    with pytest.raises(OSError, match="descriptor"):
        put(letters, b'{"n":1}')


WRITERS = """
import os, sys
from ringamp.buffer.deadletter import DeadLetters
from ringamp.buffer.folder import Folder
letters = DeadLetters(Folder.open(sys.argv[1]), int(sys.argv[2]))
children = []
for child in range(4):
    pid = os.fork()
    if not pid:
        for number in range(200):
            event = b'{"child":%d,"n":%d}' % (child, number)
            letters.put(
                [event], now_ms=0, reason="r", status="s", status_code=1
            )
        os._exit(0)
    children.append(pid)
sys.exit(any(os.waitpid(pid, 0)[1] for pid in children))
"""


def test_processes_write_at_once_and_lose_nothing(folder):
    """
    Four processes fill one day over several files; each letter is there
    once, whole.
    """
    done = subprocess.run(
        [sys.executable, "-c", WRITERS, folder.path, "400000"],
        timeout=200,
        check=False,
    )

    assert done.returncode == os.EX_OK
    events = [
        json.loads(line)["event"]
        for name in folder.names()
        for line in lines(folder, name)
    ]
    assert sorted((one["child"], one["n"]) for one in events) == [
        (child, number) for child in range(4) for number in range(200)
    ]
