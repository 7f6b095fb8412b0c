/* SPDX-License-Identifier: MIT */
/*
 * Claimed records, dealt out to several uploads by the ids they are about.
 */
#ifndef RINGAMP_DEAL_H
#define RINGAMP_DEAL_H

#include "ring.h"

/* What one upload gets of a claim. */
struct ra_share {
    uint64_t count;
    uint64_t bytes; /* of the payloads */
};

/*
 * ra_deal: give each record of `claim` to one of `tracks` uploads: that of
 * its bucket, so an id is always on the same track.
 *
 * => The one consumer, right after ra_ring_claim(). Stops before the record
 *    that would bring its share above `max_count` records or `max_bytes`
 *    spliced bytes (each costs its payload and `overhead`; the first of a
 *    share is taken whatever its size), and gives what is left back: `claim`
 *    shrinks, and so does what the ring has claimed.
 * => The positions of track t are at positions[t * max_count], in order.
 *    `shares` has `tracks` of them, from 1 to RA_BUCKETS.
 * => Number of records dealt; 0 if the first is no longer what was claimed.
 */
uint64_t ra_deal(struct ra_ring *ring, struct ra_claim *claim,
                 uint64_t tracks, uint64_t max_count, uint64_t max_bytes,
                 uint64_t overhead, uint64_t *positions,
                 struct ra_share *shares);

#endif
