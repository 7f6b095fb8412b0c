# SPDX-License-Identifier: MIT
"""
What lies in a backlog and is no batch: set aside, never sent, never waited
for.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from descriptors import descriptors
from hypothesis import given
from hypothesis import strategies as st
from shelves import (
    EVENTS,
    NAME,
    NOW,
    RING,
    STRANGER,
    as_root,
    at,
    events_of,
    plant,
    put,
)

from ringamp.buffer.array import SEAL_LENGTH
from ringamp.buffer.backlog import Backlog
from ringamp.buffer.folder import Folder
from ringamp.errors import SpoolError


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "../../etc/passwd",
        f"{NOW}-{RING}-7-5.json.tmp",
        f"{NOW}-{RING}-7-5.json.bad",
        f"{NOW}-{RING}-07-5.json",
        f"{NOW}-{RING.upper()}-7-5.json",
        f"٣{NOW}"[:13] + f"-{RING}-7-5.json",
        f"{NOW}-{RING}-7-5.json\n",
        "",
    ],
)
def test_names_of_others_are_ignored(backlog, folder, name):
    """
    What no backlog wrote is not listed, not taken, not trimmed.
    """
    if name and "/" not in name:
        plant(folder, b'[{"n":1}]', name)
    before = folder.names()

    assert backlog.names() == []
    assert backlog.take(name) is None
    assert backlog.free(RING) == []
    if not name.endswith(".bad"):
        assert backlog.trim(0) == []
        assert folder.names() == before


NO_BATCH = {
    "empty": b"",
    "object": b'{"n":1}',
    "no events": b"[]",
    "numbers": b"[1,2]",
    "one number": b'[{"n":1},2]',
    "empty event": b"[{}]",
    "half": b'[{"n":1},{"n":',
    "unended": b'[{"n":1}',
    "trailing comma": b'[{"n":1},]',
    "trailing words": b'[{"n":1}] x',
    "two arrays": b'[{"n":1}][{"n":1}]',
    "zeros": b"\0" * 4096,
    "zeros inside": b'[{"n":"' + b"\0" * 40 + b'"}]',
    "no UTF-8": b'[{"n":"\xff\xfe"}]',
    "UTF-16": '[{"n":1}]'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf[{"n":1}]',
    "deep": b"[" * 200_000,
    "deep event": b'[{"n":' + b"[" * 200_000,
    "NaN": b'[{"n":NaN}]',
    "some white space": b'[{"n":1}] ',
    "a wrong checksum": b'[{"n":1}]' + b" " * 16,
}
"""Files that no backlog has written."""


@pytest.mark.parametrize("kind", NO_BATCH)
def test_what_is_no_batch_is_set_aside(backlog, folder, kind):
    """
    It is told once with its path, renamed, kept, and never found again.
    """
    plant(folder, NO_BATCH[kind])
    good = put(backlog)

    with pytest.raises(SpoolError, match=f"{NAME}: .*allowed"):
        backlog.take(NAME)

    assert backlog.names() == [good]
    assert backlog.take(NAME) is None
    assert folder.read(f"{NAME}.bad", 1 << 20) == NO_BATCH[kind]


def make_link(path):
    """
    Make a link to a good batch.
    """
    path.with_name("target").write_bytes(b'[{"n":1}]')
    path.symlink_to("target")


def make_socket(path):
    """
    Leave a socket behind.
    """
    here = Path.cwd()
    os.chdir(path.parent)  # The path of a socket is short.
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def make_giant(path):
    """
    Make a sparse file of a terabyte.
    """
    path.touch()
    os.truncate(path, 1 << 40)


def make_foreign(path):
    """
    Make a good batch that belongs to somebody else.
    """
    path.write_bytes(b'[{"n":1}]')
    os.chown(path, STRANGER, -1)


@pytest.mark.parametrize(
    "make",
    [
        make_link,
        os.mkfifo,
        os.mkdir,
        make_socket,
        make_giant,
        pytest.param(make_foreign, marks=as_root),
    ],
)
def test_what_is_no_file_of_ours_is_set_aside(backlog, folder, make):
    """
    It is not followed, waited for or read, and stands in nobody's way.
    """
    make(at(folder, NAME))
    good = put(backlog)

    with pytest.raises(SpoolError, match=f"{NAME}: .*allowed"):
        backlog.take(NAME)

    assert backlog.names() == [good]
    assert f"{NAME}.bad" in folder.names()
    assert events_of(backlog, good) == EVENTS


def test_what_is_refused_is_closed(backlog, folder):
    """
    Neither a descriptor nor a lease is kept of what was not taken.
    """
    name = put(backlog)
    shelved = backlog.take(name)
    before = descriptors()
    for _ in range(5):
        plant(folder, b"[]")
        with pytest.raises(SpoolError):
            backlog.take(NAME)
        assert backlog.take(name) is None

    assert descriptors() == before
    shelved.close()


UNPRIVILEGED = """
import os, sys
from ringamp.buffer.backlog import Backlog
from ringamp.buffer.folder import Folder
from ringamp.errors import SpoolError
os.chmod(os.path.dirname(sys.argv[1]), 0o777)
os.chdir(os.path.dirname(sys.argv[1]))
os.setuid(65534)
folder = Folder.open("spool of nobody")
open(os.open(sys.argv[2], os.O_CREAT, 0, dir_fd=folder.fd)).close()
try:
    Backlog(folder).take(sys.argv[2])
