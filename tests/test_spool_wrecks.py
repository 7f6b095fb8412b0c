# SPDX-License-Identifier: MIT
"""
Rings that were damaged, read by ringamp and by `spool_reader`: the same
records are kept, and the same gaps counted.
"""

from __future__ import annotations

import gzip
import random
import struct
import sys
from pathlib import Path

import pytest
import spool_reader
from spool_reader import DATA, Repair

from ringamp.buffer.adoption import adopt
from ringamp.buffer.ring import Ring
from ringamp.buffer.spool import Spool
from ringamp.errors import SpoolError

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="there are no spools here"
)

FILE = Path(__file__).resolve().parent / "data" / "ring-v1.ring.gz"
GOLDEN = gzip.decompress(FILE.read_bytes())
PROJECT = b"project of tests"
LIBRARY = "wrecks/1"


def sent_by_adoption(folder, project, content):
    """
    Have ringamp adopt a ring; return the events it would send, and what it
    counts.
    """
    spool = Spool(str(folder), project, 1 << 20)
    try:
        name = "0" * 26
        path = folder / project.hex() / "rings" / f"{name}.ring"
        path.write_bytes(content)
        path.chmod(0o600)
        outlet = adopt(spool, name, LIBRARY.encode(), live=False)
        batch = outlet.fill(b"", b"", max_count=10**6, max_bytes=10**9)
        events = (
            []
            if batch is None
            else [batch.event_bytes(at) for at in range(len(batch))]
        )
        found = outlet.findings
        outlet.close(is_done=True)
    finally:
        spool.close()
    return events, (found.torn, found.holes, found.bad_crc)


def seen_by_reader(content, project):
    """
    Return the same of the independent reader.
    """
    repair = Repair(content, project, LIBRARY)
    events = [event.json for event in repair.events]
    return events, (repair.torn, repair.holes, repair.bad_crc)


def test_the_golden_file(tmp_path):
    """
    The file of version 1 holds the same events, and the same losses.
    """
    seen = seen_by_reader(GOLDEN, PROJECT)
    positions = [e.position for e in Repair(GOLDEN, PROJECT).events]

    assert seen == sent_by_adoption(tmp_path, PROJECT, GOLDEN)
    assert seen[1] == (1, 2, 1)
    assert positions == [327432, 327680, 327904, 327992]


def ring_file(folder, count, wait):
    """
    Push events into a ring file, beginning to release them when there are
    *wait* bytes; return the file's bytes.
    """
    spool = Spool(str(folder), PROJECT, 1 << 20)
    file = spool.create(1 << 16, min_id_length=5, now_ms=1, is_consumed=True)
    ring = Ring(
        file.region, min_id_length=5, max_event=10**6, library=b"own/1"
    )
    for number in range(count):
        text = "x" * (number * 37 % 400)
        event = {"event_type": text or "none", "user_id": "datamonster"}
        assert ring.push_event(event) >= 0
        if ring.used > wait:
            batch = ring.fill(b"", b"", max_count=40, max_bytes=10**6)
            ring.release(batch.end)
    (path,) = (folder / PROJECT.hex() / "rings").glob("*.ring")
    content = path.read_bytes()
    ring.close()
    file.close(is_done=True)
    spool.close()
    return content


@pytest.fixture(scope="module")
def full_ring(tmp_path_factory):
    """
    A ring that is nearly full, with the end of a lap inside.
    """
    return ring_file(tmp_path_factory.mktemp("full"), 900, 64_000)


@pytest.fixture(scope="module")
def young_ring(tmp_path_factory):
    """
    A ring in its first lap.
    """
    return ring_file(tmp_path_factory.mktemp("young"), 30, 64_000)


