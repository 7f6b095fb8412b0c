/* SPDX-License-Identifier: MIT */
/*
 * What the C tests share: CHECK, a region with a guard page behind it, and
 * the invariant that every test looks at after each of its steps.
 */
#ifndef RINGAMP_CHECK_H
#define RINGAMP_CHECK_H

#define _GNU_SOURCE /* MAP_ANONYMOUS, syscall */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ring.h"

#define CHECK(condition)                                                      \
    ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

#define CHECK_EQ(seen, wanted)                                                \
    check_equal(__FILE__, __LINE__, #seen, (uint64_t)(seen),                  \
                (uint64_t)(wanted))

#define RUN(test) (printf("%s\n", #test), fflush(stdout), test())

#define SMALLEST RA_CAPACITY_MIN

static const unsigned char ring_id[RA_RING_ID_SIZE] = {
    0x00, 0x01, 0x02, 0x03, 0x44, 0x55, 0x66, 0x77,
    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
};

/* What a failure says besides: which round it was. One for all files of a
   program. */
__attribute__((weak)) char check_context[96];

static inline void
check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: failed: %s %s\n", file, line, what,
            check_context);
    fflush(stderr);
    _exit(1);
}

static inline void
check_equal(const char *file, int line, const char *what, uint64_t seen,
            uint64_t wanted)
{
    if (seen == wanted)
        return;
    fprintf(stderr,
            "%s:%d: failed: %s is %" PRIu64 " (%" PRId64 "), not %" PRIu64
            " %s\n",
            file, line, what, seen, (int64_t)seen, wanted, check_context);
    fflush(stderr);
    _exit(1);
}

/*
 * random_next: the next number that follows from `state`, which is not 0.
 */
static inline uint64_t
random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717) >> 11;
}

/*
 * region_new: zeroed memory for a ring, which ends where an unreadable page
 * begins, so a step over its end is a crash.
 */
static inline struct ra_region *
region_new(uint64_t capacity)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = RA_HEADER_SIZE + (size_t)capacity;
    unsigned char *memory =
        mmap(NULL, size + page, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(memory != MAP_FAILED);
    CHECK_EQ(mprotect(memory + size, page, PROT_NONE), 0);
    return (struct ra_region *)(void *)memory;
}

static inline void
ring_new(struct ra_ring *ring, uint64_t capacity, uint64_t start)
{
    struct ra_region *region = region_new(capacity);

    memset(ring, 0, sizeof(*ring));
    CHECK_EQ(ra_ring_format(region, capacity, ring_id, start), 0);
    CHECK_EQ(ra_ring_attach(ring, region), 0);
}

static inline void
ring_drop(struct ra_ring *ring)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    munmap(ring->region, RA_HEADER_SIZE + (size_t)ring->capacity + page);
}

static inline int
is_zero(const unsigned char *bytes, uint64_t length)
{
    /* Equal to itself shifted by one, and the first is 0. */
    return length == 0 ||
           (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

static inline struct ra_record *
record_of(const struct ra_ring *ring, uint64_t position)
{
    return (struct ra_record *)(void *)(ring->region->data +
                                        (position & ring->mask));
}

static inline uint64_t
word_of(const struct ra_ring *ring, uint64_t position)
{
    return load_relaxed(&record_of(ring, position)->word);
}

/*
 * check_ring: the order of the hands, zero bytes outside [free, tail), and
 * nothing written between the header's fields.
 *
 * => While nobody else touches the ring.
 */
static inline void
check_ring(const struct ra_ring *ring)
{
    const struct ra_region *region = ring->region;
    uint64_t free = load_relaxed(&region->free);
    uint64_t head = load_relaxed(&region->head);
    uint64_t tail = load_relaxed(&region->tail);
    uint64_t from = tail & ring->mask;
    uint64_t length = free + ring->capacity - tail;
    uint64_t first = ring->capacity - from;

    CHECK(free <= head && head <= ring->claim && ring->claim <= tail);
    CHECK(tail <= free + ring->capacity);
    CHECK(load_relaxed(&region->free_cache) <= free);
    if (first > length)
        first = length;
    CHECK(is_zero(region->data + from, first));
    CHECK(is_zero(region->data, length - first));
    CHECK(is_zero(region->unused_0, sizeof(region->unused_0)));
    CHECK(is_zero(region->unused_1, sizeof(region->unused_1)));
    CHECK(is_zero(region->unused_2, sizeof(region->unused_2)));
    CHECK(is_zero(region->unused_3, sizeof(region->unused_3)));
}

/*
 * push_letters: push `length` times `letter`, and check the ring.
 */
static inline int64_t
push_letters(struct ra_ring *ring, char letter, uint64_t length)
{
    static char letters[RA_CAPACITY_MIN];
    int64_t answer;

    CHECK(length <= sizeof(letters));
    memset(letters, letter, length);
    answer = ra_ring_push(ring, letters, length, 0, 1);
    check_ring(ring);
    return answer;
}

/*
 * check_letters: the record at `position` is what push_letters() pushed.
 */
static inline void
check_letters(const struct ra_ring *ring, uint64_t position, char letter,
              uint64_t length)
{
    const struct ra_record *record = record_of(ring, position);
    uint64_t i;

    CHECK_EQ(word_of(ring, position),
             ra_header_word(position, 0, RA_READY));
    CHECK_EQ(record->length, length);
    for (i = 0; i < length; i++)
        CHECK_EQ(record->payload[i], letter);
}

static inline int64_t
claim_all(struct ra_ring *ring, struct ra_claim *claim)
{
    return ra_ring_claim(ring, UINT64_MAX, UINT64_MAX, 0, claim);
}

static inline void
release(struct ra_ring *ring, uint64_t end)
{
    ra_ring_release(ring, end);
    check_ring(ring);
}

#endif
