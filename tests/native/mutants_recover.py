# SPDX-License-Identifier: MIT
"""
The mutations of check, repair and resume.
"""

from __future__ import annotations

from mutation import Mutation

RESUMED = (
    "    ring->claim = load_relaxed(&ring->region->head) & ~UINT64_C(7);\n"
)

SHORT = {"page 0 is not checked", "bytes behind the tail stay"}
"""Those that pytest runs."""

R = "recover.c"
NOT_PAD = "if (word != ra_header_word(at, 0, RA_PAD) ||"
NOT_READY = "if (word != ra_header_word(at, header.flags, RA_READY) ||"
NO_VOID = "if (word != ra_void_word(at, span) || span == 0 || span > room)"
NO_LENGTH = "if (header.length == 0 || ra_span(header.length) > room)"
HANDS = "free <= head && head <= tail"
HOLE = (
    "            found->holes += 1;\n        else\n"
    "            found->bad_crc += 1;\n"
)

CHECKS = [
    Mutation(name, R, old, new, "header", is_short=name in SHORT)
    for name, old, new in (
        (
            "files shorter than a header are read",
            "if (size < RA_HEADER_SIZE)",
            "if (size < 8)",
        ),
        (
            "another magic is taken",
            "if (region->magic != RA_MAGIC)",
            "if (region->magic == 0)",
        ),
        (
            "another version is taken",
            "if (region->version != RA_VERSION)",
            "if (region->version == 0)",
        ),
        (
            "page 0 is not checked",
            "if (region->header_crc != header_crc(region))",
            "if (region->header_crc == 0)",
        ),
        (
            "the last bytes of page 0 are not checked",
            "offsetof(struct ra_region, header_crc));",
            "offsetof(struct ra_region, header_crc) - 8);",
        ),
        (
            "unknown flags are taken",
            "(region->flags & ~(uint32_t)RA_CHECKED) != 0",
            "region->flags > 2",
        ),
        (
            "another length of the header is taken",
            "if (region->header_len != RA_HEADER_SIZE ||",
            "if (region->header_len == 0 ||",
        ),
        (
            "the capacity may be any multiple",
            "(capacity & (capacity - 1)) == 0;",
            "capacity % 8 == 0;",
        ),
        (
            "the capacity may be too small",
            "return capacity >= RA_CAPACITY_MIN &&",
            "return capacity >= 8 &&",
        ),
        (
            "the capacity may be too large",
            "capacity <= RA_CAPACITY_MAX &&",
            "capacity <= UINT64_MAX / 2 &&",
        ),
        (
            "files may be longer than they say",
            "size != RA_HEADER_SIZE + region->capacity)",
            "size < RA_HEADER_SIZE + region->capacity)",
        ),
        (
            "files may be shorter than they say",
            "size != RA_HEADER_SIZE + region->capacity)",
            "size > RA_HEADER_SIZE + region->capacity)",
        ),
        (
            "another project's files are taken",
            "if (memcmp(region->project, project, RA_PROJECT_SIZE) != 0)",
            "if (memcmp(region->project, project, 8) != 0)",
        ),
        (
            "hands between two records",
            "return ((free | head | tail) & 7) == 0 &&",
            "return ((free | head) & 7) == 0 &&",
        ),
        ("head before free", HANDS, "head <= tail"),
        ("tail before head", HANDS, "free <= head"),
        (
            "tail a lap ahead",
            "tail - free <= region->capacity &&",
            "tail - free <= region->capacity * 2 &&",
        ),
        (
            "positions near the end of 64 bits",
            " && tail <= POSITION_MAX",
            "",
        ),
    )
]

