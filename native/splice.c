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

/*
 * Write `position` over `before`: only the digits that differ, which are few
 * where one is not far behind the other.
 */
static void
put_position(char *to, uint64_t position, uint64_t before)
{
    uint64_t changed = position ^ before;
    size_t at = RA_POSITION_TEXT;

    for (; at > 0 && changed != 0; changed >>= 5, position >>= 5)
        to[--at] = digits32[position & 31];
}

void
ra_insert_id(const struct ra_ring *ring, uint64_t position, char *text)
{
    ra_ring_text(ring->region->ring_id, text);
    text[RA_RING_TEXT] = '-';
    memset(text + RA_RING_TEXT + 1, digits32[0], RA_POSITION_TEXT);
    put_position(text + RA_RING_TEXT + 1, position, 0);
}

/*
 * What an event gets before its own bytes. Events that follow one another
 * lack the same and were mostly logged in the same millisecond, so the text
 * is kept, and only the position in it changes.
 */
struct additions {
    const struct ra_ring *ring;
    const struct ra_wrap *wrap;
    unsigned flags; /* what the text was written for; 0 is nothing */
    uint64_t time_ms;
    uint64_t position;
    size_t position_at;
    size_t length;
    char text[RA_ADDED_MAX + 20]; /* A time in a file may have more digits. */
};

/*
 * Write the text for an event that lacks what `flags` say, all but the name
 * of the library.
 */
static void
compose(struct additions *additions, unsigned flags, uint64_t time_ms)
{
    unsigned char *text = (unsigned char *)additions->text, *to = text;

    *to++ = '{';
    if (flags & RA_LACKS_TIME) {
        to = PUT_TEXT(to, "\"time\":");
        to = put_decimal(to, time_ms);
        *to++ = ',';
    }
    if (flags & RA_LACKS_INSERT_ID) {
        to = PUT_TEXT(to, "\"insert_id\":\"");
        ra_insert_id(additions->ring, 0, (char *)to);
        additions->position_at = (size_t)(to - text) + RA_RING_TEXT + 1;
        to += RA_RING_TEXT + 1 + RA_POSITION_TEXT;
        to = PUT_TEXT(to, "\",");
    }
    if (flags & RA_LACKS_LIBRARY)
        to = PUT_TEXT(to, "\"library\":\"");
    additions->flags = flags;
    additions->time_ms = time_ms;
    additions->position = 0;
    additions->length = (size_t)(to - text);
}

/*
 * Write what the event of a record lacks, and the brace before it.
 */
static unsigned char *
put_additions(unsigned char *to, struct additions *additions, unsigned flags,
              uint64_t time_ms, uint64_t position)
{
    flags &= RA_LACKS_TIME | RA_LACKS_INSERT_ID | RA_LACKS_LIBRARY;
    if (flags == 0) {
        *to++ = '{';
        return to;
    }
    if (flags != additions->flags || time_ms != additions->time_ms)
        compose(additions, flags, time_ms);
    if (flags & RA_LACKS_INSERT_ID) {
        put_position(additions->text + additions->position_at, position,
                     additions->position);
        additions->position = position;
    }
    to = put(to, additions->text, additions->length);
    if (flags & RA_LACKS_LIBRARY) {
        to = put(to, additions->wrap->library,
                 additions->wrap->library_length);
        to = PUT_TEXT(to, "\",");
    }
    return to;
}

/*
 * Write one record's event; NULL if it is no longer the one that was claimed.
 *
 * What was claimed is sound. But a file can be written to by others
 * meanwhile: no length is trusted that the claim did not count, and `left` is
 * what it has counted and was not used.
 */
static unsigned char *
put_event(unsigned char *to, const struct ra_ring *ring, uint64_t at,
          struct additions *additions, uint64_t *left, uint64_t *length)
{
    const struct ra_record *record;
    unsigned flags;

    if (ring->capacity - (at & ring->mask) < RA_RECORD_HEADER)
        return NULL;
    record = (const struct ra_record *)(const void *)(ring->region->data +
                                                      (at & ring->mask));
    /* relaxed: the claim acquired it. */
    flags = ra_flags(load_relaxed(&record->word));
    *length = record->length;
    if (*length == 0 || *length > *left ||
        ra_span(*length) > ring->capacity - (at & ring->mask))
        return NULL;
    *left -= *length;

    to = put_additions(to, additions, flags, record->time_ms, at);
    return put(to, record->payload + 1, *length - 1);
}

uint64_t
ra_splice_bound(const struct ra_claim *claim, const struct ra_wrap *wrap)
{
    return wrap->head_length + wrap->tail_length + claim->bytes +
           claim->count * (RA_ADDED_MAX + wrap->library_length);
}

/*
 * The body of `count` records: of a run of the ring from `start` on, or,
 * where start is RA_DEALT, of those at `positions`.
 */
#define RA_DEALT UINT64_MAX

static uint64_t
splice(const struct ra_ring *ring, uint64_t count, uint64_t left,
       uint64_t start, uint64_t *positions, const struct ra_wrap *wrap,
       const struct ra_room *room)
{
    struct additions additions = {.ring = ring, .wrap = wrap};
    unsigned char *body = room->body;
    unsigned char *to = put(body, wrap->head, wrap->head_length);
    uint64_t at = start;
    uint64_t i, length;

    for (i = 0; i < count; i++) {
        if (start != RA_DEALT)
            positions[i] = ra_ring_next(ring, at);
        if (i > 0)
            *to++ = ',';
        room->offsets[i] = (uint32_t)(to - body);
        to = put_event(to, ring, positions[i], &additions, &left, &length);
        if (to == NULL)
            return 0;
        at = positions[i] + ra_span(length);
    }
    room->offsets[count] = (uint32_t)(to - body) + 1;
    return (uint64_t)(put(to, wrap->tail, wrap->tail_length) - body);
}

uint64_t
ra_splice(const struct ra_ring *ring, const struct ra_claim *claim,
          const struct ra_wrap *wrap, const struct ra_room *room)
{
    return splice(ring, claim->count, claim->bytes, claim->start,
                  room->positions, wrap, room);
}

uint64_t
ra_splice_share(const struct ra_ring *ring, const struct ra_share *share,
                uint64_t *positions, const struct ra_wrap *wrap,
                const struct ra_room *room)
{
    return splice(ring, share->count, share->bytes, RA_DEALT, positions, wrap,
                  room);
}
