/* SPDX-License-Identifier: MIT */
/*
 * A ring in a file outlives the process that pushed into it. This file says
 * whether such a ring is sound, and makes it so again.
 *
 * What it is
 *
 *   Nothing is written ahead and nothing is logged: whatever instant a
 *   process dies at, the bytes themselves say what was done. A repair reads
 *   them once, from head to tail, keeps every record that is whole, and puts
 *   voids where one is not. Nothing is moved.
 *
 * The picture: what a death leaves, and what becomes of it
 *
 *   killed                      found                        becomes
 *   before the reservation      nothing                      nothing
 *   before the header           FREE bytes, up to a header   void, "hole"
 *   between pad and header      PAD, then as above           PAD, void
 *   while the payload is        WRITING, some payload        void, "torn"
 *     copied
 *   after the commit            READY                        READY
 *   in a release, after head    bytes of [free, head), some  zeros, and
 *     moved                     of them zero                 free = head
 *
 *   A machine that dies with it may lose or keep each page of the file by
 *   itself; a disk may change bytes. With RA_CHECKED that shows:
 *
 *                               READY, wrong checksum        void, "bad_crc"
 *                               bytes that are no header     void, "bad_crc"
 *
 * How the end of a gap is found
 *
 *   A header that is not there, or not whole, does not say how long its
 *   record is. So the search goes on 8 bytes at a time up to the next word
 *   that heads something, the end of the lap (no record crosses it) or the
 *   tail. Is a word inside a lost record taken for a header? A payload has
 *   none: the lowest byte of a header word is a state, 1 to 4, and JSON text
 *   has no such byte. Old bytes neither: what is not yet written is zero
 *   (ring.c, "Key invariant"). A record's length, checksum and time are
 *   skipped where its header says that they are there; for the rest, the 32
 *   bits of the stamp speak.
 *
 *   A record whose checksum is wrong may be one whose length is wrong, so its
 *   end is not believed either. But then the bytes behind its header are read
 *   again, and a file made to hurt could have such a header every 8 bytes,
 *   each as long as half the ring. So this is done for as many bytes as the
 *   ring has; after that such records are voided as long as they say.
 *
 *   A pad has no checksum, and one changed bit makes a READY word a PAD. But
 *   behind a real one all is zero up to the end of the lap.
 *
 * Who does it, and when
 *
 *   check    anybody, and before anything else: all other functions trust
 *            positions, capacity and flags.
 *   repair   whoever is alone with the ring. In a ring whose producer lives,
 *            a hole or a WRITING record is one that will be READY soon: not
 *            even a producer that is stopped for a day may be robbed of it.
 *   resume   the next consumer, where the last died and the producer lives.
 *
 * Invariant of what is left
 *
 *   The ring's own (ring.c), and: [head, tail) is READY records with the
 *   right checksum, pads and voids, and begins with a READY record or is
 *   empty. So claims until nothing is left reach the tail, and a second
 *   repair changes nothing.
 *
 * A repair that dies half-way
 *
 *   leaves voids, zeros and gaps: a ring to be repaired. None of its stores
 *   touches a whole record, so their order does not matter, but that `head`
 *   moves before `free`: the hands keep their order.
 *
 * What this file does not do
 *
 *   Lock, map or open; decide what becomes of a file that is not sound; look
 *   into a payload. Bytes of somebody who can compute a checksum are as good
 *   as ours: who may write the file may log events.
 */
#include "recover.h"

#include <string.h>

#include "crc32c.h"

/* No position of a sound ring is above it, so that a position and some laps
   never exceed 64 bits. */
#define POSITION_MAX (UINT64_MAX - 4 * RA_CAPACITY_MAX)

static uint32_t
header_crc(const struct ra_region *region)
{
    return ra_crc32c(0, region, offsetof(struct ra_region, header_crc));
}

void
ra_region_describe(struct ra_region *region, const unsigned char *project,
                   uint64_t created_ms, uint32_t pid, uint32_t min_id,
                   uint32_t flags)
{
    memcpy(region->project, project, RA_PROJECT_SIZE);
    region->created_ms = created_ms;
    region->pid = pid;
    region->min_id = min_id;
    region->flags = flags;
}

