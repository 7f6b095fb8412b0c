# SPDX-License-Identifier: MIT
"""
Events that say by themselves whether they are as they were logged.

All of an event follows from its tag; a checksum in its properties, which no
part of ringamp knows of, is checked as well.
"""

from __future__ import annotations

import random
import re
import time
import zlib
from collections import Counter

ALPHABET = 'abc xyz 0123456789 "\\/\t\n{}[],: äöü€ 漢字 😀'

ADDED = {"time", "insert_id", "library"}

INSERT_ID = re.compile(r"[0-9a-v]{26}-[0-9a-v]{13}")

DAY_MS = 24 * 3600 * 1000


def event(tag):
    """
    Make the event of *tag*.
    """
    rng = random.Random(tag)
    text = "".join(rng.choices(ALPHABET, k=rng.randrange(200)))
    return {
        "event_type": f"type {rng.randrange(100)}",
        "user_id": f"user of {tag}",
        "event_properties": {
            "tag": tag,
            "text": text,
            "crc": zlib.crc32(f"{tag}{text}".encode()),
        },
    }


def fault_of(taken):
    """
    Say what is wrong with an event that the service took; None for one that
    is as it was logged.
    """
    properties = taken.get("event_properties") or {}
    tag, text = properties.get("tag"), properties.get("text")
    if zlib.crc32(f"{tag}{text}".encode()) != properties.get("crc"):
        return f"no event of ours: {taken!r}"[:500]
    logged = {name: taken[name] for name in taken if name not in ADDED}
    if logged != event(tag):
        return f"{tag} is not as it was logged: {taken!r}"[:500]
    if not taken.keys() >= ADDED or not INSERT_ID.fullmatch(
        taken["insert_id"]
    ):
        return f"{tag} lacks what ringamp adds: {taken!r}"[:500]
    if abs(taken["time"] - time.time() * 1000) > DAY_MS:
        return f"{tag} has another time: {taken['time']}"
    return None


def tags_of(name, count):
    """
    Return the tags of the first *count* events of *name*.
    """
    return [f"{name}/{number}" for number in range(count)]


def faults_of(events, own, others=()):
    """
    Say what is wrong with all that the service took.

    Args:
        events: All of them.

        own: Tags that must be there.

        others: Tags that may be there as well.
    """
    faults = [fault for one in events if (fault := fault_of(one))]
    taken = Counter(
        (one.get("event_properties") or {}).get("tag") for one in events
    )
    faults += [f"{tag} is missing" for tag in own if tag not in taken]
    faults += [f"{tag} came {n} times" for tag, n in taken.items() if n > 1]
    known = {*own, *others}
    faults += [f"{tag} is nobody's here" for tag in taken if tag not in known]
    return faults
