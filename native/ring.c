/* SPDX-License-Identifier: MIT */
/*
 * A byte ring of variable-length records: many producers, one consumer.
 *
 * What it is
 *
 *   Threads that log events put records in; one flusher takes them out in
 *   order and gives the room back. Nobody waits for anybody: a producer that
 *   is preempted in the middle of a record delays the consumer, never
 *   another producer.
 *
 * The picture
 *
 *   Think of four hands on a clock whose dial has `capacity` marks. They
 *   only go forward, and are kept as 64-bit positions that never wrap:
 *
 *       free   <=   head   <=   claim   <=   tail   <=   free + capacity
 *        |           |            |            |
 *        |           |            |            producers reserve here
 *        |           |            the consumer has read up to here
 *        |           records before it are done with
 *        bytes before it are zero, and may be reserved again
 *
 * Producers
 *
 *   reserve   move `tail` by compare-and-swap over the record's span (never
 *             by fetch-and-add: a push that finds the ring full must leave
 *             no trace), then write the header as WRITING.
 *   commit    copy the payload, then store the header again as READY.
 *
 * Consumer
 *
 *   claim     read headers from `claim` on, stop at the first that is FREE
 *             (reserved, header not yet there) or WRITING, skip PAD and VOID.
 *   release   in order: move `head`, zero the bytes, move `free`.
 *
 * Key invariant
 *
 *   All bytes outside [free, tail) are zero. So a header that is not there
 *   yet reads as FREE whatever was in its place a lap ago, and the bytes a
 *   dead producer left unwritten can be measured.
 *
 * Wrap-around
 *
 *   A record is contiguous. One that would cross the end of the lap is
 *   placed at the start of the next, and a PAD word fills the gap. The
 *   producer that pads reserves pad and record in one step. Each header
 *   carries a stamp made from its position, so a header of another lap is
 *   not taken for one of this. Positions are 64 bits: no ABA.
 *
 * Full
 *
 *   `free_cache` saves producers from reading the consumer's line at every
 *   push. It may be behind, never ahead, so it can only make the ring look
 *   fuller than it is; then `free` itself is read. A producer whose `tail`
 *   is stale while its `free` is new computes with positions of two moments
 *   and may find FULL in a ring that is empty; so before saying FULL the
 *   tail is read again, and if it moved the producer starts over.
 *
 * Waking the consumer
 *
 *   The consumer stores in `armed` at which count of pushed records it wants
 *   to be woken, and then looks at `pushed`; a producer adds to `pushed` and
 *   then looks at `armed`. All four are sequentially consistent: in the one
 *   total order of these operations either the store of `armed` comes before
 *   the producer's load of it, or the producer's add comes before the
 *   consumer's load of `pushed`. So at least one of them sees the other, and
 *   no wake-up is lost. Acquire and release would not do: both sides might
 *   read the old value. Whoever swaps `armed` to 0 wakes, so one sleep costs
 *   one wake-up. `armed_tail` (a limit in bytes) is looked at without such
 *   care: a push that misses it is followed by one that does not, or by the
 *   consumer's timer.
 *
 * A producer that dies half-way
 *
 *   leaves a hole (FREE bytes inside [free, tail)) or a WRITING record. A
 *   consumer of a living ring stops there. A private ring dies with its
 *   process, so nobody is left to wait; in the ring of a file they are made
 *   VOID once nobody pushes into it any more (recover.c).
 *
 * What this file does not do
 *
 *   Allocate, lock, sleep, call the system; know about JSON or Python;
 *   decide what happens when the ring is full.
 *
 * Edges
 *
 *        publishes                        observes               carries
 *   E1   commit: release store of the     claim: acquire load    payload,
 *        header word (READY)              of the header word     length
 *   E2   release: release store of        reserve: acquire load  "these
 *        `free`                           of `free`              bytes are
 *                                                                zero"
 *   E3   reserve: release store of        reserve (another       as E2, at
 *        `free_cache`                     thread): acquire load  second hand
 *   E4   commit: seq_cst add to `pushed`  arm: seq_cst load      see "Waking"
 *   E5   arm: seq_cst store of `armed`    commit: seq_cst load   see "Waking"
 *   E6   commit: the add of E4            pushed: acquire load   READY, for a
 *                                                                later claim
 */
#include "ring.h"

#include <string.h>

