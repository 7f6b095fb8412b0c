/* SPDX-License-Identifier: MIT */
/*
 * A request body out of the ring, in one call.
 */
#ifndef RINGAMP_FILL_H
#define RINGAMP_FILL_H

#include "splice.h"

/* What surrounds the events of a body, and what they get. */
struct ra_wrap {
    const char *head;
    uint64_t head_length;
    const char *tail;
    uint64_t tail_length;
    const char *library;
    uint64_t library_length;
};

/* Where a body goes. `offsets` has room for one value more than events are
   asked for, `positions` for as many. */
struct ra_room {
    unsigned char *body;
    uint64_t size;
    uint32_t *offsets;
    uint64_t *positions;
};

/*
 * ra_fill: claim the next records, at most `max_count` of them and
 * `max_bytes` of body, splice them, and give their room back unless `keeps`.
 *
 * => One call, because each that lets go of the GIL may wait 5 ms to get it
 *    back, beside a thread that computes.
 * => Bytes written, `claim` says of what; 0 if nothing is ready. More than
 *    `room->size`: so many are needed, and nothing was claimed.
 * => RA_CORRUPT as of ra_ring_claim(); also where the claimed records changed
 *    before they were spliced. Then `claim->count` is not 0.
 */
int64_t ra_fill(struct ra_ring *ring, uint64_t max_count, uint64_t max_bytes,
                const struct ra_wrap *wrap, int keeps,
                const struct ra_room *room, struct ra_claim *claim);

#endif
