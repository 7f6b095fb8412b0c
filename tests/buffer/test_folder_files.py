# SPDX-License-Identifier: MIT
"""
Files in a folder: what a full disk, a hostile neighbour or a kill leaves of
them.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
import sys

import pytest
from shelves import STRANGER, as_root, at

from ringamp.buffer import folder as module
from ringamp.buffer import writing
from ringamp.errors import SpoolError


def mode_of(path):
    """
    Return the permission bits of *path*.
    """
    return stat.S_IMODE(os.lstat(path).st_mode)


def run(program, *arguments):
    """
    Run a Python program in a process of its own; return how it ended.
    """
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_a_file_is_written_whole_and_for_us_alone(folder):
    """
    All chunks, of all kinds and sizes, are in it; it is 0600, and nothing
    else is left.
    """
    before = os.umask(0)
    chunks = [b"a" * 3, bytearray(b"b" * 700_000), b"", memoryview(b"c")]
    try:
        size = folder.write("file", iter(chunks))
    finally:
        os.umask(before)

    assert folder.read("file", size) == b"".join(chunks)
    assert size == folder.size("file") == 700_004
    assert mode_of(at(folder, "file")) == 0o600
    assert folder.names() == ["file"]


def test_a_file_takes_the_place_of_another_at_once(folder):
    """
    Who has the old one open reads the old one.
    """
    folder.write("file", [b"old"])
    with at(folder, "file").open("rb") as old:
        assert folder.holds("file", old.fileno())
        folder.write("file", [b"new"])

        assert old.read() == b"old"
        assert not folder.holds("file", old.fileno())
    assert folder.read("file", 3) == b"new"


def test_a_file_that_is_gone_is_not_held(folder):
    """
    An open file without a name, or with another one, is not that file.
    """
    folder.write("file", [b"x"])
    with at(folder, "file").open("rb") as opened:
        folder.rename("file", "other")
        assert not folder.holds("file", opened.fileno())
        assert folder.holds("other", opened.fileno())
        folder.unlink("other")
        assert not folder.holds("other", opened.fileno())


def test_short_writes_are_carried_on(folder, monkeypatch):
    """
    A system that takes a few bytes a call gets all of them.
    """
    write = os.write
    monkeypatch.setattr(
        writing.os, "write", lambda fd, data: write(fd, data[:7])
    )

    folder.write("file", [b"0123456789" * 10])
    folder.append("lines", b"0123456789" * 10 + b"\n")

    assert folder.read("file", 100) == b"0123456789" * 10
    assert folder.read("lines", 101) == b"0123456789" * 10 + b"\n"


def test_a_failing_source_leaves_nothing(folder):
    """
    Where the chunks raise, the old file stays and no other is left.
    """

    def chunks():
        yield b"x" * 300_000
        raise KeyError

    folder.write("file", [b"old"])
    with pytest.raises(KeyError):
        folder.write("file", chunks())

    assert folder.names() == ["file"]
    assert folder.read("file", 3) == b"old"


def test_two_writers_of_one_name_do_not_mix(folder):
    """
    The second is refused while the first is at it, and spoils nothing.
    """

    def chunks():
        yield b"first"
        with pytest.raises(FileExistsError):
            folder.write("file", [b"second"])

    folder.write("file", chunks())

    assert folder.read("file", 9) == b"first"
    assert folder.names() == ["file"]


def test_only_regular_files_are_used(folder):
    """
    A link, a FIFO, a socket and a directory are neither read nor appended
    to, without waiting for anyone; what a link leads to is untouched.
    """
    folder.write("target", [b"x"])
    at(folder, "link").symlink_to("target")
    os.mkfifo(at(folder, "fifo"))
    at(folder, "directory").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    here = os.open(".", os.O_RDONLY)
    try:
        os.fchdir(folder.fd)  # The path of a socket is short.
        listener.bind("socket")
    finally:
        os.fchdir(here)
        os.close(here)
        listener.close()

    for name in ("link", "fifo", "socket", "directory"):
        with pytest.raises(SpoolError, match=f"{name}: is .*allowed"):
            folder.read(name, 10)
        with pytest.raises(SpoolError, match=f"{name}: is .*allowed"):
            folder.append(name, b"y\n")
        at(folder, f"{name}.tmp").symlink_to("target")
        with pytest.raises(FileExistsError):
            folder.write(name, [b"y"])
    assert folder.read("target", 10) == b"x"


def test_a_fifo_with_a_reader_is_not_written_to(folder):
    """
    A FIFO that could be written to is no file either.
    """
    os.mkfifo(at(folder, "fifo"))
    reader = os.open(at(folder, "fifo"), os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(SpoolError, match="no regular file"):
            folder.append("fifo", b"secret\n")
        assert os.read(reader, 10) == b""
    finally:
        os.close(reader)


@as_root
def test_a_file_of_another_user_is_refused(folder):
    """
    It is neither read nor appended to.
    """
    folder.write("theirs", [b"x"])
    os.chown(at(folder, "theirs"), STRANGER, -1)

    with pytest.raises(SpoolError, match=f"theirs: .*{STRANGER}.*allowed"):
        folder.read("theirs", 10)
    with pytest.raises(SpoolError, match=f"theirs: .*{STRANGER}.*allowed"):
        folder.append("theirs", b"y\n")
    assert folder.size("theirs") == 1


def test_a_file_over_the_limit_is_not_read(folder):
    """
    The limit itself is allowed; a sparse giant costs nothing.
    """
    folder.write("file", [b"x" * 10])
    folder.write("giant", [b""])
    os.truncate(at(folder, "giant"), 1 << 40)

    assert folder.read("file", 10) == b"x" * 10
    with pytest.raises(SpoolError, match="file: has 10 bytes; 9 are allowed"):
        folder.read("file", 9)
    with pytest.raises(SpoolError, match="giant"):
        folder.read("giant", 1 << 20)


def test_a_file_that_grows_is_not_read_past_the_limit(folder, monkeypatch):
    """
    A size that was true when it was asked for is not relied on.
    """
    folder.write("file", [b"x" * 10])
    pread = os.pread

    def grown(fd, count, offset):
        os.truncate(at(folder, "file"), 1 << 30)
        return pread(fd, count, offset)

    monkeypatch.setattr(module.os, "pread", grown)

    with pytest.raises(SpoolError, match="20 are allowed"):
        folder.read("file", 20)


def test_an_unended_line_is_ended_first(folder):
    """
    What a killed process left does not spoil the next line.
    """
    folder.append("lines", b"one\n")
    folder.append("lines", b"half")
    folder.append("lines", b"two\n")

    assert folder.read("lines", 99) == b"one\nhalf\ntwo\n"


def test_a_full_disk_leaves_the_old_file_and_no_new_one(tiny):
    """
    What does not fit is told and removed, and then there is room again.
    """
    tiny.write("file", [b"old"])

    for _ in range(3):
        with pytest.raises(OSError, match="No space") as caught:
            tiny.write("file", [b"x" * 1000] * 1000)
        assert caught.value.errno == errno.ENOSPC
    assert tiny.names() == ["file"]
    assert tiny.read("file", 3) == b"old"
    assert tiny.free_bytes() > 32_000


def test_a_full_disk_takes_no_half_line(tiny):
    """
    Of lines that do not fit nothing stays; those before stay whole.
    """
    line = b"y" * 999 + b"\n"
    tiny.append("lines", line * 10)
    with pytest.raises(OSError, match="No space"):
        tiny.append("lines", line * 100)
    tiny.append("lines", b"last\n")

    assert tiny.read("lines", 1 << 20) == line * 10 + b"last\n"


LIMITED = """
import resource, sys
from ringamp.buffer.folder import Folder
folder = Folder.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
for attempt in (
    lambda: folder.append("lines", b"y" * 2999 + b"\\n"),
    lambda: folder.write("file", [b"x" * 9000]),
):
    try:
        attempt()
    except OSError as error:
        print(error.errno)
