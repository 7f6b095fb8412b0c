# SPDX-License-Identifier: MIT
"""
The mutations of what a repair leaves to claims, and of checksums.
"""

from __future__ import annotations

from mutation import Mutation

SKIP = "            at += ra_void_span(word);\n            claim->end = at;\n"
NO_SPAN = "if (span == 0 || word != ra_void_word(position, span))"

CLAIMS = [
    Mutation(name, "ring.c", old, new, program)
    for program, name, old, new in (
        ("recover", "a void is not claimed", SKIP, SKIP[: SKIP.index("\n")]),
        (
            "recover",
            "one of several voids is skipped",
            "            position += ra_void_span(word);\n",
            "            return position + ra_void_span(word);\n",
        ),
        (
            "recover",
            "a void is spliced as an event",
            "            position += ra_void_span(word);\n",
            "            return position;\n",
        ),
        (
            "claim",
            "a void of nothing is claimed",
            NO_SPAN,
            "if (word != ra_void_word(position, span))",
        ),
        (
            "claim",
            "a void with other bits is claimed",
            NO_SPAN,
            "if (span == 0)",
        ),
        (
            "claim",
            "a pad with other bits is claimed",
            "return word == ra_header_word(position, 0, ra_state(word));",
            "return 1;",
        ),
    )
]

CHECKSUMS = [
    Mutation(name, file, old, new, program)
    for program, name, file, old, new in (
        (
            "damage",
            "flags are not in the checksum",
            "ring.c",
            "} prefix = {flags,",
            "} prefix = {0 * flags,",
        ),
        (
            "damage",
            "the time is not in the checksum",
            "ring.c",
            "(uint32_t)length, record->time_ms};",
            "(uint32_t)length, 0};",
        ),
        (
            "damage",
            "records without a checksum",
            "ring.c",
            "    if (ring->is_checked)\n        record->crc",
            "    if (ring->is_checked && length == 0)\n        record->crc",
        ),
        (
            "crc32c",
            "another polynomial",
            "crc32c.c",
            "0x82F63B78u",
            "0xEDB88320u",
        ),
        (
            "crc32c",
            "the portable way forgets what came before",
            "crc32c.c",
            "uint64_t value = load_8(at) ^ crc;",
            "uint64_t value = load_8(at) ^ (length & 8 ? crc : ~0u);",
        ),
        (
            "recover",
            "counters of the region overwrite",
            "ring.c",
            "add_relaxed(&ring->region->rejected, rejected);",
            "store_relaxed(&ring->region->rejected, rejected);",
        ),
    )
]

VOIDS = [*CLAIMS, *CHECKSUMS]
