# SPDX-License-Identifier: MIT
"""
A spool that dead processes left, and what somebody does to its files.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import NamedTuple

import runner
import sealed
from workload import KEY
from wreckage import CAPACITY_AT, MAGIC_AT, VERSION_AT, write_at

from ringamp.bindings import CAPACITY_MIN, HEADER_SIZE, ffi, lib
from ringamp.buffer.region import new_ring_id
from ringamp.buffer.spool import ring_text
from ringamp.collector import Fault

OTHER_KEY = "f" * 32

COUNT = 12
"""Events in each ring."""

SIZE = HEADER_SIZE + CAPACITY_MIN

SEAL_LENGTH = 16
"""Bytes of the checksum behind a backlog file's array."""

STRANGER = 65534


class Left(NamedTuple):
    """
    What is in the spool of one project.

    Attributes:
        path: The project's directory.

        target: The ring that something is done to.

        witness: Another ring, left alone.

        stranger: A ring of another project.
    """

    path: Path
    target: Path
    witness: Path
    stranger: Path

    def beside(self, suffix=".ring"):
        """
        Return a path in the folder of rings that nothing has.
        """
        return self.target.with_name(ring_text(new_ring_id()) + suffix)


def leave(path, url, key, *orders):
    """
    Have processes die that use the spool at *path*; return the rings.
    """
    known = set(path.rglob("*.ring"))
    done = runner.run(
        runner.HERE / "leaver.py", path, key, *orders, url=url, deadline=60
    )
    assert (done.code, done.err) == (0, "")
    return sorted(set(path.rglob("*.ring")) - known)


def prepare(path, url):
    """
    Have processes of two projects die.
    """
    (target,) = leave(path, url, KEY, f"target=ring:{COUNT}")
    (witness,) = leave(path, url, KEY, f"witness=ring:{COUNT}")
    (stranger,) = leave(path, url, OTHER_KEY, f"stranger=ring:{COUNT}")
    return Left(target.parents[1], target, witness, stranger)


def copy_of(left, path):
    """
    Copy it into the directory *path*, as `prepare` would have made it there.
    """
    old = left.path.parent
    shutil.copytree(old, path, dirs_exist_ok=True)
    return Left(*(path / one.relative_to(old) for one in left))


def reseal(path, change):
    """
    Change a ring's file as somebody does who computes checksums: *change* is
    called with its bytes.
    """
    content = bytearray(path.read_bytes())
    change(content)
    region = ffi.from_buffer("unsigned char[]", content)
    lib.ra_region_seal(ffi.cast("struct ra_region *", region))
    ffi.release(region)
    path.write_bytes(content)


def put_number(at, value, size=4):
    """
    Return a change that writes a number.
    """

    def change(content):
        content[at : at + size] = value.to_bytes(size, "little")

    return change


