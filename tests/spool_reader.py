# SPDX-License-Identifier: MIT
"""
A reader of the spool in plain Python, written from docs/spool-format.md
alone: nothing of ringamp is imported here.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from hashlib import blake2b
from typing import NamedTuple

DIGITS = "0123456789abcdefghijklmnopqrstuv"
WRITING, READY, PAD, VOID = 1, 2, 3, 4
DATA = 8192
CAPACITIES = [1 << power for power in range(16, 31)]
TAIL, FREE, HEAD, DELIVERED = 4096, 4224, 4232, 4240


class RefusedError(Exception):
    """
    This is no ring of the project.
    """


def base32(value, count):
    """
    Write a number with *count* digits.
    """
    return "".join(DIGITS[value >> 5 * at & 31] for at in range(count))[::-1]


def ring_text(ring_id):
    """
    Write a ring's id as files and insert_ids have it.
    """
    return base32(int.from_bytes(ring_id, "big") << 2, 26)


def project_of(api_key, url):
    """
    Name a project.
    """
    text = f"{api_key}\n{url}".encode()
    return blake2b(text, digest_size=16, person=b"ringamp").digest()


def stamp(position):
    """
    Make the stamp of a position.
    """
    return ((position >> 3) * 0x9E3779B97F4A7C15 % 2**64) >> 32 | 1


def _crc_of_byte(value):
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


TABLE = [_crc_of_byte(value) for value in range(256)]


def crc32c(data):
    """
    Make the checksum.
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def span_of(length):
    """
    Bytes that a record takes.
    """
    return (24 + length + 7) & ~7


class Event(NamedTuple):
    """
    An event as it is to be sent, and where it was.
    """

    position: int
    json: bytes


class Record(NamedTuple):
    """
    What a header says, and the payload.
    """

    flags: int
    length: int
    crc: int
    time_ms: int
    payload: bytes


def record_at(data, index, flags):
    """
    Read a record whose length is believed.
    """
    length, crc, time_ms = struct.unpack_from("<IIQ", data, index + 8)
    payload = bytes(data[index + 24 : index + 24 + length])
    return Record(flags, length, crc, time_ms, payload)


def make_event(ring, position, record, library):
    """
    Add to a payload what it lacks.
    """
    insert_id = f"{ring}-{base32(position, 13)}"
    lacks = [
        (1, f'"time":{record.time_ms},'),
        (2, f'"insert_id":"{insert_id}",'),
        (4, f'"library":"{library}",'),
    ]
    added = "".join(text for flag, text in lacks if record.flags & flag)
    return Event(position, b"{" + added.encode() + record.payload[1:])


class Header:
    """
    Page 0 and the hands, checked.

    Args:
        pages: The first 8192 bytes.

        size: Of the file.

        project: Whose ring it is to be.
    """

    def __init__(self, pages, size, project):
        head = struct.unpack_from("<8sIIQ16s16sQIIII", pages)
        magic, version, length, self.capacity, ring_id, whose = head[:6]
        self.created_ms, self.pid, self.min_id, self.flags, _ = head[6:]
        (crc,) = struct.unpack_from("<I", pages, 4092)
        self.free, self.head = struct.unpack_from("<QQ", pages, FREE)
        (self.tail,) = struct.unpack_from("<Q", pages, TAIL)
        self.ring = ring_text(ring_id)
        hands = (self.free, self.head, self.tail)
        for what, is_so in (
            ("magic", magic == b"RINGAMP1"),
            ("version", version == 1),
            ("header_crc", crc == crc32c(pages[:4092])),
            ("header_len", length == DATA),
            ("flags", self.flags & ~1 == 0),
            ("capacity", self.capacity in CAPACITIES),
            ("size", size == DATA + self.capacity),
            ("project", whose == project),
            ("alignment", not any(hand % 8 for hand in hands)),
            ("order", self.free <= self.head <= self.tail),
            ("room", self.tail - self.free <= self.capacity),
            ("end", self.tail <= 2**64 - 1 - 2**32),
            ("min_id", self.min_id <= 1024),
        ):
            if not is_so:
                raise RefusedError(what)