#include "crc32c.h"
#include "failpoint.h"

#ifdef RA_DEBUG
#include <assert.h>
#define RA_ASSERT(condition) assert(condition)
#else
#define RA_ASSERT(condition) ((void)0)
#endif

static struct ra_record *
record_at(const struct ra_ring *ring, uint64_t position)
{
    return (struct ra_record *)(void *)(ring->region->data +
                                        (position & ring->mask));
}

int
ra_ring_format(struct ra_region *region, uint64_t capacity,
               const unsigned char *ring_id, uint64_t start)
{
    if (capacity < RA_CAPACITY_MIN || capacity > RA_CAPACITY_MAX ||
        (capacity & (capacity - 1)) != 0 || (start & 7) != 0)
        return -1;

    region->version = RA_VERSION;
    region->header_len = RA_HEADER_SIZE;
    region->capacity = capacity;
    memcpy(region->ring_id, ring_id, RA_RING_ID_SIZE);

    /* relaxed: nobody else knows the region yet. */
    store_relaxed(&region->tail, start);
    store_relaxed(&region->free_cache, start);
    store_relaxed(&region->free, start);
    store_relaxed(&region->head, start);
    region->magic = RA_MAGIC;
    return 0;
}

int
ra_ring_attach(struct ra_ring *ring, struct ra_region *region)
{
    if (region->magic != RA_MAGIC || region->version != RA_VERSION ||
        region->header_len != RA_HEADER_SIZE)
        return -1;

    ring->region = region;
    ring->capacity = region->capacity;
    ring->mask = region->capacity - 1;
    ring->is_checked = region->flags & RA_CHECKED;
    /* Half a lap: such a record and the longest pad before it always fit
       into an empty ring. */
    ring->max_payload = region->capacity / 2 - RA_RECORD_HEADER;
    /* relaxed: alone so far. Aligned, whatever a file says. */
    ring->claim = load_relaxed(&region->head) & ~UINT64_C(7);
    return 0;
}

int
ra_ring_reserve(struct ra_ring *ring, uint64_t length, struct ra_slot *slot)
{
    struct ra_region *region = ring->region;
    uint64_t span, tail, seen, free, pad;

    if (length > ring->max_payload)
        return RA_TOO_BIG;
    span = ra_span(length);

    /* relaxed: the compare-and-swap below checks it. */
    tail = load_relaxed(&region->tail);
    for (;;) {
        uint64_t to_end = ring->capacity - (tail & ring->mask);

        /* Never so in a region that only we write to. But anybody may write
           to a file, and a word that is not aligned would reach beyond the
           end of the lap. */
        if ((tail & 7) != 0)
            return RA_FULL;
        pad = span <= to_end ? 0 : to_end;
        free = load_acquire(&region->free_cache); /* E3 */
        if (tail + pad + span - free > ring->capacity) {
            free = load_acquire(&region->free);       /* E2 */
            store_release(&region->free_cache, free); /* E3 */

            /* relaxed: only its having moved matters. */
            seen = load_relaxed(&region->tail);
            if (seen != tail) {
                tail = seen;
                continue;
            }
            if (tail + pad + span - free > ring->capacity) {
                /* relaxed: a statistic. */
                add_relaxed(&region->refused, 1);
                return RA_FULL;
            }
        }
        RA_FAILPOINT("before reserve");
        if (cas_acq_rel(&region->tail, &tail, tail + pad + span))
            break;
    }
    RA_ASSERT((tail & 7) == 0);
    RA_FAILPOINT("reserved");

    if (pad != 0) {
        store_release(&record_at(ring, tail)->word,
                      ra_header_word(tail, 0, RA_PAD)); /* E1 */
        tail += pad;
        RA_FAILPOINT("padded");
    }
    slot->position = tail;
    slot->span = span;

    /* relaxed: no reader may use the payload before READY. The barrier
       keeps the payload's stores behind this one, for whoever looks at a
       region whose producer died. */
    store_relaxed(&record_at(ring, tail)->word,
                  ra_header_word(tail, 0, RA_WRITING));
    compiler_barrier();
    RA_FAILPOINT("writing");
    return 0;
}

uint32_t
ra_record_crc(const struct ra_record *record, unsigned flags, uint64_t length)
{
    struct {
        uint32_t flags;
        uint32_t length;
        uint64_t time_ms;
    } prefix = {flags, (uint32_t)length, record->time_ms};

    return ra_crc32c(ra_crc32c(0, &prefix, sizeof(prefix)), record->payload,
                     length);
}

