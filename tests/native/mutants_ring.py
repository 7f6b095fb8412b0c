# SPDX-License-Identifier: MIT
"""
The mutations of the ring: memory orders, producers, consumer.
"""

from __future__ import annotations

from mutation import Mutation

READY = "ra_header_word(slot->position, flags,"
ZERO_FIRST = "    memset(region->data + from, 0, first);\n"
ZERO_REST = "    memset(region->data, 0, length - first);\n"
HALF = '    RA_FAILPOINT("half zeroed");\n'
ZEROED = '    RA_FAILPOINT("zeroed");\n'
ZERO = ZERO_FIRST + HALF + ZERO_REST + ZEROED
FREE = "    store_release(&region->free, end); /* E2 */\n"
HEAD = "    store_release(&region->head, end);\n"
BARRIER = (
    '    compiler_barrier();\n    RA_FAILPOINT("head moved");\n'
    "    if (first > length)\n        first = length;\n"
)
LENGTH = "    record->length = (uint32_t)length;\n"
FILLED = (
    "    record->time_ms = time_ms;\n"
    "    if (ring->is_checked)\n"
    "        record->crc = ra_record_crc(record, flags, length);\n"
    '    RA_FAILPOINT("before commit");\n'
)
STORE_READY = (
    f"    store_release(&record->word, {READY}\n"
    "                                                RA_READY)); /* E1 */\n"
)

ORDERS = [
    Mutation(
        "READY stored relaxed",
        "ring.c",
        f"store_release(&record->word, {READY}",
        f"store_relaxed(&record->word, {READY}",
        "stress",
        "thread",
    ),
    Mutation(
        "header loaded relaxed in claim",
        "ring.c",
        "word = load_acquire(&record->word);",
        "word = load_relaxed(&record->word);",
        "stress",
        "thread",
    ),
    Mutation(
        "length read of a record that is being written",
        "ring.c",
        "if (ra_state(word) == RA_READY &&\n            ring->capacity",
        "if (ra_state(word) != RA_FREE &&\n            ring->capacity",
        "stress",
        "thread",
    ),
    Mutation(
        "free stored relaxed",
        "ring.c",
        FREE,
        FREE.replace("release", "relaxed"),
        "stress",
        "thread",
    ),
    Mutation(
        "free loaded relaxed",
        "ring.c",
        "free = load_acquire(&region->free); ",
        "free = load_relaxed(&region->free); ",
        "stress",
        "thread",
    ),
    Mutation(
        "armed stored with release",
        "ring.c",
        "store_seq_cst(&region->armed, count);",
        "store_release(&region->armed, count);",
        "wake",
    ),
    Mutation(
        "armed stored with release (model)",
        "ring.c",
        "store_seq_cst(&region->armed, count);",
        "store_release(&region->armed, count);",
        "model",
        is_short=True,
    ),
    Mutation(
        "pushed loaded with acquire in arm",
        "ring.c",
        "load_seq_cst(&region->pushed) < count",
        "load_acquire(&region->pushed) < count",
        "model",
    ),
    Mutation(
        "pushed added to relaxed",
        "ring.c",
        "add_seq_cst(&region->pushed, 1)",
        "add_relaxed(&region->pushed, 1)",
        "model",
    ),
    Mutation(
        "armed loaded with acquire in commit",
        "ring.c",
        "armed = load_seq_cst(&region->armed);",
        "armed = load_acquire(&region->armed);",
        "model",
    ),
]

