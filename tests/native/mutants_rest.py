# SPDX-License-Identifier: MIT
"""
The mutations of what stands beside the ring: splice, fill, ids, generation,
builtins and signals.
"""

from __future__ import annotations

from mutation import Mutation

PUT_REST = "return put(to, record->payload + 1, *length - 1);"

REST = [
    Mutation(
        "no comma between events",
        "splice.c",
        "if (i > 0)\n",
        "if (i > 1)\n",
        "splice",
        is_short=True,
    ),
    Mutation(
        "two braces",
        "splice.c",
        PUT_REST,
        "return put(to, record->payload, *length);",
        "splice",
    ),
    Mutation(
        "pad spliced as an event",
        "ring.c",
        "if (word == ra_header_word(position, 0, RA_PAD))\n"
        "            position",
        "if (word == ra_header_word(position, 0, RA_FREE))\n"
        "            position",
        "splice",
    ),
    Mutation(
        "bound forgets the library",
        "splice.c",
        "claim->count * (RA_ADDED_MAX + wrap->library_length);",
        "claim->count * RA_ADDED_MAX;",
        "splice",
    ),
    Mutation(
        "one insert_id for all",
        "splice.c",
        "    uint64_t changed = position ^ before;\n",
        "    uint64_t changed = before == 0 ? position : 0;\n",
        "splice",
    ),
    Mutation(
        "a position's low digits alone changed",
        "splice.c",
        "changed != 0; changed >>= 5, position >>= 5",
        "changed != 0; changed >>= 10, position >>= 5",
        "splice",
    ),
    Mutation(
        "the first event's time for all",
        "splice.c",
        "if (flags != additions->flags || time_ms != additions->time_ms)",
        "if (flags != additions->flags)",
        "splice",
    ),
    Mutation(
        "the first event's lacks for all",
        "splice.c",
        "if (flags != additions->flags || time_ms != additions->time_ms)",
        "if (additions->flags == 0 || time_ms != additions->time_ms)",
        "splice",
    ),
    Mutation(
        "a claim that found no room is not taken back",
        "fill.c",
        "ring->claim = claim->start;",
        "ring->claim = claim->end;",
        "fill",
    ),
    Mutation(
        "a body one byte longer than its room",
        "fill.c",
        "if (needed > room->size) {",
        "if (needed > room->size + 1) {",
        "fill",
    ),
    Mutation(
        "what is to be kept is given back",
        "fill.c",
        "if (!keeps)",
        "if (keeps >= 0)",
        "fill",
    ),
    Mutation(
        "what is not to be kept is kept",
        "fill.c",
        "if (!keeps)",
        "if (keeps > 1)",
        "fill",
    ),
    Mutation(
        "head and tail are not counted in a body's bytes",
        "fill.c",
        "max_bytes > around ? max_bytes - around : 0",
        "max_bytes > around ? max_bytes : 0",
        "fill",
    ),
    Mutation(
        "an event's additions are not counted in a body's bytes",
        "fill.c",
        "RA_ADDED_MAX + wrap->library_length, claim",
        "0 * wrap->library_length, claim",
        "fill",
    ),
    Mutation(
        "an id missing from the list",
        "idcheck.c",
        '"lmy47d",  ',
        "",
        "idcheck",
    ),
    Mutation(
        "an id's first letter missing from the quick look",
        "idcheck.c",
        '"anul\\"{-0"',
        '"anul\\"{0"',
        "idcheck",
    ),
    Mutation(
        "zeros refused of users too",
        "idcheck.c",
        "return is_device && is_zeros",
        "return (is_device || 1) && is_zeros",
        "idcheck",
    ),
    Mutation(
        "kernel does not wipe: a raw clone goes unseen",
        "generation.c",
        "wipes = ra_wipe_on_fork(page, size) == 0;",
        "wipes = 1;",
        "generation",
        is_short=True,
    ),
    Mutation(
        "no child handler, and no wiping kernel",
        "generation.c",
        "failed = pthread_atfork(NULL, NULL, after_fork_in_child);",
        "(void)after_fork_in_child;\n    failed = 0;",
        "generation_no_wipe",
    ),
    Mutation(
        "threads that race each begin a generation",
        "generation.c",
        "    return seen;\n",
        "    return add_seq_cst(&last, 1) + 1;\n",
        "generation",
    ),
    Mutation(
        "ids measured in bytes",
        "fields.c",
        "    length = PyUnicode_GetLength(id);\n",
        "    (void)PyUnicode_AsUTF8AndSize(id, &length);\n",
        "hotpath",
    ),
    Mutation(
        "copies leak",
        "copy.c",
        "        Py_XDECREF(inner);\n",
        "",
        "hotpath",
    ),
    Mutation(
        "no generation check in push",
        "hotpath.c",
        "if (ring->generation != ra_generation())",
        "if (ring->generation != ra_generation() && length < 0)",
        "hotpath",
    ),
    Mutation(
        "end of the chain reached twice",
        "passage.c",
        "    return passage->position == RA_UNDER_WAY;",
        "    return passage->position != RA_AGAIN;",
        "hotpath",
    ),
    Mutation(
        "keys that are not interned overlooked",
        "fields.c",
        "PyUnicode_Compare(key, field_keys[field]) == 0)",
        "PyUnicode_Compare(key, field_keys[field]) == 2)",
        "hotpath",
    ),
    Mutation(
        "of a large dict nothing looked up",
        "fields.c",
        "RA_CAN_CHANGE_MEANWHILE || PyDict_Size(event) > SCAN_MAX)\n"
        "        return 0;",
        "RA_CAN_CHANGE_MEANWHILE || PyDict_Size(event) > SCAN_MAX) {\n"
        "        memset(fields, 0, sizeof(found) - sizeof(found[0]));\n"
        "        return 1;\n"
        "    }",
        "hotpath",
    ),
    Mutation(
        "receipts do not hold the outcomes",
        "holder.h",
        "    Py_INCREF(outcomes);\n",
        "",
        "hotpath",
    ),
    Mutation(
        "a wake-up lost at the entrance",
        "entrance.c",
        "if ((position & 7) == 0)",
        "if ((position & 7) <= 1)",
        "hotpath",
    ),
    Mutation(
        "the collector does not see an entrance's callback",
        "entrance.c",
        "    Py_VISIT(entrance->unusual);\n",
        "",
        "hotpath",
    ),
    Mutation(
        "a struct's values kept",
        "structs.c",
        "    Py_XDECREF(made);\n",
        "",
        "hotpath",
    ),
    Mutation(
        "a value that stands twice taken for the field",
        "structs.c",
        "        if (found >= 0)\n            return -1;\n",
        "",
        "hotpath",
    ),
    Mutation(
        "a thread's own signals blocked as well",
        "signals.c",
        "        sigdelset(&all, taken_always[i]);\n",
        "        continue;\n",
        "signals",
    ),
    Mutation(
        "signals unblocked that somebody else blocked",
        "signals.c",
        "sigismember(&before, (int)i + 1) == 0)",
        "sigismember(&before, (int)i + 1) >= 0)",
        "signals",
    ),
    Mutation(
        "real-time signals left blocked",
        "signals.c",
        "#define SIGNALS 64",
        "#define SIGNALS 32",
        "signals",
    ),
    Mutation(
        "signals of the process taken",
        "signals.c",
        "pthread_sigmask(SIG_BLOCK, &all, &before);",
        "pthread_sigmask(SIG_UNBLOCK, &all, &before);",
        "signals",
    ),
]