int
ra_ring_commit(struct ra_ring *ring, const struct ra_slot *slot,
               uint64_t length, unsigned flags, uint64_t time_ms)
{
    struct ra_region *region = ring->region;
    struct ra_record *record = record_at(ring, slot->position);
    uint64_t count, armed;

    record->length = (uint32_t)length;
    record->time_ms = time_ms;
    if (ring->is_checked)
        record->crc = ra_record_crc(record, flags, length);
    RA_FAILPOINT("before commit");
    store_release(&record->word, ra_header_word(slot->position, flags,
                                                RA_READY)); /* E1 */
    RA_FAILPOINT("committed");

    count = add_seq_cst(&region->pushed, 1) + 1; /* E4 */
    armed = load_seq_cst(&region->armed);        /* E5 */
    if (armed == 0)
        return 0;
    /* relaxed: best effort, see "Waking the consumer". */
    if (count < armed &&
        slot->position + slot->span < load_relaxed(&region->armed_tail))
        return 0;
    return cas_seq_cst(&region->armed, &armed, 0) ? 1 : 0;
}

int64_t
ra_ring_push(struct ra_ring *ring, const void *payload, uint64_t length,
             unsigned flags, uint64_t time_ms)
{
    struct ra_slot slot;
    int answer = ra_ring_reserve(ring, length, &slot);

    if (answer != 0)
        return answer;
    memcpy(ra_ring_payload(ring, slot.position), payload, length);
    RA_FAILPOINT("copied");
    return (int64_t)slot.position |
           ra_ring_commit(ring, &slot, length, flags, time_ms);
}

/*
 * Whether `word` heads a record, pad or void of ours at `position`: its stamp
 * is right, and a record of `length` payload bytes, or the void, ends inside
 * the lap and at or before the tail.
 */
static int
is_plausible(const struct ra_ring *ring, uint64_t position, uint64_t word,
             uint64_t length)
{
    uint64_t room = ring->capacity - (position & ring->mask);
    uint64_t span;

    if ((uint32_t)(word >> 32) != ra_stamp(position))
        return 0;
    switch (ra_state(word)) {
    case RA_PAD:
    case RA_WRITING:
        return word == ra_header_word(position, 0, ra_state(word));
    case RA_VOID:
        span = ra_void_span(word);
        if (span == 0 || word != ra_void_word(position, span))
            return 0;
        break;
    case RA_READY:
        if (room < RA_RECORD_HEADER)
            return 0;
        span = ra_span(length);
        break;
    default:
        return 0;
    }
    /* relaxed: E1 carries the `tail` of the record's own reservation. */
    return span <= room &&
           position + span <= load_relaxed(&ring->region->tail);
}

static uint64_t
lap_end(const struct ra_ring *ring, uint64_t position)
{
    return (position & ~ring->mask) + ring->capacity;
}

int64_t
ra_ring_claim(struct ra_ring *ring, uint64_t max_count, uint64_t max_bytes,
              uint64_t overhead, struct ra_claim *claim)
{
    uint64_t at = ring->claim;
    /* relaxed: this thread alone stores it. */
    uint64_t limit = load_relaxed(&ring->region->free) + ring->capacity;
    uint64_t spliced = 0;

    claim->start = claim->end = at;
    claim->count = claim->bytes = 0;

    /* At `limit` lie our own claimed records of the lap before, not yet
       zeroed. */
    while (at < limit) {
        struct ra_record *record = record_at(ring, at);
        uint64_t word = load_acquire(&record->word); /* E1 */
        uint64_t length, cost;

        if (word == 0)
            break;
        /* Of a record that is being written the length may be too; and at
           the end of the lap there may be room for a word alone, which is a
           pad's. Read once: a file may be written to by anybody. */
        length = 0;
        if (ra_state(word) == RA_READY &&
            ring->capacity - (at & ring->mask) >= RA_RECORD_HEADER)
            length = record->length;
        if (!is_plausible(ring, at, word, length)) {
            /* The sound records before it are handed out first. */
            if (claim->count == 0)
                return RA_CORRUPT;
            break;
        }
        if (ra_state(word) == RA_WRITING)
            break;
        if (ra_state(word) == RA_PAD) {
            at = lap_end(ring, at);
            continue;
        }
        if (ra_state(word) == RA_VOID) {
            at += ra_void_span(word);
            claim->end = at;
            continue;
        }
        if (claim->count == max_count)
            break;
        cost = length + overhead;
        if (claim->count > 0 && spliced + cost > max_bytes)
            break;
        spliced += cost;
        claim->count += 1;
        claim->bytes += length;
        at += ra_span(length);
        claim->end = at;
    }
    RA_ASSERT(claim->end == claim->start || claim->end <= limit);
    ring->claim = claim->end;
    return (int64_t)claim->count;
}

