# SPDX-License-Identifier: MIT
"""
The mutations of the leases: who closes, who unlocks, what is opened.
"""

from __future__ import annotations

from mutation import Mutation

CLOSE = "            close((int)((uint32_t)entry - 1));\n"
GIVE = "    ra_lease_give(descriptor, RA_LEASE_{});\n"

FORKS = [
    Mutation(
        "the child unlocks instead of closing",
        "lease.c",
        CLOSE,
        CLOSE.replace("close(", "ra_lease_close("),
        "lease_fork",
        is_short=True,
    ),
    Mutation(
        "the child unlocks and keeps it open",
        "lease.c",
        CLOSE,
        CLOSE.replace(
            "close((int)((uint32_t)entry - 1)",
            "ra_lease_give((int)((uint32_t)entry - 1), RA_LEASE_PRODUCER",
        ),
        "lease_fork",
    ),
    Mutation(
        "abandon closes nothing",
        "lease.c",
        CLOSE,
        "            continue;\n",
        "lease_fork",
    ),
    Mutation(
        "abandon leaves the maps",
        "lease.c",
        "            lay_over((void *)(uintptr_t)address,\n"
        "                     (taken & UINT32_MAX) * BLOCK,"
        " PROT_READ | PROT_WRITE);\n",
        "",
        "lease_fork",
    ),
    Mutation(
        "abandon leaves half of each map",
        "lease.c",
        "(taken & UINT32_MAX) * BLOCK, PROT",
        "(taken & UINT32_MAX) / 2 * BLOCK, PROT",
        "lease_fork",
    ),
    Mutation(
        "abandon closes the next generation's too",
        "lease.c",
        "(keep == 0 || entry >> 32 != (uint32_t)keep)",
        "(keep == 0 || entry >> 32 == (uint32_t)keep)",
        "lease_fork",
    ),
    Mutation(
        "the handler abandons nothing",
        "generation.c",
        "    ra_leases_abandon(0);\n",
        "",
        "lease_fork",
    ),
    Mutation(
        "the next generation abandons nothing",
        "generation.c",
        "            ra_leases_abandon(next);\n",
        "",
        "lease_fork",
    ),
    Mutation(
        "close does not unlock",
        "lease.c",
        GIVE.format("PRODUCER") + GIVE.format("CONSUMER"),
        "",
        "lease_fork",
        is_short=True,
    ),
    Mutation(
        "close unlocks one byte",
        "lease.c",
        GIVE.format("CONSUMER"),
        "",
        "lease_fork",
    ),
    Mutation(
        "descriptor not registered",
        "lease.c",
        "if (swap(0, entry_of(descriptor)) != 0) {",
        "if (swap(0, 0) != 0) {",
        "lease_fork",
    ),
    Mutation(
        "map not registered",
        "lease.c",
        "store_seq_cst(&maps[place].address, (uintptr_t)map);",
        "store_seq_cst(&maps[place].address, 0);",
        "lease_fork",
    ),
]

FILES = [
    Mutation(
        "links followed",
        "lease.c",
        "O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK",
        "O_RDWR | O_CLOEXEC | O_NONBLOCK",
        "lease",
    ),
    Mutation(
        "descriptors inherited by what is executed",
        "lease.c",
        "O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK",
        "O_RDWR | O_NOFOLLOW | O_NONBLOCK",
        "lease",
    ),
    Mutation(
        "an old file taken for a new one",
        "lease.c",
        "flags |= O_CREAT | O_EXCL;",
        "flags |= O_CREAT;",
        "lease",
    ),
    Mutation(
        "files that others can read",
        "lease.c",
        "flags, S_IRUSR | S_IWUSR);",
        "flags, S_IRUSR | S_IWUSR | S_IROTH);",
        "lease",
    ),
    Mutation(
        "both bytes are one",
        "lease.c",
        ".l_start = byte,",
        ".l_start = byte & 0,",
        "lease",
    ),
    Mutation(
        "the whole file is locked",
        "lease.c",
        ".l_len = 1,",
        ".l_len = 0,",
        "lease",
    ),
    Mutation(
        "POSIX locks",
        "lease.c",
        "fcntl(descriptor, F_OFD_SETLK, &lock)",
        "fcntl(descriptor, F_SETLK, &lock)",
        "lease",
        is_short=True,
    ),
    Mutation(
        "descriptor leaks where the table is full",
        "lease.c",
        "        close(descriptor);\n        return -EMFILE;\n",
        "        return -EMFILE;\n",
        "lease",
    ),
    Mutation(
        "closed leases stay in the table",
        "lease.c",
        "    swap(entry_of(descriptor), 0);\n",
        "",
        "lease",
    ),
    Mutation(
        "unmapped maps stay in the table",
        "lease.c",
        "            store_seq_cst(&maps[i].taken, 0);\n            break;\n",
        "            break;\n",
        "lease",
    ),
    Mutation(
        "what cannot be mapped stays in the table",
        "lease.c",
        "    store_seq_cst(&maps[place].taken, 0);\n    return NULL;\n",
        "    return NULL;\n",
        "lease",
    ),
]

MAPPED = (
    "        if (mmap(map, (size_t)size, PROT_READ | PROT_WRITE,\n"
    "                 MAP_SHARED | MAP_FIXED, descriptor, 0) == map)\n"
)
REGISTERED = "store_seq_cst(&maps[place].address, (uintptr_t)map);\n"

RACES = [
    Mutation(
        "map registered once it is there",
        "lease.c",
        f"        {REGISTERED}{MAPPED}            return map;\n",
        f"{MAPPED}        {{\n            {REGISTERED}"
        "            return map;\n        }\n",
        "lease_fork",
    ),
    Mutation(
        "map no longer registered while it is still there",
        "lease.c",
        "    lay_over(map, size, PROT_NONE);\n    for (i",
        "    for (i",
        "lease_fork",
    ),
    Mutation(
        "lock waited for",
        "lease.c",
        "fcntl(descriptor, F_OFD_SETLK, &lock)",
        "fcntl(descriptor, F_OFD_SETLKW, &lock)",
        "lease",
    ),
]

LEASE = [*FORKS, *FILES, *RACES]