void
ra_region_seal(struct ra_region *region)
{
    region->header_crc = header_crc(region);
}

static int
is_capacity(uint64_t capacity)
{
    return capacity >= RA_CAPACITY_MIN && capacity <= RA_CAPACITY_MAX &&
           (capacity & (capacity - 1)) == 0;
}

/*
 * Whether the hands stand in their order. Compared as distances from `free`.
 */
static int
are_positions(const struct ra_region *region)
{
    /* relaxed: they are the consumer's, and who asks is the next one. */
    uint64_t free = load_relaxed(&region->free);
    uint64_t head = load_relaxed(&region->head);
    uint64_t tail = load_acquire(&region->tail); /* E1, at second hand */

    return ((free | head | tail) & 7) == 0 && free <= head && head <= tail &&
           tail - free <= region->capacity && tail <= POSITION_MAX;
}

int
ra_region_check(const struct ra_region *region, uint64_t size,
                const unsigned char *project)
{
    if (size < RA_HEADER_SIZE)
        return RA_BAD_SIZE;
    if (region->magic != RA_MAGIC)
        return RA_BAD_MAGIC;
    if (region->version != RA_VERSION)
        return RA_BAD_VERSION;
    if (region->header_crc != header_crc(region))
        return RA_BAD_HEADER;
    if (region->header_len != RA_HEADER_SIZE ||
        (region->flags & ~(uint32_t)RA_CHECKED) != 0)
        return RA_BAD_VERSION;
    if (!is_capacity(region->capacity) ||
        size != RA_HEADER_SIZE + region->capacity)
        return RA_BAD_SIZE;
    if (memcmp(region->project, project, RA_PROJECT_SIZE) != 0)
        return RA_BAD_PROJECT;
    return are_positions(region) ? RA_SOUND : RA_BAD_POSITION;
}

/* A walk from head to tail. */
struct walk {
    struct ra_ring *ring;
    uint64_t at;
    uint64_t tail;
    uint64_t patience; /* bytes of bad records that may be read again */
};

/* What a word heads: its state, RA_FREE if it is no header; and its end. */
struct header {
    unsigned state;
    unsigned flags;
    uint64_t length;
    uint64_t end;
};

static struct ra_record *
record_at(const struct ra_ring *ring, uint64_t position)
{
    return (struct ra_record *)(void *)(ring->region->data +
                                        (position & ring->mask));
}

static uint64_t
lap_end(const struct ra_ring *ring, uint64_t position)
{
    return (position & ~ring->mask) + ring->capacity;
}

/*
 * Where the lap ends, or the tail.
 */
static uint64_t
end_of_room(const struct walk *walk, uint64_t at)
{
    uint64_t end = lap_end(walk->ring, at);

    return end < walk->tail ? end : walk->tail;
}

static int
is_zero(const struct ra_ring *ring, uint64_t from, uint64_t to)
{
    for (; from < to; from += 8)
        if (load_relaxed(&record_at(ring, from)->word) != 0)
            return 0;
    return 1;
}

/*
 * What the word at `at` heads. Of a record that is being written, and of one
 * that is not a header at all, the end is where the search for the next one
 * begins. Its checksum is not looked at.
 *
 * relaxed, here and in is_zero: nobody else has the region.
 */
static struct header
header_at(const struct walk *walk, uint64_t at)
{
    const struct ra_record *record = record_at(walk->ring, at);
    uint64_t word = load_relaxed(&record->word);
    uint64_t room = end_of_room(walk, at) - at;
    struct header header = {ra_state(word), ra_flags(word), 0, at + 8};
    uint64_t span = ra_void_span(word);

    switch (header.state) {
    case RA_WRITING:
        if (word != ra_header_word(at, 0, RA_WRITING) ||
            room < RA_RECORD_HEADER)
            break;
        header.end = at + RA_RECORD_HEADER;
        return header;
    case RA_READY:
        if (word != ra_header_word(at, header.flags, RA_READY) ||
            room < RA_RECORD_HEADER)
            break;
        header.length = record->length;
        /* No event is empty. */
        if (header.length == 0 || ra_span(header.length) > room)
            break;
        header.end = at + ra_span(header.length);
        return header;
    case RA_PAD:
        /* Never without the record for which it was made. */
        if (word != ra_header_word(at, 0, RA_PAD) ||
            lap_end(walk->ring, at) >= walk->tail ||
            !is_zero(walk->ring, at + 8, at + room))
            break;
        header.end = at + room;
        return header;
    case RA_VOID:
        if (word != ra_void_word(at, span) || span == 0 || span > room)
            break;
        header.end = at + span;
        return header;
    default:
        break;
    }
    header.state = RA_FREE;
    return header;
}