RESERVE = [
    Mutation(
        "tail not read again before FULL",
        "ring.c",
        "if (seen != tail) {",
        "if (seen != tail && 0) {",
        "order",
        is_short=True,
    ),
    Mutation(
        "a tail of no record is believed",
        "ring.c",
        "if ((tail & 7) != 0)",
        "if (0)",
        "ring",
        is_short=True,
    ),
    Mutation(
        "a head of no record is believed",
        "ring.c",
        "load_relaxed(&region->head) & ~UINT64_C(7);",
        "load_relaxed(&region->head);",
        "ring",
        is_short=True,
    ),
    Mutation(
        "FULL consumes, as with fetch-and-add",
        "ring.c",
        "add_relaxed(&region->refused, 1);",
        "add_relaxed(&region->refused, 1);\n"
        "                add_relaxed(&region->tail, pad + span);",
        "ring",
        is_short=True,
    ),
    Mutation(
        "free not looked at before FULL",
        "ring.c",
        "free = load_acquire(&region->free); ",
        "free = load_acquire(&region->free_cache); ",
        "ring",
    ),
    Mutation(
        "one byte too many in a full ring",
        "ring.c",
        "            if (tail + pad + span - free > ring->capacity) {\n"
        "                /* relaxed: a statistic. */",
        "            if (tail + pad + span - free > ring->capacity + 8) {\n"
        "                /* relaxed: a statistic. */",
        "ring",
    ),
    Mutation(
        "pad not stored",
        "ring.c",
        "store_release(&record_at(ring, tail)->word,\n"
        "                      ra_header_word(tail, 0, RA_PAD)); /* E1 */",
        "(void)0;",
        "ring",
    ),
    Mutation(
        "record crosses the end of the lap",
        "ring.c",
        "pad = span <= to_end ? 0 : to_end;",
        "pad = span <= to_end + 8 ? 0 : to_end;",
        "ring",
    ),
    Mutation(
        "stamp the same everywhere",
        "region.h",
        "return (uint32_t)(mixed >> 32) | 1u;",
        "return (uint32_t)(mixed & 0) | 1u;",
        "claim",
        is_short=True,
    ),
    Mutation(
        "stamp from the position's low half",
        "region.h",
        "(position >> 3) * UINT64_C(0x9E3779B97F4A7C15);",
        "(position % 65536 >> 3) * UINT64_C(0x9E3779B97F4A7C15);",
        "wrap",
    ),
    Mutation(
        "READY before the length is there",
        "ring.c",
        LENGTH + FILLED + STORE_READY,
        FILLED + STORE_READY + LENGTH,
        "order",
    ),
]

CONSUMER = [
    Mutation(
        "no lap guard in claim",
        "ring.c",
        "    while (at < limit) {\n        struct ra_record",
        "    while (limit != 0) {\n        struct ra_record",
        "claim",
        is_short=True,
    ),
    Mutation(
        "claim goes on at WRITING",
        "ring.c",
        "        if (ra_state(word) == RA_WRITING)\n            break;\n",
        "",
        "claim",
    ),
    Mutation(
        "claim past the tail",
        "ring.c",
        "return span <= room &&\n"
        "           position + span <= load_relaxed(&ring->region->tail);",
        "return span <= room;",
        "claim",
    ),
    Mutation(
        "sound records before a corrupt one withheld",
        "ring.c",
        "            if (claim->count == 0)\n                return",
        "            if (limit != 0)\n                return",
        "claim",
    ),
    Mutation(
        "empty record at the lap's end called corrupt",
        "ring.c",
        "if (room < RA_RECORD_HEADER)",
        "if (room <= RA_RECORD_HEADER)",
        "ring",
    ),
    Mutation(
        "claim one byte early",
        "ring.c",
        "spliced + cost > max_bytes",
        "spliced + cost >= max_bytes",
        "claim",
    ),
    Mutation(
        "no zeroing at release",
        "ring.c",
        ZERO_FIRST,
        "    (void)from;\n",
        "claim",
    ),
    Mutation(
        "no zeroing behind the lap's end",
        "ring.c",
        ZERO_REST,
        "",
        "claim",
    ),
    Mutation(
        "free moves before the zeroing",
        "ring.c",
        ZERO + FREE,
        FREE + ZERO,
        "order",
    ),
    Mutation(
        "head moves after the zeroing",
        "ring.c",
        HEAD + BARRIER + ZERO,
        BARRIER + ZERO + HEAD,
        "order",
        is_short=True,
    ),
    Mutation(
        "release without a guard in a wiped child",
        "ring.c",
        "    if (length > ring->capacity)\n        return;\n",
        "",
        "claim",
    ),
    Mutation(
        "every late commit wakes (no swap)",
        "ring.c",
        "return cas_seq_cst(&region->armed, &armed, 0) ? 1 : 0;",
        "store_seq_cst(&region->armed, 0);\n    return 1;",
        "wake",
    ),
    Mutation(
        "wakes one push late",
        "ring.c",
        "if (count < armed &&",
        "if (count <= armed &&",
        "wake",
    ),
    Mutation(
        "tail wakes nobody",
        "ring.c",
        " &&\n        slot->position + slot->span <"
        " load_relaxed(&region->armed_tail))",
        ")",
        "wake",
    ),
]

RING = [*ORDERS, *RESERVE, *CONSUMER]