uint64_t
ra_ring_next(const struct ra_ring *ring, uint64_t position)
{
    for (;;) {
        /* relaxed: the claim acquired it. */
        uint64_t word = load_relaxed(&record_at(ring, position)->word);

        /* No word has the stamp of two laps, and nothing here moves back:
           this ends. */
        if (word == ra_header_word(position, 0, RA_PAD))
            position = lap_end(ring, position);
        else if (word == ra_void_word(position, ra_void_span(word)) &&
                 ra_void_span(word) != 0)
            position += ra_void_span(word);
        else
            return position;
    }
}

void
ra_ring_release(struct ra_ring *ring, uint64_t end)
{
    struct ra_region *region = ring->region;
    /* relaxed: this thread alone stores it. */
    uint64_t start = load_relaxed(&region->free);
    uint64_t from = start & ring->mask;
    uint64_t length = end - start;
    uint64_t first = ring->capacity - from;

    /* True of no claimed `end` but in the child of a fork that a consumer
       made between claim and release: its region has been wiped. */
    if (length > ring->capacity)
        return;
    RA_ASSERT(end <= ring->claim);

    /* `head` moves first: whoever finds the region after a death in the
       middle of the zeroing knows that [free, head) holds nothing. */
    RA_FAILPOINT("before head");
    store_release(&region->head, end);
    compiler_barrier();
    RA_FAILPOINT("head moved");
    if (first > length)
        first = length;
    memset(region->data + from, 0, first);
    RA_FAILPOINT("half zeroed");
    memset(region->data, 0, length - first);
    RA_FAILPOINT("zeroed");
    store_release(&region->free, end); /* E2 */
    RA_FAILPOINT("released");
}

int
ra_ring_arm(struct ra_ring *ring, uint64_t count, uint64_t tail)
{
    struct ra_region *region = ring->region;

    /* relaxed: best effort, see "Waking the consumer". */
    store_relaxed(&region->armed_tail, tail);
    store_seq_cst(&region->armed, count);       /* E5 */
    if (load_seq_cst(&region->pushed) < count && /* E4 */
        load_relaxed(&region->tail) < tail)
        return 0;
    ra_ring_disarm(ring);
    return 1;
}

void
ra_ring_disarm(struct ra_ring *ring)
{
    store_seq_cst(&ring->region->armed, 0);
}

void
ra_ring_settled(struct ra_ring *ring, uint64_t delivered, uint64_t rejected,
                uint64_t dropped)
{
    /* relaxed: statistics. */
    add_relaxed(&ring->region->delivered, delivered);
    add_relaxed(&ring->region->rejected, rejected);
    add_relaxed(&ring->region->dropped, dropped);
}

uint64_t
ra_ring_pushed(const struct ra_ring *ring)
{
    return load_acquire(&ring->region->pushed); /* E6 */
}

/* relaxed, all of these: readings for statistics and for limits that tolerate
   an older value. */

uint64_t
ra_ring_refused(const struct ra_ring *ring)
{
    return load_relaxed(&ring->region->refused);
}

uint64_t
ra_ring_tail(const struct ra_ring *ring)
{
    return load_relaxed(&ring->region->tail);
}

uint64_t
ra_ring_free(const struct ra_ring *ring)
{
    return load_relaxed(&ring->region->free);
}

uint64_t
ra_ring_delivered(const struct ra_ring *ring)
{
    return load_relaxed(&ring->region->delivered);
}

uint64_t
ra_ring_rejected(const struct ra_ring *ring)
{
    return load_relaxed(&ring->region->rejected);
}

uint64_t
ra_ring_dropped(const struct ra_ring *ring)
{
    return load_relaxed(&ring->region->dropped);
}
