/* SPDX-License-Identifier: MIT */
/*
 * A ring file belongs to whoever holds the locks on two of its bytes: byte 0
 * is held by the process that pushes, for as long as it lives; byte 1 by the
 * one that sends. The kernel gives them back at a process's end, however it
 * ends. A pid may be used again, and a heartbeat says the same of a process
 * that is stopped and of one that is dead; a lock does neither.
 *
 * They are open-file-description locks. Classic POSIX locks drop as soon as
 * the process closes any other descriptor of the file; flock() knows no
 * bytes.
 *
 * The trap: such a lock lives as long as any descriptor that came from the
 * same open(), and a fork copies descriptors. A child that keeps one keeps
 * its dead parent's lock; a child that unlocks takes the lock from its
 * living parent. So the child closes, and never unlocks. Descriptors stand
 * in a table for that; the child handler walks it.
 *
 * The second trap: a map keeps its file open like a descriptor, and a fork
 * copies maps too. So maps stand in a table as well, and the child lays
 * memory of its own over them. It does not unmap them: its copies of the
 * parent's objects know the addresses, and whatever came to lie there next
 * would be theirs to scribble on and to unmap.
 */
#if defined(__linux__)
#define _GNU_SOURCE /* F_OFD_SETLK, MAP_ANONYMOUS */
#include <sys/vfs.h>
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE
#endif

#include "lease.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomics.h"
#include "generation.h"

/* Fetched through ctypes.PyDLL, which keeps the GIL; the rest is cffi's. */
#define EXPORTED __attribute__((visibility("default")))

/* A relay holds one for each ring; a worker has two or three. */
#define RA_LEASES_MAX 4096

/* 0: unused; otherwise the generation's low half and the descriptor + 1. */
static ra_word slots[RA_LEASES_MAX];

static uint64_t
entry_of(int descriptor)
{
    return ra_generation() << 32 | ((uint32_t)descriptor + 1);
}

static int
swap(uint64_t from, uint64_t to)
{
    size_t i;

    for (i = 0; i < RA_LEASES_MAX; i++) {
        uint64_t seen = from;

        if (cas_seq_cst(&slots[i], &seen, to))
            return 0;
    }
    return -1;
}

EXPORTED int
ra_lease_open(int directory, const char *name, int create)
{
    /* O_NONBLOCK: a FIFO that somebody put there must not block us. */
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int descriptor;

    if (create)
        flags |= O_CREAT | O_EXCL;
    descriptor = openat(directory, name, flags, S_IRUSR | S_IWUSR);
    if (descriptor < 0)
        return -errno;
    if (swap(0, entry_of(descriptor)) != 0) {
        close(descriptor);
        return -EMFILE;
    }
    return descriptor;
}

#ifdef F_OFD_SETLK

static int
set_lock(int descriptor, int byte, short type)
{
    struct flock lock = {
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = byte,
        .l_len = 1,
    };

    return fcntl(descriptor, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

int
ra_lease_take(int descriptor, int byte)
{
    int failed = set_lock(descriptor, byte, F_WRLCK);

    return failed == EACCES ? EAGAIN : failed;
}

int
ra_lease_give(int descriptor, int byte)
{
    return set_lock(descriptor, byte, F_UNLCK);
}

#else

int
ra_lease_take(int descriptor, int byte)
{
    (void)descriptor;
    (void)byte;
    return ENOTSUP;
}

int
ra_lease_give(int descriptor, int byte)
{
    (void)descriptor;
    (void)byte;
    return ENOTSUP;
}

#endif

EXPORTED void
ra_lease_close(int descriptor)
{
    /* A child that a fork made in this moment may hold a copy still. */
    ra_lease_give(descriptor, RA_LEASE_PRODUCER);
    ra_lease_give(descriptor, RA_LEASE_CONSUMER);
    swap(entry_of(descriptor), 0);
    close(descriptor);
}

/*
 * A map: `taken` is 0 if the place is unused, otherwise the generation's low
 * half and the number of blocks; `address` is 0 while nothing of the file is
 * mapped.
 */
static struct {
    ra_word taken, address;
} maps[RA_LEASES_MAX];

#define BLOCK 4096u

static size_t
take_place(uint64_t size)
{
    uint64_t entry = ra_generation() << 32 | (size + BLOCK - 1) / BLOCK;
    size_t i;

    for (i = 0; i < RA_LEASES_MAX; i++) {
        uint64_t seen = 0;

        if (cas_seq_cst(&maps[i].taken, &seen, entry))
            break;
    }
    return i;
}

static void *
lay_over(void *address, uint64_t size, int protection)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

    if (address != NULL)
        flags |= MAP_FIXED;
    return mmap(address, (size_t)size, protection, flags, -1, 0);
}

void *
ra_map(int descriptor, uint64_t size)
{
    size_t place = take_place(size);
    void *map;

    if (place == RA_LEASES_MAX)
        return NULL;
    /* The address is known before the file is mapped there, so that no fork
       comes between mapping and registering. */
    map = lay_over(NULL, size, PROT_NONE);
    if (map != MAP_FAILED) {
        store_seq_cst(&maps[place].address, (uintptr_t)map);
        if (mmap(map, (size_t)size, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED, descriptor, 0) == map)
            return map;
        /* Not unmapped: some kernels have done so by now, and another
           thread may have got the addresses. */
        store_seq_cst(&maps[place].address, 0);
    }
    store_seq_cst(&maps[place].taken, 0);
    return NULL;
}

void
ra_unmap(void *map, uint64_t size)
{
    size_t i;

    /* The file goes first and the addresses last, as in ra_map(). */
    lay_over(map, size, PROT_NONE);
    for (i = 0; i < RA_LEASES_MAX; i++) {
        uint64_t seen = (uintptr_t)map;

        if (cas_seq_cst(&maps[i].address, &seen, 0)) {
            store_seq_cst(&maps[i].taken, 0);
            break;
        }
    }
    munmap(map, (size_t)size);
}

static int
is_foreign(uint64_t entry, uint64_t keep)
{
    return entry != 0 && (keep == 0 || entry >> 32 != (uint32_t)keep);
}

void
ra_leases_abandon(uint64_t keep)
{
    size_t i;

    for (i = 0; i < RA_LEASES_MAX; i++) {
        /* relaxed, all three: whatever is closed was opened before the
           fork. */
        uint64_t entry = load_relaxed(&slots[i]);
        uint64_t taken = load_relaxed(&maps[i].taken);
        uint64_t address = load_relaxed(&maps[i].address);

        /* Two threads may get here at once; one closes. */
        if (is_foreign(entry, keep) && cas_seq_cst(&slots[i], &entry, 0))
            close((int)((uint32_t)entry - 1));

        if (!is_foreign(taken, keep))
            continue;
        if (address != 0) {
            if (!cas_seq_cst(&maps[i].address, &address, 0))
                continue;
            lay_over((void *)(uintptr_t)address,
                     (taken & UINT32_MAX) * BLOCK, PROT_READ | PROT_WRITE);
        }
        cas_seq_cst(&maps[i].taken, &taken, 0);
    }
}

uint64_t
ra_filesystem(int descriptor)
{
#if defined(__linux__)
    struct statfs about;

    if (fstatfs(descriptor, &about) == 0)
        return (uint64_t)about.f_type;
#endif
    (void)descriptor;
    return 0;
}
