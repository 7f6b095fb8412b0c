/* SPDX-License-Identifier: MIT */
/*
 * A claim is a run of the ring. Several uploads want one share each, with all
 * events of an id in the same share and in order. So the claim is walked once
 * more; what does not fit goes back behind the claim cursor, which nobody but
 * the consumer reads.
 */
#include "deal.h"

#include <string.h>

uint64_t
ra_deal(struct ra_ring *ring, struct ra_claim *claim, uint64_t tracks,
        uint64_t max_count, uint64_t max_bytes, uint64_t overhead,
        uint64_t *positions, struct ra_share *shares)
{
    uint64_t spliced[RA_BUCKETS] = {0};
    uint64_t at = claim->start;
    uint64_t left = claim->bytes;
    uint64_t bytes = 0;
    uint64_t i;

    memset(shares, 0, tracks * sizeof(*shares));
    for (i = 0; i < claim->count; i++) {
        const struct ra_record *record;
        struct ra_share *share;
        uint64_t length, cost, track;

        at = ra_ring_next(ring, at);
        /* As in the splice: whoever may write to a file may have changed
           what was claimed. */
        if (ring->capacity - (at & ring->mask) < RA_RECORD_HEADER)
            break;
        record = (const struct ra_record *)(const void *)(ring->region->data +
                                                          (at & ring->mask));
        length = record->length;
        if (length == 0 || length > left ||
            ra_span(length) > ring->capacity - (at & ring->mask))
            break;

        /* relaxed: the claim acquired it. */
        track = (ra_flags(load_relaxed(&record->word)) >> RA_BUCKET_SHIFT) %
                tracks;
        share = &shares[track];
        cost = length + overhead;
        if (share->count == max_count ||
            (share->count > 0 && spliced[track] + cost > max_bytes))
            break;
        positions[track * max_count + share->count] = at;
        share->count += 1;
        share->bytes += length;
        spliced[track] += cost;
        left -= length;
        bytes += length;
        at += ra_span(length);
    }
    if (i < claim->count) {
        claim->count = i;
        claim->bytes = bytes;
        claim->end = at;
        ring->claim = at;
    }
    return i;
}
