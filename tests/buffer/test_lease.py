# SPDX-License-Identifier: MIT
"""
Locks on the bytes of files: who has them, and when they end.
"""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys

import pytest
from forking import fork

from ringamp.buffer.lease import CONSUMER, PRODUCER, Lease


@pytest.fixture
def directory(tmp_path):
    """
    The descriptor of a directory.
    """
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    yield fd
    os.close(fd)


@pytest.fixture
def pair(directory):
    """
    Two leases of one file, as two processes would have them.
    """
    leases = [
        Lease.open(directory, "ring", create=True),
        Lease.open(directory, "ring"),
    ]
    yield leases
    for lease in leases:
        lease.close()


def test_a_file_is_made_for_its_user_alone(directory, tmp_path):
    """
    Whatever the umask says, and never in place of one that is there.
    """
    mask = os.umask(0)
    try:
        Lease.open(directory, "ring", create=True).close()
    finally:
        os.umask(mask)

    assert stat.S_IMODE((tmp_path / "ring").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError, match="ring"):
        Lease.open(directory, "ring", create=True)


def test_what_is_not_there_is_not_made(directory, tmp_path):
    """
    Opening without *create* leaves the directory as it is.
    """
    with pytest.raises(FileNotFoundError, match="ring"):
        Lease.open(directory, "ring")

    assert list(tmp_path.iterdir()) == []


def test_no_link_is_followed(directory, tmp_path):
    """
    Neither to open what it leads to nor to make it.
    """
    target = tmp_path / "target"
    (tmp_path / "ring").symlink_to(target)
    with pytest.raises(OSError, match="ring"):
        Lease.open(directory, "ring")
    with pytest.raises(FileExistsError):
        Lease.open(directory, "ring", create=True)
    assert not target.exists()

    target.touch()
    with pytest.raises(OSError, match="symbolic"):
        Lease.open(directory, "ring")


def test_a_name_may_be_any_bytes(directory, tmp_path):
    """
    Others make names that are no text; they are opened like all others.
    """
    (tmp_path / os.fsdecode(b"\xff.ring")).touch()
    (path,) = tmp_path.iterdir()

    with_such_a_name = Lease.open(directory, path.name)

    assert with_such_a_name.take(PRODUCER)
    with_such_a_name.close()


def test_a_fifo_does_not_block(directory, tmp_path):
    """
    Opening it comes back at once, though nobody writes to it.
    """
    os.mkfifo(tmp_path / "ring")

    Lease.open(directory, "ring").close()


def test_no_program_inherits_it(pair):
    """
    A lease is closed when another program is executed.
    """
    assert not any(os.get_inheritable(lease.fd) for lease in pair)


def test_a_byte_is_had_by_one(pair):
    """
    Who has it may take it again, nobody else may, until it is given back.
    """
    mine, other = pair

    assert mine.take(PRODUCER)
    assert mine.take(PRODUCER)
    assert not other.take(PRODUCER)
    mine.give(PRODUCER)
    assert other.take(PRODUCER)
    assert not mine.take(PRODUCER)


def test_the_two_bytes_are_two_locks(pair):
    """
    One process pushes while another one sends.
    """
    producer, consumer = pair

    assert producer.take(PRODUCER)
    assert consumer.take(CONSUMER)
    assert not producer.take(CONSUMER)
    assert not consumer.take(PRODUCER)
    consumer.give(CONSUMER)
    assert not consumer.take(PRODUCER)


def test_giving_what_one_has_not_takes_nothing(pair):
    """
    The other's lock stays.
    """
    mine, other = pair
    mine.take(PRODUCER)

    other.give(PRODUCER)

    assert not other.take(PRODUCER)


def test_another_descriptor_that_closes_frees_nothing(
    pair, directory, tmp_path
):
    """
    Unlike with classic locks, where reading the file would lose them.
    """
    mine, other = pair
    mine.take(PRODUCER)

    (tmp_path / "ring").read_bytes()
    other.close()

    with_the_file = Lease.open(directory, "ring")
    assert not with_the_file.take(PRODUCER)
    with_the_file.close()


def test_a_close_frees_both(pair):
    """
    And a second close does nothing, even to a file that was opened since
    and has the same number.
    """
    mine, other = pair
    mine.take(PRODUCER)
    mine.take(CONSUMER)

    mine.close()
    assert other.take(PRODUCER)
    assert other.take(CONSUMER)

    reused = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    assert reused == mine.fd
    mine.close()
    os.fstat(reused)
    os.close(reused)


HOLD = """
import os, sys, time
from ringamp.buffer.lease import Lease
lease = Lease.open(os.open(sys.argv[1], os.O_RDONLY), "ring")
print(lease.take(0), lease.take(1), flush=True)
time.sleep(60)
"""


def test_a_killed_process_has_nothing_any_more(pair, tmp_path):
    """
    Its locks hold while it lives, stopped or not, and end with it.
    """
    (_, other) = pair
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline().split() == ["True", "True"]
        assert not other.take(PRODUCER)
        holder.send_signal(signal.SIGSTOP)
        assert not other.take(CONSUMER)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()

    assert other.take(PRODUCER)
    assert other.take(CONSUMER)


def test_a_child_keeps_nothing_of_its_parents(pair):
    """
    A child that lives on has no lock of the parent's, who can give it away;
    and what the child closes takes the lock from nobody.
    """
    mine, other = pair
    mine.take(PRODUCER)
    closed, ended = os.pipe(), os.pipe()
    pid = fork()
    if pid == 0:
        mine.close()
        os.write(closed[1], b"x")
        os.read(ended[0], 1)
        os._exit(0)
    try:
        os.read(closed[0], 1)
        assert not other.take(PRODUCER)
        mine.close()
        assert other.take(PRODUCER)
    finally:
        os.write(ended[1], b"x")
        os.waitpid(pid, 0)
        for fd in (*closed, *ended):
            os.close(fd)


def test_what_cannot_be_locked_is_told(pair):
    """
    A descriptor that is closed, or a system that refuses, is no "somebody
    else has it".
    """
    mine, _ = pair
    os.close(mine.fd)

    with pytest.raises(OSError, match="ring"):
        mine.take(PRODUCER)
    with pytest.raises(OSError, match="ring"):
        mine.give(PRODUCER)


def test_too_many_open_files_are_told(directory, pair):
    """
    As the system says it, and nothing is half open then.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (pair[1].fd + 1, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            Lease.open(directory, "ring")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    Lease.open(directory, "ring").close()