REPAIR = [
    Mutation(name, R, old, new, program, is_short=name in SHORT)
    for program, name, old, new in (
        (
            "recover",
            "the lap's end does not end a gap",
            "return end < walk->tail ? end : walk->tail;",
            "return end < walk->tail ? walk->tail : walk->tail;",
        ),
        (
            "recover",
            "the tail does not end a gap",
            "return end < walk->tail ? end : walk->tail;",
            "return end < walk->tail ? end : end;",
        ),
        (
            "recover",
            "the rest of a torn header is searched",
            "header.end = at + RA_RECORD_HEADER;",
            "header.end = at + 8;",
        ),
        (
            "damage",
            "a torn record may have any bits",
            "if (word != ra_header_word(at, 0, RA_WRITING) ||",
            "if ((uint32_t)(word >> 32) != ra_stamp(at) ||",
        ),
        (
            "damage",
            "a torn record without room",
            "RA_WRITING) ||\n            room < RA_RECORD_HEADER)",
            "RA_WRITING) ||\n            room < 8)",
        ),
        (
            "damage",
            "a record may have any bits",
            NOT_READY,
            "if ((uint32_t)(word >> 32) != ra_stamp(at) ||",
        ),
        (
            "damage",
            "a record of another place",
            NOT_READY,
            "if ((uint16_t)(word >> 16) != 0 ||",
        ),
        (
            "damage",
            "a record of no bytes",
            NO_LENGTH,
            "if (ra_span(header.length) > room)",
        ),
        (
            "damage",
            "a record longer than the room",
            NO_LENGTH,
            "if (header.length == 0)",
        ),
        (
            "damage",
            "a pad may have any bits",
            NOT_PAD,
            "if ((uint32_t)(word >> 32) != ra_stamp(at) ||",
        ),
        (
            "damage",
            "a pad of another place",
            NOT_PAD,
            "if ((uint32_t)word != RA_PAD ||",
        ),
        (
            "damage",
            "a pad with nothing behind it",
            "lap_end(walk->ring, at) >= walk->tail ||",
            "lap_end(walk->ring, at) > walk->tail ||",
        ),
        (
            "damage",
            "a pad over records",
            "!is_zero(walk->ring, at + 8, at + room))",
            "room < 8)",
        ),
        (
            "damage",
            "a void of another place",
            NO_VOID,
            "if ((word >> 8 & 0xff) != 0 || span == 0 || span > room)",
        ),
        (
            "damage",
            "a void may have any bits",
            NO_VOID,
            "if (word >> 32 != ra_stamp(at) || span == 0 || span > room)",
        ),
        (
            "damage",
            "a void of no bytes",
            NO_VOID,
            "if (word != ra_void_word(at, span) || span > room)",
        ),
        (
            "damage",
            "a void over the end of the lap",
            NO_VOID,
            "if (word != ra_void_word(at, span) || span == 0)",
        ),
        (
            "recover",
            "what is voided stays",
            "    memset(record_at(ring, from), 0, (size_t)(to - from));\n",
            "",
        ),
        (
            "recover",
            "one void for the longest gap",
            "        from += span;\n",
            "        from = to;\n",
        ),
        (
            "damage",
            "a bad record's length is believed",
            "load_relaxed(&region->tail), ring->capacity};",
            "load_relaxed(&region->tail), 0};",
        ),
        (
            "damage",
            "bad records are searched for ever",
            "load_relaxed(&region->tail), ring->capacity};",
            "load_relaxed(&region->tail), UINT64_MAX};",
        ),
        (
            "damage",
            "damage counted as a hole",
            HOLE,
            HOLE.replace("bad_crc", "holes"),
        ),
        (
            "recover",
            "a hole counted as damage",
            HOLE,
            HOLE.replace("holes", "bad_crc"),
        ),
        (
            "damage",
            "checksums are not looked at",
            "return !ring->is_checked ||",
            "return ring->is_checked ||",
        ),
        (
            "damage",
            "checksums are expected where there are none",
            "return !ring->is_checked ||\n           record->crc ==",
            "return ring != NULL && record->crc ==",
        ),
        (
            "damage",
            "bytes behind the tail stay",
            "    memset(region->data + from, 0, (size_t)first);\n",
            "    (void)from;\n",
        ),
        (
            "recover",
            "bytes behind the lap's end stay",
            "    memset(region->data, 0, (size_t)(length - first));\n",
            "",
        ),
        (
            "recover",
            "free stays behind head",
            "    store_relaxed(&region->free, head);\n",
            "",
        ),
        (
            "recover",
            "head stays before a gap",
            "    store_relaxed(&region->head, head);\n",
            "",
        ),
        (
            "damage",
            "free_cache stays where it was damaged",
            "    store_relaxed(&region->free_cache, head);\n",
            "",
        ),
        (
            "recover",
            "the oldest is the last",
            "    found->oldest_ms = record->time_ms;\n            }",
            "}\n            found->oldest_ms = record->time_ms;",
        ),
        (
            "recover",
            "pushed counts what was delivered",
            "    store_relaxed(&region->pushed, found->ready);\n",
            "",
        ),
        (
            "recover",
            "the dead consumer stays armed",
            "    store_relaxed(&region->armed, 0);\n",
            "",
        ),
        (
            "recover",
            "claims go on where the last view stood",
            "    ring->claim = head;\n",
            "",
        ),
        (
            "recover",
            "resume keeps the claim of the last view",
            RESUMED,
            "",
        ),
        (
            "recover",
            "resume does not finish the release",
            "    ra_ring_release(ring, ring->claim);\n",
            "",
        ),
    )
]

RECOVER = [*CHECKS, *REPAIR]