/*
 * Make [from, to) voids, and nothing else.
 */
static void
make_void(const struct ra_ring *ring, uint64_t from, uint64_t to)
{
    memset(record_at(ring, from), 0, (size_t)(to - from));
    while (from < to) {
        uint64_t span = to - from < RA_VOID_MAX ? to - from : RA_VOID_MAX;

        store_relaxed(&record_at(ring, from)->word, /* relaxed: as above. */
                      ra_void_word(from, span));
        from += span;
    }
}

/*
 * Void what is at walk->at, which is `header` but no whole record.
 */
static void
void_gap(struct walk *walk, const struct header *header,
         struct ra_repair *found)
{
    uint64_t end = header->end, room = end_of_room(walk, walk->at);

    switch (header->state) {
    case RA_WRITING:
        found->torn += 1;
        break;
    case RA_READY:
        found->bad_crc += 1;
        if (end - walk->at <= walk->patience) {
            walk->patience -= end - walk->at;
            end = walk->at + RA_RECORD_HEADER;
        }
        break;
    default:
        if (is_zero(walk->ring, walk->at, end))
            found->holes += 1;
        else
            found->bad_crc += 1;
        break;
    }
    while (end < room && header_at(walk, end).state == RA_FREE)
        end += 8;
    make_void(walk->ring, walk->at, end);
    walk->at = end;
}

static int
is_whole(const struct ra_ring *ring, const struct ra_record *record,
         const struct header *header)
{
    return !ring->is_checked ||
           record->crc == ra_record_crc(record, header->flags, header->length);
}

/*
 * Begin the ring at `head`: zero all bytes outside [head, tail).
 */
static void
zero_the_rest(struct ra_ring *ring, uint64_t head, uint64_t tail)
{
    struct ra_region *region = ring->region;
    uint64_t from = tail & ring->mask;
    uint64_t length = ring->capacity - (tail - head);
    uint64_t first = ring->capacity - from;

    if (first > length)
        first = length;
    memset(region->data + from, 0, (size_t)first);
    memset(region->data, 0, (size_t)(length - first));
    /* relaxed: nobody else has the region. */
    store_relaxed(&region->head, head);
    compiler_barrier();
    store_relaxed(&region->free, head);
    store_relaxed(&region->free_cache, head);
}

void
ra_ring_repair(struct ra_ring *ring, struct ra_repair *found)
{
    struct ra_region *region = ring->region;
    /* relaxed, all of them: nobody else has the region. */
    struct walk walk = {ring, load_relaxed(&region->head),
                        load_relaxed(&region->tail), ring->capacity};
    uint64_t head = walk.tail;

    memset(found, 0, sizeof(*found));
    while (walk.at < walk.tail) {
        const struct ra_record *record = record_at(ring, walk.at);
        struct header header = header_at(&walk, walk.at);

        if (header.state == RA_READY && is_whole(ring, record, &header)) {
            if (found->ready == 0) {
                head = walk.at;
                found->oldest_ms = record->time_ms;
            }
            found->ready += 1;
        } else if (header.state != RA_PAD && header.state != RA_VOID) {
            void_gap(&walk, &header, found);
            continue;
        }
        walk.at = header.end;
    }
    zero_the_rest(ring, head, walk.tail);
    store_relaxed(&region->pushed, found->ready);
    store_relaxed(&region->armed, 0);
    ring->claim = head;
}

void
ra_ring_resume(struct ra_ring *ring)
{
    /* relaxed: only the consumer stores it, and the last one is dead. */
    ring->claim = load_relaxed(&ring->region->head) & ~UINT64_C(7);
    ra_ring_release(ring, ring->claim);
}