def flip(content, bit):
    """
    Flip one bit.
    """
    content[bit // 8] ^= 1 << bit % 8


def link_to(left, where):
    """
    Put a link to *where* in the ring's place.
    """
    left.target.unlink()
    left.target.symlink_to(where)


def to_link(left):
    """
    Move the ring away and leave a link to it.
    """
    elsewhere = left.path.parent / "elsewhere"
    left.target.rename(elsewhere)
    left.target.symlink_to(elsewhere)


def to_fifo(left):
    """
    Put a FIFO in the ring's place.
    """
    left.target.unlink()
    os.mkfifo(left.target)


def to_socket(left):
    """
    Put a socket in the ring's place.
    """
    left.target.unlink()
    here = Path.cwd()
    os.chdir(left.target.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(left.target.name)
    finally:
        os.chdir(here)


def to_directory(left):
    """
    Put a directory in the ring's place.
    """
    left.target.unlink()
    left.target.mkdir()


def to_stranger(left):
    """
    Put another project's ring in the ring's place.
    """
    shutil.copy(left.stranger, left.target)


def beside_stranger(left):
    """
    Put copies of another project's ring beside it, under all kinds of names.
    """
    for suffix in (".ring", ".tmp", ".bad", ".ring.ring", ""):
        shutil.copy(left.stranger, left.beside(suffix))


def disown(left):
    """
    Give it to another user.
    """
    os.chown(left.target, STRANGER, STRANGER)


def huge(left):
    """
    Make it as large as a ring can be, of holes, and say so in its header.
    """
    size = 1 << 28
    with left.target.open("r+b") as file:
        file.truncate(HEADER_SIZE + size)
        header = bytearray(file.read(HEADER_SIZE))
        put_number(CAPACITY_AT, size, 8)(header)
        region = ffi.from_buffer("unsigned char[]", header)
        lib.ra_region_seal(ffi.cast("struct ra_region *", region))
        ffi.release(region)
        file.seek(0)
        file.write(header)


def resize(size):
    """
    Return what gives the ring's file another size.
    """
    return lambda left: os.truncate(left.target, size)


def write(at, data):
    """
    Return what writes over some of the ring's file.
    """
    return lambda left: write_at(left.target, at, data)


def sealed_with(at, value, size=4):
    """
    Return what gives the ring another header, with the right checksum.
    """
    return lambda left: reseal(left.target, put_number(at, value, size))


BAD, LEFT, MOVED = "put aside", "left there", "left under another name"
SENT, PART = "all of it sent", "sent as far as it is sound"
"""What may become of the ring."""

DAMAGES = {
    "untouched": (lambda left: None, SENT),
    "empty": (resize(0), BAD),
    "one byte": (resize(1), BAD),
    "cut in its header": (resize(5000), BAD),
    "cut behind its header": (resize(HEADER_SIZE), BAD),
    "cut by a byte": (resize(SIZE - 1), BAD),
    "longer by a byte": (resize(SIZE + 1), BAD),
    "a terabyte of holes": (resize(1 << 40), BAD),
    "the largest of holes": (huge, SENT),
    "another magic": (write(MAGIC_AT, b"RINGAMP9"), BAD),
    "another version": (write(VERSION_AT, b"\2"), BAD),
    "a sealed later version": (sealed_with(VERSION_AT, 2), BAD),
    "another capacity": (sealed_with(CAPACITY_AT, 1 << 40, 8), BAD),
    "a capacity of zero": (sealed_with(CAPACITY_AT, 0, 8), BAD),
    "flags that nobody knows": (sealed_with(72, 0x80), BAD),
    "no checksums": (sealed_with(72, 0), SENT),
    "another project, sealed": (sealed_with(40, 7, 16), BAD),
    "a limit on ids of billions": (sealed_with(68, 2**32 - 1), BAD),
    "the pid of a living process": (sealed_with(64, os.getpid()), SENT),
    "the pid of all containers": (sealed_with(64, 1), SENT),
    "a header of noise": (write(0, b"\x55" * HEADER_SIZE), BAD),
    "positions of noise": (write(4096, b"\x55" * 256), BAD),
    "records of noise": (write(HEADER_SIZE, b"\x55" * CAPACITY_MIN), PART),
    "all of it zeros": (write(0, bytes(SIZE)), BAD),
    "records of zeros": (write(HEADER_SIZE, bytes(CAPACITY_MIN)), PART),
    "another project's": (to_stranger, BAD),
    "beside another project's": (beside_stranger, SENT),
    "a link to it": (to_link, LEFT),
    "a link to nothing": (lambda left: link_to(left, "nowhere"), LEFT),
    "a link to itself": (lambda left: link_to(left, left.target), LEFT),
    "a link to a device": (lambda left: link_to(left, "/dev/zero"), LEFT),
    "a FIFO": (to_fifo, BAD),
    "a socket": (to_socket, LEFT),
    "a directory": (to_directory, LEFT),
    "named as half-made": (
        lambda left: left.target.rename(left.target.with_suffix(".tmp")),
        MOVED,
    ),
    "without its name": (
        lambda left: left.target.rename(left.target.with_name("x.ring")),
        MOVED,
    ),
    "another user's": (disown, BAD),
}
"""What is done to a ring, and what becomes of it."""


def tags(name, count=COUNT):
    """
    Return the tags of what a dead process logged.
    """
    return sealed.tags_of(name, count)


SLOW = Fault(delay=0.4)
"""What gives a test the time to do something meanwhile."""

OWN = 7
"""Events that a living client logs."""

DEADLINE = 60
"""Seconds for a client that needs one."""


def check(done, answers=("success",)):
    """
    See that a client did what it had to; return what it told.
    """
    assert (done.code, done.hung) == (0, False), done.err
    assert "Traceback" not in done.err
    assert "CRITICAL" not in done.err, done.err
    (told,) = done.told
    assert told["logged"] == OWN
    if answers is not None:
        assert told["answers"] == list(answers)
        assert told["delivered"] == OWN
    assert told["longest"] < 5
    assert told["shutdown"] < 10
    return told
