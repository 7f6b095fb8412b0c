/* SPDX-License-Identifier: MIT */
/*
 * A fork copies everything but the threads: a child inherits locks that
 * nobody will unlock and sockets that are not its own. So everything that
 * ringamp builds remembers the generation it was built in, and a hot-path
 * call compares that with one word. Two independent ways set the word to 0
 * in a child:
 *
 *   MADV_WIPEONFORK   the kernel hands the child a zero page. Works for a raw
 *                     clone() and for servers that fork in C.
 *   pthread_atfork    the child handler stores 0. Works on every POSIX
 *                     system, for every fork() that goes through libc.
 *
 * The child handler gives up what lease.c holds besides, descriptors and
 * maps, and does nothing else: it runs while the locks of threads that no
 * longer exist may be held, so it must not allocate, lock, log or call
 * Python. The first call in the child that sees 0 rebuilds; it compares
 * generations and not a flag, so grandchildren are noticed too.
 */
#if defined(__linux__)
#define _GNU_SOURCE /* MAP_ANONYMOUS, madvise */
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE
#endif

#include "generation.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "atomics.h"
#include "lease.h"

#if defined(__linux__) && !defined(MADV_WIPEONFORK)
#define MADV_WIPEONFORK 18 /* Linux 4.14; older C libraries lack the name. */
#endif

static ra_word *word;
static int wipes;

/* Ordinary memory, so a child inherits it: what the last generation was. */
static ra_word last;

static void
after_fork_in_child(void)
{
    store_relaxed(word, 0); /* relaxed: the child has one thread. */
    ra_leases_abandon(0);
}

int
ra_wipe_on_fork(void *address, uint64_t length)
{
#ifdef MADV_WIPEONFORK
    return madvise(address, (size_t)length, MADV_WIPEONFORK);
#else
    (void)address;
    (void)length;
    return -1;
#endif
}

int
ra_generation_setup(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page;
    int failed;

    if (word != NULL)
        return 0;
    page = mmap(NULL, size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return errno;
    wipes = ra_wipe_on_fork(page, size) == 0;
    word = page;
    failed = pthread_atfork(NULL, NULL, after_fork_in_child);
    if (failed != 0) {
        word = NULL; /* The next call tries again. */
        munmap(page, size);
        return failed;
    }
    ra_generation_renew();
    return 0;
}

uint64_t
ra_generation(void)
{
    return load_relaxed(word); /* relaxed: it changes only at a fork. */
}

uint64_t
ra_generation_renew(void)
{
    uint64_t seen = load_relaxed(word);
    uint64_t next;

    while (seen == 0) {
        next = add_seq_cst(&last, 1) + 1;
        if (cas_seq_cst(word, &seen, next)) {
            /* Nothing is left to do where the handler has run. */
            ra_leases_abandon(next);
            return next;
        }
    }
    return seen;
}

int
ra_generation_wipes(void)
{
    return wipes;
}