except SpoolError as error:
    print(error, folder.names())
try:
    Folder.open(os.path.basename(sys.argv[1]))
except PermissionError:
    print("not the spool of root")
"""


@as_root
def test_what_may_not_be_read_is_set_aside(folder):
    """
    Without root's powers too a file that cannot be opened stands in nobody's
    way; another user's spool is an error of the system.
    """
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, folder.path, NAME],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.stdout == (
        f"spool of nobody/{NAME}: Permission denied; "
        f"only a regular file of ours is allowed ['{NAME}.bad']\n"
        "not the spool of root\n"
    ), done.stderr


def test_a_file_over_the_limit_is_set_aside(backlog):
    """
    The limit itself is allowed.
    """
    size = len(b"[" + b",".join(EVENTS) + b"]") + SEAL_LENGTH
    name = put(backlog)

    backlog.take(name, size).close()
    with pytest.raises(SpoolError, match=f"{size} bytes; {size - 1} are"):
        backlog.take(name, size - 1)


def parsed(data):
    """
    Read an array of objects as the standard library does, None if it is not.
    """

    def refuse(constant):
        raise ValueError(constant)

    try:
        found = json.loads(data.decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
    is_batch = isinstance(found, list) and all(
        isinstance(one, dict) and one for one in found
    )
    return found if is_batch and found else None


@given(
    st.binary(max_size=40)
    | st.text('[]{}",:0\\ ntx').map(str.encode)
    | st.text('[]{}",:0\\ ntx').map(lambda s: f'[{{"n":"{s}"}}]'.encode())
    | st.lists(
        st.dictionaries(st.text(), st.text() | st.floats(0, 1), min_size=1)
    ).map(lambda events: json.dumps(events).encode())
)
def test_any_bytes_are_a_batch_or_set_aside(data):
    """
    What is taken is a JSON array of objects, split at the right places;
    everything else is set aside.
    """
    right = parsed(data)
    with tempfile.TemporaryDirectory() as path:
        folder = Folder.open(path)
        plant(folder, data)
        try:
            events = events_of(Backlog(folder), NAME)
        except SpoolError:
            # White space before the first name: none of ours either.
            assert right is None or re.search(rb"{\s", data)
        else:
            assert [json.loads(one) for one in events] == right
        finally:
            folder.close()
