/* SPDX-License-Identifier: MIT */
/*
 * The contract of each ring function. The theory stands in ring.c.
 *
 * Two verbs for a producer: reserve -> commit. Two for the consumer:
 * claim -> release. Nothing here allocates, locks, waits or makes a system
 * call, and nothing knows Python.
 */
#ifndef RINGAMP_RING_H
#define RINGAMP_RING_H

#include <stdint.h>

#include "gate.h"
#include "region.h"

/* What a call that gives no position answers. All are odd and negative, so
   one test of the low bits of an answer finds them. */
enum {
    RA_FULL = -1,
    RA_TOO_BIG = -3,
    RA_CORRUPT = -5,
};

/*
 * A process's view of a region: what it needs at every push, in one line.
 * Only `claim` changes after ra_ring_attach(), and only the consumer
 * touches it.
 */
struct ra_ring {
    struct ra_region *region;
    uint64_t capacity;
    uint64_t mask;
    uint64_t max_payload;
    uint64_t generation;
    uint64_t min_id_length;
    uint64_t claim;
    uint64_t is_checked; /* whether records carry a checksum */
    uint64_t is_dealt;   /* whether records carry their id's bucket */
#ifdef RINGAMP_FREE_THREADED
    struct ra_gate gate; /* for hotpath.c */
#endif
};

/* Where a reserved record is. */
struct ra_slot {
    uint64_t position;
    uint64_t span;
};

/* A run of READY records: [start, end) and what is in it. */
struct ra_claim {
    uint64_t start;
    uint64_t end;
    uint64_t count;
    uint64_t bytes; /* of their payloads */
};

/*
 * ra_ring_format: make zeroed memory a ring whose positions begin at `start`.
 *
 * => Alone with the region. `start` is a multiple of 8; other than 0 only
 *    in tests of what happens after years of pushing.
 * => 0, or -1 if the capacity is not a power of two between RA_CAPACITY_MIN
 *    and RA_CAPACITY_MAX.
 */
int ra_ring_format(struct ra_region *region, uint64_t capacity,
                   const unsigned char *ring_id, uint64_t start);

/*
 * ra_ring_attach: make a view of a formatted region.
 *
 * => 0, or -1 if the region is no ring of this version.
 */
int ra_ring_attach(struct ra_ring *ring, struct ra_region *region);

/*
 * ra_ring_reserve: take room for a record of `length` payload bytes.
 *
 * => Any thread. Lock-free: it retries only because another push succeeded.
 * => 0 and the slot; RA_FULL, which consumes nothing and is counted in
 *    `refused`; RA_TOO_BIG if it can never fit. Full is an answer, not an
 *    error.
 * => The bytes are yours until ra_ring_commit(); the header says WRITING.
 */
int ra_ring_reserve(struct ra_ring *ring, uint64_t length,
                    struct ra_slot *slot);

/*
 * ra_ring_payload: where the payload of the record at `position` lies.
 */
static inline unsigned char *
ra_ring_payload(const struct ra_ring *ring, uint64_t position)
{
    return ring->region->data + (position & ring->mask) + RA_RECORD_HEADER;
}

/*
 * ra_record_crc: the checksum that a record with these flags should have.
 *
 * => Whoever may read `length` payload bytes behind `record`.
 */
uint32_t ra_record_crc(const struct ra_record *record, unsigned flags,
                       uint64_t length);

/*
 * ra_ring_commit: hand a written record over to the consumer.
 *
 * => The thread that reserved it, once, after the payload is written.
 * => 1 if the caller is the one who must wake the consumer, else 0.
 */
int ra_ring_commit(struct ra_ring *ring, const struct ra_slot *slot,
                   uint64_t length, unsigned flags, uint64_t time_ms);

/*
 * ra_ring_push: reserve, copy, commit.
 *
 * => Any thread. The position, with bit 0 set if the caller must wake the
 *    consumer; or a negative code of ra_ring_reserve().
 */
int64_t ra_ring_push(struct ra_ring *ring, const void *payload,
                     uint64_t length, unsigned flags, uint64_t time_ms);

/*
 * ra_ring_claim: take the next READY records, in order.
 *
 * => The one consumer. Stops at the first record that is not READY, at
 *    `max_count` records, and before the record whose spliced form would
 *    bring the sum above `max_bytes` (each costs its payload and
 *    `overhead` bytes); the first record is taken whatever its size. Voids
 *    behind the last record belong to the claim.
 * => Number of records, 0 if none is ready, RA_CORRUPT if the first header
 *    is none of ours. Claimed records stay in place until
 *    ra_ring_release().
 */
int64_t ra_ring_claim(struct ra_ring *ring, uint64_t max_count,
                      uint64_t max_bytes, uint64_t overhead,
                      struct ra_claim *claim);

/*
 * ra_ring_next: the position of the READY record at or after `position`,
 * over pads and voids.
 *
 * => The consumer, inside what it has claimed. Whatever has been written
 *    there meanwhile, it stops at the first word that is neither.
 */
uint64_t ra_ring_next(const struct ra_ring *ring, uint64_t position);

/*
 * ra_ring_release: give back everything before `end`.
 *
 * => The one consumer; `end` was claimed, and calls go upwards. Harmless
 *    in a child whose region the fork has wiped.
 */
void ra_ring_release(struct ra_ring *ring, uint64_t end);

/*
 * ra_ring_arm: ask to be woken by the push that brings the number of
 * records ever pushed to `count`, or the tail to `tail` (best effort).
 *
 * => The one consumer. 1 if either has been reached already: then nothing
 *    is armed.
 * => To sleep until there is more, claim until nothing is left and arm for
 *    one more than the records claimed so far. It answers 1 also while the
 *    next record is still being written and a later one is committed; who
 *    would not spin for that instant reads ra_ring_pushed() before the
 *    claims, and arms for one more than that.
 */
int ra_ring_arm(struct ra_ring *ring, uint64_t count, uint64_t tail);

/* ra_ring_disarm: no push wakes the consumer any more. */
void ra_ring_disarm(struct ra_ring *ring);

/*
 * ra_ring_settled: count events that had their ends, in the region itself,
 * where others can read it.
 *
 * => Any thread of the consumer's process.
 */
void ra_ring_settled(struct ra_ring *ring, uint64_t delivered,
                     uint64_t rejected, uint64_t dropped);

/* Readings; any thread, any time. Whatever was counted in ra_ring_pushed()
   is seen READY by a claim that follows it. */
uint64_t ra_ring_pushed(const struct ra_ring *ring);
uint64_t ra_ring_refused(const struct ra_ring *ring);
uint64_t ra_ring_tail(const struct ra_ring *ring);
uint64_t ra_ring_free(const struct ra_ring *ring);
uint64_t ra_ring_delivered(const struct ra_ring *ring);
uint64_t ra_ring_rejected(const struct ra_ring *ring);
uint64_t ra_ring_dropped(const struct ra_ring *ring);

#endif
