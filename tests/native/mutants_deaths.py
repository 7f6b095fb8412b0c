# SPDX-License-Identifier: MIT
"""
The mutations of a ring that leaves its process: views, checksums, deaths.
"""

from __future__ import annotations

from mutants_ring import BARRIER, FREE, HEAD, READY, ZERO
from mutation import Mutation

ATTACH = [
    Mutation(
        "anything is attached to",
        "ring.c",
        "region->magic != RA_MAGIC || region->version",
        "region->version",
        "ring",
    ),
    Mutation(
        "a ring of another version is attached to",
        "ring.c",
        "|| region->version != RA_VERSION ||",
        "||",
        "ring",
    ),
    Mutation(
        "a view begins where bytes are being zeroed",
        "ring.c",
        "ring->claim = load_relaxed(&region->head)",
        "ring->claim = load_relaxed(&region->free)",
        "ring",
    ),
    Mutation(
        "checksums where none are wanted",
        "ring.c",
        "    if (ring->is_checked)\n",
        "    if (ring->mask)\n",
        "ring",
    ),
    Mutation(
        "the length is not in the checksum",
        "ring.c",
        "prefix = {flags, (uint32_t)length, record->time_ms};",
        "prefix = {flags, 0, record->time_ms};",
        "ring",
    ),
    Mutation(
        "the payload is not in the checksum",
        "ring.c",
        "record->payload,\n                     length);",
        "record->payload,\n                     length / length - 1);",
        "ring",
    ),
    Mutation(
        "free_cache runs ahead",
        "ring.c",
        "store_release(&region->free_cache, free); /* E3 */",
        "store_release(&region->free_cache, free + 8); /* E3 */",
        "ring",
    ),
]

# Again where each thread has a view of its own and nothing else in common.
VIEWS = [
    Mutation(
        "READY stored relaxed (views)",
        "ring.c",
        f"store_release(&record->word, {READY}",
        f"store_relaxed(&record->word, {READY}",
        "shared",
        "thread",
    ),
    Mutation(
        "free stored relaxed (views)",
        "ring.c",
        FREE,
        FREE.replace("release", "relaxed"),
        "shared",
        "thread",
    ),
]

WRITING = (
    "    store_relaxed(&record_at(ring, tail)->word,\n"
    "                  ra_header_word(tail, 0, RA_WRITING));\n"
)

KILLED = [
    Mutation(
        "head moves after the zeroing (by kills)",
        "ring.c",
        HEAD + BARRIER + ZERO,
        BARRIER + ZERO + HEAD,
        "kill",
        is_short=True,
    ),
    Mutation(
        "free moves before the zeroing (by kills)",
        "ring.c",
        ZERO + FREE,
        FREE + ZERO,
        "kill",
    ),
    Mutation(
        "WRITING is never said",
        "ring.c",
        WRITING,
        "",
        "kill",
    ),
]

DEATHS = [*ATTACH, *VIEWS, *KILLED]
