/* SPDX-License-Identifier: MIT */
/*
 * What the tests of recover.c share: rings as they are in files, wrecks of
 * them, and what must be true of each after its repair.
 */
#ifndef RINGAMP_WRECK_H
#define RINGAMP_WRECK_H

#include "check.h"
#include "recover.h"

static const unsigned char project[RA_PROJECT_SIZE] = "project of tests";

/*
 * file_ring: a ring with the header of a file.
 */
static inline void
file_ring(struct ra_ring *ring, uint64_t capacity, uint64_t start,
          uint32_t flags)
{
    struct ra_region *region = region_new(capacity);

    memset(ring, 0, sizeof(*ring));
    CHECK_EQ(ra_ring_format(region, capacity, ring_id, start), 0);
    ra_region_describe(region, project, 1700000000123, 4711, 5, flags);
    ra_region_seal(region);
    CHECK_EQ(ra_ring_attach(ring, region), 0);
}

static inline void
ring_copy(struct ra_ring *copy, const struct ra_ring *ring)
{
    *copy = *ring;
    copy->region = region_new(ring->capacity);
    memcpy(copy->region, ring->region,
           RA_HEADER_SIZE + (size_t)ring->capacity);
}

/*
 * hole: what a producer leaves that dies between its reservation and its
 * header.
 */
static inline void
hole(struct ra_ring *ring, uint64_t span)
{
    add_relaxed(&ring->region->tail, span);
}

static inline void
set_word(const struct ra_ring *ring, uint64_t position, uint64_t word)
{
    store_relaxed(&record_of(ring, position)->word, word);
}

static inline int
is_sound(const struct ra_ring *ring)
{
    return ra_region_check(ring->region, RA_HEADER_SIZE + ring->capacity,
                           project) == RA_SOUND;
}

/*
 * mend: check, repair, and see that a second repair changes no byte.
 */
static inline struct ra_repair
mend(struct ra_ring *ring)
{
    struct ra_repair found, again;
    struct ra_ring before;

    CHECK(is_sound(ring));
    memset(&found, 0xa5, sizeof(found));
    ra_ring_repair(ring, &found);
    check_ring(ring);
    CHECK(is_sound(ring));
    CHECK_EQ(ra_ring_pushed(ring), found.ready);
    CHECK_EQ(ra_region_head(ring->region), ra_ring_free(ring));
    CHECK_EQ(ra_region_head(ring->region), ring->claim);
    CHECK_EQ(found.ready == 0, ra_ring_free(ring) == ra_ring_tail(ring));

    ring_copy(&before, ring);
    ra_ring_repair(ring, &again);
    CHECK_EQ(again.ready, found.ready);
    CHECK_EQ(again.oldest_ms, found.oldest_ms);
    CHECK_EQ(again.torn + again.holes + again.bad_crc, 0);
    CHECK(memcmp(ring->region, before.region,
                 RA_HEADER_SIZE + (size_t)ring->capacity) == 0);
    ring_drop(&before);
    return found;
}

/*
 * drain: take all records in claims of at most `most`, each made of one
 * letter, and check which they are.
 */
static inline void
drain(struct ra_ring *ring, uint64_t most, const char *letters)
{
    uint64_t tail = ra_ring_tail(ring), i;
    struct ra_claim claim;
    int64_t count;

    while ((count = ra_ring_claim(ring, most, UINT64_MAX, 0, &claim)) > 0) {
        uint64_t at = claim.start;

        for (i = 0; i < (uint64_t)count; i++) {
            const struct ra_record *record;

            at = ra_ring_next(ring, at);
            record = record_of(ring, at);
            CHECK(*letters != 0);
            check_letters(ring, at, *letters++, record->length);
            at += ra_span(record->length);
        }
        CHECK(at <= claim.end && claim.end <= tail);
        release(ring, claim.end);
    }
    CHECK_EQ(count, 0);
    CHECK_EQ(*letters, 0);
    CHECK_EQ(ra_ring_free(ring), tail);
}

/*
 * check_survivors: what a repaired ring holds, whatever the claims; then
 * the ring is as good as new, and is dropped.
 */
static inline void
check_survivors(struct ra_ring *ring, const char *letters)
{
    struct ra_ring copy;

    ring_copy(&copy, ring);
    drain(&copy, 1, letters);
    ring_drop(&copy);

    drain(ring, UINT64_MAX, letters);
    CHECK(push_letters(ring, 'z', ring->max_payload) >= 0);
    drain(ring, 2, "z");
    ring_drop(ring);
}

#endif
