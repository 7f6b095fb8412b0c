/* SPDX-License-Identifier: MIT */
#include "fill.h"

int64_t
ra_fill(struct ra_ring *ring, uint64_t max_count, uint64_t max_bytes,
        const struct ra_wrap *wrap, int keeps, const struct ra_room *room,
        struct ra_claim *claim)
{
    uint64_t around = wrap->head_length + wrap->tail_length;
    uint64_t needed, length;
    int64_t count;

    count = ra_ring_claim(ring, max_count,
                          max_bytes > around ? max_bytes - around : 0,
                          RA_ADDED_MAX + wrap->library_length, claim);
    if (count <= 0)
        return count;
    needed = ra_splice_bound(claim, wrap);
    if (needed > room->size) {
        /* Nobody else claims, so this takes it back. */
        ring->claim = claim->start;
        return (int64_t)needed;
    }
    length = ra_splice(ring, claim, wrap, room);
    if (length == 0)
        return RA_CORRUPT;
    if (!keeps)
        ra_ring_release(ring, claim->end);
    return (int64_t)length;
}
