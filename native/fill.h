/* SPDX-License-Identifier: MIT */
/*
 * A request body out of the ring, in one call.
 */
#ifndef RINGAMP_FILL_H
#define RINGAMP_FILL_H

#include "splice.h"

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
