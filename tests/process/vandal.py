# SPDX-License-Identifier: MIT
"""
Who damages the files of a spool: `Vandal`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections import Counter
from os.path import lexists

import hostile

from ringamp.buffer.region import new_ring_id
from ringamp.buffer.spool import ring_text

FULL = 40_000
"""Bytes of a ring's file in which there is something."""

LARGEST = 1 << 22
"""Bytes of a file that is copied; holes would become bytes."""


def is_plain(path):
    """
    Whether a file is there, and not only what leads to one.
    """
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


WEIGHTS = {
    **dict.fromkeys(("flip", "noise"), 5),
    **dict.fromkeys(("header_noise", "cut", "copy"), 2),
    **dict.fromkeys(("stretch", "rename", "exchange"), 1),
    **dict.fromkeys(("remove", "supplant", "seal"), 1),
}
"""What is done, and how often; methods of `Vandal`."""


class Vandal:
    """
    Damages the files of a directory.

    Args:
        rng: Says which, and how.

        path: The spool directory.

        mine: The client's project's directory.
    """

    def __init__(self, rng, path, mine):
        self.rng = rng
        self.path = path
        self.mine = mine
        self.files = sorted(one for one in path.rglob("*") if one.is_file())
        self.touched = set()
        self.counts = Counter()

    def act(self):
        """
        Damage something in one way.
        """
        (name,) = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))
        victim = self.rng.choice(self.files)
        if not is_plain(victim):
            return
        self.touched.add(victim)
        # The client removes and renames as well.
        with contextlib.suppress(OSError):
            getattr(self, name)(victim)
            self.counts[name] += 1

    def name(self):
        """
        Choose a name: one of the files', or one that a file could have.
        """
        folder = self.rng.choice(["rings", "backlog", "dead-letters"])
        text = ring_text(new_ring_id())
        digits = "".join(self.rng.choices("0123456789", k=13))
        suffix = self.rng.choice([".json", ".held", ".tmp", ".bad"])
        choices = [
            self.rng.choice(self.files),
            self.mine / folder / f"{text}.ring",
            self.mine / folder / f"{text}{suffix}",
            self.mine / folder / f"{digits}-{text}-3-5{suffix}",
            self.mine / folder / f"2026-01-01{suffix}",
            self.mine / folder / os.fsdecode(b"\xfe\xff.ring"),
        ]
        return self.rng.choice(choices)

    def noise(self, victim):
        """
        Write over a part of it.
        """
        size = max(victim.stat().st_size, 1)
        # The beginning is where the records are.
        at = min(self.rng.randrange(size), self.rng.randrange(size))
        length = min(1 + int(self.rng.paretovariate(0.5)), size - at, 1 << 16)
        filler = self.rng.choice([bytes(length), self.rng.randbytes(length)])
        self.put(victim, at, filler)

    def header_noise(self, victim):
        """
        Write over one number of a header, or of the positions.
        """
        at = self.rng.choice([*range(0, 80, 4), *range(4092, 4380, 8)])
        value = self.rng.choice(
            [0, 1, 4, 8, 2**31, 2**32 - 1, 2**63, 2**64 - 8, 1 << 16, 73728]
        )
        self.put(victim, at, value.to_bytes(8, "little"))

    def flip(self, victim):
        """
        Flip some bits.
        """
        size = victim.stat().st_size
        for _ in range(self.rng.choice([1, 1, 1, 2, 8, 64]) if size else 0):
            at = self.rng.randrange(min(size, FULL))
            with victim.open("rb") as file:
                file.seek(at)
                byte = file.read(1)
            if byte:
                self.put(victim, at, bytes([byte[0] ^ 1 << at % 8]))

    def cut(self, victim):
        """
        Make it shorter.
        """
        os.truncate(victim, self.rng.randrange(victim.stat().st_size + 1))

    def stretch(self, victim):
        """
        Make it longer, of holes.
        """
        size = victim.stat().st_size
        more = self.rng.choice([1, 8, 4096, 1 << 20, 1 << 32, 1 << 42])
        os.truncate(victim, size + more)

    def rename(self, victim):
        """
        Give it another name, in place of what may have that.
        """
        target = self.name()
        self.touched.add(target)
        victim.replace(target)

    def exchange(self, victim):
        """
        Let two files have each other's names.
        """
        other = self.rng.choice(self.files)
        self.touched.add(other)
        aside = victim.with_name("aside")
        victim.replace(aside)
        with contextlib.suppress(OSError):
            other.replace(victim)
        aside.replace(other)

    def copy(self, victim):
        """
        Put a copy of any file, also of the other project's, somewhere.
        """
        target = self.name()
        self.touched.add(target)
        source = self.rng.choice([victim, self.rng.choice(self.files)])
        fits = is_plain(target) or not lexists(target)
        if fits and is_plain(source) and source.stat().st_size <= LARGEST:
            shutil.copyfile(source, target)

    def remove(self, victim):
        """
        Remove it.
        """
        victim.unlink()

    def supplant(self, victim):
        """
        Put something in its place that is no file.
        """
        victim.unlink()
        kind = self.rng.randrange(4)
        if kind == 0:
            victim.mkdir()
        elif kind == 1:
            os.mkfifo(victim)
        elif kind == 2:
            victim.symlink_to(self.rng.choice(self.files))
        else:
            victim.symlink_to("/dev/zero")

    def seal(self, victim):
        """
        Change a header, and give it the right checksum.
        """
        if victim.stat().st_size != hostile.SIZE:
            return
        # Not the flags: without its checksums nothing else would be noticed.
        fields = [*range(8, 24, 4), *range(40, 72, 4), 76, 200]
        at = self.rng.choice(fields)
        value = self.rng.choice([0, 1, 2, 5, 1024, 2**31, 2**32 - 1])
        hostile.reseal(victim, hostile.put_number(at, value))

    @staticmethod
    def put(path, at, data):
        """
        Write at a place of a file that is there.
        """
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(fd, data, at)
        finally:
            os.close(fd)