class Repair:
    """
    A dead ring, read.

    Args:
        content: Of the file.

        project: Whose it is to be.

        library: What events say that have none.

    Attributes:
        events: What is to be sent.

        torn: Gaps that began with a record that was being written.

        holes: Those that began with zeros.

        bad_crc: Those that began with anything else.
    """

    def __init__(self, content, project, library=""):
        self.header = Header(content[:DATA], len(content), project)
        self._data = memoryview(content)[DATA:]
        self._believed = 0
        self.events, self.torn, self.holes, self.bad_crc = [], 0, 0, 0
        at = self.header.head
        while at < self.header.tail:
            at = self._step(at, library)

    def _step(self, at, library):
        state, flags, end = self._heads(at)
        if state in {PAD, VOID}:
            return end
        if state == READY:
            record = record_at(self._data, at % self.header.capacity, flags)
            prefix = struct.pack("<IIQ", flags, record.length, record.time_ms)
            right = crc32c(prefix + record.payload)
            if not self.header.flags & 1 or record.crc == right:
                self.events.append(
                    make_event(self.header.ring, at, record, library)
                )
                return end
            self.bad_crc += 1
            if self._believed + end - at <= self.header.capacity:
                self._believed += end - at
                end = at + 24
        elif state == WRITING:
            self.torn += 1
        elif self._word(at) == 0:
            self.holes += 1
        else:
            self.bad_crc += 1
        room_end = at + self._room(at)
        while end < room_end and self._heads(end)[0] is None:
            end += 8
        return end

    def _word(self, at):
        (word,) = struct.unpack_from(
            "<Q", self._data, at % self.header.capacity
        )
        return word

    def _room(self, at):
        to_lap_end = self.header.capacity - at % self.header.capacity
        return min(to_lap_end, self.header.tail - at)

    def _heads(self, at):
        """
        Say what the word at a position heads: state, flags and end.
        """
        word, room = self._word(at), self._room(at)
        index = at % self.header.capacity
        ours, flags = stamp(at) << 32, word >> 8 & 255
        if word == ours | WRITING and room >= 24:
            return WRITING, 0, at + 24
        if word == ours | flags << 8 | READY and room >= 24:
            (length,) = struct.unpack_from("<I", self._data, index + 8)
            if length and span_of(length) <= room:
                return READY, flags, at + span_of(length)
        to_lap_end = self.header.capacity - index
        if (
            word == ours | PAD
            and at + to_lap_end < self.header.tail
            and not any(self._data[index + 8 : index + to_lap_end])
        ):
            return PAD, 0, at + to_lap_end
        eighths = word >> 16 & 0xFFFF
        if word == ours | eighths << 16 | VOID and 0 < 8 * eighths <= room:
            return VOID, 0, at + 8 * eighths
        return None, 0, at + 8


def take_lock(fd, byte):
    """
    Lock a byte, for as long as *fd* is open; False where somebody has it.
    """
    lock = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, lock)
    except BlockingIOError:
        return False
    return True


class LivingRing:
    """
    A ring whose producer leaves the sending to others; its byte 1 is had.

    Args:
        fd: The open file.

        project: Whose it is to be.
    """

    def __init__(self, fd, project, library=""):
        self._library = library
        self._map = mmap.mmap(fd, os.fstat(fd).st_size)
        self._words = memoryview(self._map).cast("Q")
        self.header = Header(self._map[:DATA], len(self._map), project)
        self.at = self.header.head
        self.release(self.at, 0)

    def close(self):
        """
        Unmap it.
        """
        self._words.release()
        self._map.close()

    def read(self):
        """
        Take what is there.
        """
        found, size = [], self.header.capacity
        while self.at < self._words[FREE // 8] + size:
            index = DATA + self.at % size
            word = self._words[index // 8]
            if word == 0 or word & 255 == WRITING:
                break
            if word == stamp(self.at) << 32 | PAD:
                self.at += size - self.at % size
                continue
            eighths = word >> 16 & 0xFFFF
            if word == stamp(self.at) << 32 | eighths << 16 | VOID:
                self.at += 8 * eighths
                continue
            if word >> 32 != stamp(self.at) or word & 255 != READY:
                raise RefusedError(f"word at {self.at}")
            record = record_at(self._map, index, word >> 8 & 255)
            end = self.at + span_of(record.length)
            if index + end - self.at > len(self._map) or (
                end > self._words[TAIL // 8]
            ):
                raise RefusedError(f"length at {self.at}")
            ring = self.header.ring
            found.append(make_event(ring, self.at, record, self._library))
            self.at = end
        return found

    def release(self, end, delivered):
        """
        Give the room before *end* back.
        """
        start, size = self._words[FREE // 8], self.header.capacity
        self._words[HEAD // 8] = end
        while start < end:
            index = start % size
            length = min(end - start, size - index)
            self._map[DATA + index : DATA + index + length] = bytes(length)
            start += length
        self._words[FREE // 8] = end
        self._words[DELIVERED // 8] += delivered