def damaged(content, seed):
    """
    Make a wreck: the tail moved, and some words between head and tail
    changed at random, zeroed, or made headers whose stamps are right.
    """
    chance = random.Random(seed)
    wreck, size = bytearray(content), len(content) - DATA
    free, head = struct.unpack_from("<QQ", wreck, spool_reader.FREE)
    (tail,) = struct.unpack_from("<Q", wreck, spool_reader.TAIL)
    if chance.random() < 0.3:
        tail = chance.randrange(head + 8, free + size + 8, 8)
        struct.pack_into("<Q", wreck, spool_reader.TAIL, tail)
    for _ in range(chance.randrange(9)):
        at = chance.randrange(head, tail, 8)
        index = DATA + at % size
        stamped = spool_reader.stamp(at) << 32
        (word,) = struct.unpack_from("<Q", wreck, index)
        words = chance.choice(
            [
                [word ^ 1 << chance.randrange(64)],
                [0] * chance.randrange(1, 40),
                [stamped | chance.choice([1, 3, 7 << 8 | 3])],
                [stamped | chance.choice([0, 1, 9, 5000]) << 16 | 4],
                [stamped | 2, chance.choice([0, 1, 60, 20000])],
                [
                    value
                    for near in range(at, at + 4000, 16)
                    for value in (spool_reader.stamp(near) << 32 | 2, 20000)
                ],
            ]
        )[: (size - at % size) // 8]
        struct.pack_into(f"<{len(words)}Q", wreck, index, *words)
    return bytes(wreck)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("age", ["full", "young"])
def test_wrecks_are_repaired_alike(tmp_path, request, age, seed):
    """
    Of rings that are damaged in every way that a table of the text is about,
    reader and core keep the same records, and count the same gaps.
    """
    sound = request.getfixturevalue(f"{age}_ring")
    seen = seen_by_reader(sound, PROJECT)
    assert len(seen[0]) >= 30
    assert seen[1] == (0, 0, 0)

    for number in range(25):
        wreck = damaged(sound, f"{seed}-{number}")
        assert seen_by_reader(wreck, PROJECT) == sent_by_adoption(
            tmp_path, PROJECT, wreck
        ), f"{age} {seed}-{number}"


def test_a_pad_is_never_the_last(tmp_path, young_ring):
    """
    Behind a pad there is the record for which it was made; a word that looks
    like one at the end of the reserved bytes is a gap.
    """
    wreck = bytearray(young_ring)
    (tail,) = struct.unpack_from("<Q", wreck, spool_reader.TAIL)
    word = spool_reader.stamp(tail) << 32 | spool_reader.PAD
    struct.pack_into("<Q", wreck, DATA + tail, word)
    struct.pack_into("<Q", wreck, spool_reader.TAIL, tail + 8)
    seen = seen_by_reader(bytes(wreck), PROJECT)

    assert seen == sent_by_adoption(tmp_path, PROJECT, bytes(wreck))
    assert (len(seen[0]), seen[1]) == (30, (0, 0, 1))


HEADERS = {
    "magic": (0, 1),
    "version": (8, 3),
    "header_len": (13, 1),
    "a small capacity": (18, 1),
    "no power of two": (16, 8),
    "project": (40, 1),
    "a limit on ids that no option gives": (69, 4),
    "an unknown flag": (72, 2),
    "tail not aligned": (4096, 4),
    "tail far ahead": (4102, 1),
    "free not aligned": (4224, 1),
    "free above head": (4230, 1),
    "head not aligned": (4232, 2),
    "head above tail": (4238, 1),
}
"""Bits that are changed, by what is wrong then."""


@pytest.mark.parametrize("fault", HEADERS)
def test_headers_are_refused_alike(tmp_path, full_ring, fault):
    """
    What the text says against a header, both say, though its checksum is
    right.
    """
    offset, bits = HEADERS[fault]
    wreck = bytearray(full_ring)
    wreck[offset] ^= bits
    struct.pack_into("<I", wreck, 4092, spool_reader.crc32c(wreck[:4092]))

    with pytest.raises(spool_reader.RefusedError):
        seen_by_reader(bytes(wreck), PROJECT)
    with pytest.raises(SpoolError):
        sent_by_adoption(tmp_path, PROJECT, bytes(wreck))


@pytest.mark.parametrize("offset", [24, 56, 64, 68, 76, 80, 4091, 4092])
def test_page_0_is_sealed(tmp_path, full_ring, offset):
    """
    A changed bit in anything that its checksum covers refuses the file.
    """
    wreck = bytearray(full_ring)
    wreck[offset] ^= 1

    with pytest.raises(spool_reader.RefusedError, match="header_crc"):
        seen_by_reader(bytes(wreck), PROJECT)
    with pytest.raises(SpoolError, match="checksum"):
        sent_by_adoption(tmp_path, PROJECT, bytes(wreck))


def test_notes_are_ignored(tmp_path, full_ring):
    """
    Bits of notes that nobody knows refuse nothing.
    """
    wreck = bytearray(full_ring)
    wreck[76:80] = b"\xff\xff\xff\xff"
    struct.pack_into("<I", wreck, 4092, spool_reader.crc32c(wreck[:4092]))
    seen = seen_by_reader(bytes(wreck), PROJECT)

    assert seen == seen_by_reader(full_ring, PROJECT)
    assert seen == sent_by_adoption(tmp_path, PROJECT, bytes(wreck))
