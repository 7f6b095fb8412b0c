/* SPDX-License-Identifier: MIT */
/*
 * Claimed records into one request body.
 */
#ifndef RINGAMP_SPLICE_H
#define RINGAMP_SPLICE_H

#include "deal.h"
#include "ring.h"

/* Base32 digits of a ring id (16 bytes) and of a position (8 bytes). */
#define RA_RING_TEXT 26u
#define RA_POSITION_TEXT 13u

/* What an event may get, at most, beside the library's own text: 13 digits
   of time, the insert_id, three keys with their punctuation, a comma. */
#define RA_ADDED_MAX                                                          \
    (sizeof("\"time\":,") + 19 + sizeof("\"insert_id\":\"-\",") +            \
     RA_RING_TEXT + RA_POSITION_TEXT + sizeof("\"library\":\"\",") + 1)

/* What surrounds the events of a body, and what they get. */
struct ra_wrap {
    const char *head;
    uint64_t head_length;
    const char *tail;
    uint64_t tail_length;
    const char *library;
    uint64_t library_length;
};

/* Where a body of `size` bytes at most goes. `offsets` has room for one value
   more than it has events, `positions` for as many. */
struct ra_room {
    unsigned char *body;
    uint64_t size;
    uint32_t *offsets;
    uint64_t *positions;
};

/*
 * ra_splice_bound: bytes that the spliced form of `claim` cannot exceed.
 */
uint64_t ra_splice_bound(const struct ra_claim *claim,
                         const struct ra_wrap *wrap);

/*
 * ra_splice: write the head, the claimed events joined by commas, and the
 * tail, adding to each event what its flags say it lacks.
 *
 * => The one consumer, between claim and release. `room` is as large as
 *    ra_splice_bound() says. Event i is body[offsets[i] : offsets[i + 1] - 1],
 *    the byte after it is the comma (after the last one, the tail).
 * => Bytes written; 0 if the records are no longer those that were claimed.
 */
uint64_t ra_splice(const struct ra_ring *ring, const struct ra_claim *claim,
                   const struct ra_wrap *wrap, const struct ra_room *room);

/*
 * ra_splice_share: as ra_splice(), of the events of one share.
 *
 * => `share` and its `positions` are ra_deal()'s, and nothing of its claim
 *    has been released. The body is as large as share->bytes and what
 *    share->count events may get; the positions of `room` are not used.
 */
uint64_t ra_splice_share(const struct ra_ring *ring,
                         const struct ra_share *share, uint64_t *positions,
                         const struct ra_wrap *wrap,
                         const struct ra_room *room);

/*
 * ra_ring_text: a ring's id in base32, RA_RING_TEXT characters without a
 * zero behind them.
 */
void ra_ring_text(const unsigned char *id, char *to);

/*
 * ra_insert_id: the insert_id of the record at `position`: the ring's id and
 * the position in base32, RA_RING_TEXT + 1 + RA_POSITION_TEXT characters.
 *
 * => Unique without a random number per event: ring ids are random, and a
 *    position is used once in a ring's life. The same on every resend, so
 *    the service drops repeats.
 */
void ra_insert_id(const struct ra_ring *ring, uint64_t position, char *text);

#endif
