/* SPDX-License-Identifier: MIT */
/*
 * A record's payload is one JSON object that begins with {" (the encoder
 * guarantees it, the push checks the first byte). What it lacks is written
 * between the brace and the first key, so the caller's bytes are copied
 * once and never parsed.
 */
#include "splice.h"

#include <string.h>

/* RFC 4648's extended-hex alphabet in lower case: sorts as the value does. */
static const char digits32[] = "0123456789abcdefghijklmnopqrstuv";

static unsigned char *
put(unsigned char *to, const void *bytes, uint64_t length)
{
    memcpy(to, bytes, length);
    return to + length;
}

#define PUT_TEXT(to, text) put((to), (text), sizeof(text) - 1)

static unsigned char *
put_decimal(unsigned char *to, uint64_t value)
{
    unsigned char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (unsigned char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return put(to, digits + at, sizeof(digits) - at);
}

void
ra_ring_text(const unsigned char *id, char *to)
{
    unsigned bits = 0, have = 0;
    size_t i, at = 0;

    for (i = 0; i < RA_RING_ID_SIZE; i++) {
        bits = (bits & 0xff) << 8 | id[i];
        for (have += 8; have >= 5; have -= 5)
            to[at++] = digits32[bits >> (have - 5) & 31];
    }
    to[at] = digits32[bits << (5 - have) & 31];
}

static void
put_position(char *to, uint64_t position)
{
    size_t at = RA_POSITION_TEXT;

    while (at > 0) {
        to[--at] = digits32[position & 31];
        position >>= 5;
    }
}

void
ra_insert_id(const struct ra_ring *ring, uint64_t position, char *text)
{
    ra_ring_text(ring->region->ring_id, text);
    text[RA_RING_TEXT] = '-';
    put_position(text + RA_RING_TEXT + 1, position);
}

uint64_t
ra_splice_bound(const struct ra_claim *claim, uint64_t head_length,
                uint64_t tail_length, uint64_t library_length)
{
    return head_length + tail_length + claim->bytes +
           claim->count * (RA_ADDED_MAX + library_length);
}

uint64_t
ra_splice(const struct ra_ring *ring, const struct ra_claim *claim,
          const char *head, uint64_t head_length, const char *tail,
          uint64_t tail_length, const char *library, uint64_t library_length,
          unsigned char *body, uint32_t *offsets, uint64_t *positions)
{
    unsigned char *to = put(body, head, head_length);
    char insert_id[RA_RING_TEXT + 1 + RA_POSITION_TEXT];
    uint64_t at = claim->start;
    uint64_t left = claim->bytes;
    uint64_t i;

    ra_insert_id(ring, 0, insert_id);
    for (i = 0; i < claim->count; i++) {
        const struct ra_record *record;
        uint64_t length;
        unsigned flags;

        at = ra_ring_next(ring, at);
        /* What was claimed is sound. But a file can be written to by others
           meanwhile: no length is trusted that the claim did not count. */
        if (ring->capacity - (at & ring->mask) < RA_RECORD_HEADER)
            return 0;
        record = (const struct ra_record *)(const void *)(ring->region->data +
                                                          (at & ring->mask));
        /* relaxed: the claim acquired it. */
        flags = ra_flags(load_relaxed(&record->word));
        length = record->length;
        if (length == 0 || length > left ||
            ra_span(length) > ring->capacity - (at & ring->mask))
            return 0;
        left -= length;

        if (i > 0)
            *to++ = ',';
        offsets[i] = (uint32_t)(to - body);
        positions[i] = at;
        *to++ = '{';
        if (flags & RA_LACKS_TIME) {
            to = PUT_TEXT(to, "\"time\":");
            to = put_decimal(to, record->time_ms);
            *to++ = ',';
        }
        if (flags & RA_LACKS_INSERT_ID) {
            put_position(insert_id + RA_RING_TEXT + 1, at);
            to = PUT_TEXT(to, "\"insert_id\":\"");
            to = put(to, insert_id, sizeof(insert_id));
            to = PUT_TEXT(to, "\",");
        }
        if (flags & RA_LACKS_LIBRARY) {
            to = PUT_TEXT(to, "\"library\":\"");
            to = put(to, library, library_length);
            to = PUT_TEXT(to, "\",");
        }
        to = put(to, record->payload + 1, length - 1);
        at += ra_span(length);
    }
    offsets[claim->count] = (uint32_t)(to - body) + 1;
    return (uint64_t)(put(to, tail, tail_length) - body);
}