"""


def test_a_limit_on_files_takes_no_half_line(folder):
    """
    A process that may write no larger files is told so; its half line is cut
    off, its half file removed.
    """
    folder.append("lines", b"x" * 2999 + b"\n")

    done = run(LIMITED, folder.path)

    assert done.stdout.split() == [str(errno.EFBIG)] * 2, done.stderr
    assert folder.read("lines", 9999) == b"x" * 2999 + b"\n"
    assert folder.names() == ["lines"]


def test_what_another_wrote_behind_a_half_line_stays(folder, monkeypatch):
    """
    A half line is not cut off where that would take another's with it.
    """
    write = os.write
    calls = []

    def failing(fd, data):
        calls.append(fd)
        if len(calls) == 1:
            return write(fd, data[:4])
        other = os.open(at(folder, "lines"), os.O_WRONLY | os.O_APPEND)
        write(other, b"\nother\n")
        os.close(other)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(writing.os, "write", failing)

    with pytest.raises(OSError, match="full"):
        folder.append("lines", b"mine mine\n")
    assert folder.read("lines", 99) == b"mine\nother\n"


KILLED = """
import os, signal, sys
from ringamp.buffer import folder as module
folder = module.Folder.open(sys.argv[1])
def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
def chunks():
    yield b"new" * 200_000
    if sys.argv[2] == "writing":
        die()
module.os.rename = die
folder.write("file", chunks())
"""


@pytest.mark.parametrize("when", ["writing", "before the rename"])
@pytest.mark.parametrize("old", [b"old", None])
def test_a_kill_leaves_no_half_file(folder, when, old):
    """
    Killed at its work or just before the rename, a writer leaves the old
    file, or none, under the name.
    """
    if old:
        folder.write("file", [old])

    done = run(KILLED, folder.path, when)

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert folder.size("file.tmp") > 0
    if old:
        assert folder.read("file", 99) == old
    else:
        assert folder.names() == ["file.tmp"]


CROWD = """
import os, sys
from ringamp.buffer.folder import Folder
folder = Folder.open(sys.argv[1])
names = folder.names()
children = []
for child in range(4):
    pid = os.fork()
    if not pid:
        for number in range(100):
            line = b"%d-%d-" % (child, number)
            folder.append("lines", line.ljust(3000, b"x") + b"\\n")
            if set(names) - set(folder.names()):
                os._exit(1)
        os._exit(0)
    children.append(pid)
print([os.waitpid(pid, 0)[1] for pid in children])
"""


def test_processes_share_a_folder(folder):
    """
    After a fork each lists all that is there, and appends whole lines that
    no other tears.
    """
    for number in range(300):
        at(folder, f"{number:03d}").touch()

    done = run(CROWD, folder.path)

    assert done.stdout.split() == ["[0,", "0,", "0,", "0]"], done.stderr
    lines = folder.read("lines", 1 << 21).splitlines()
    assert {len(line) for line in lines} == {3000}
    assert sorted(line.rstrip(b"x") for line in lines) == sorted(
        b"%d-%d-" % (child, number)
        for child in range(4)
        for number in range(100)
    )
