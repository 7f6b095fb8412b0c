/* SPDX-License-Identifier: MIT */
/*
 * What the fuzzer's input does to a ring: as its producers and its consumer,
 * until they die, and then as somebody who writes into the file.
 */
#ifndef RINGAMP_FUZZ_STORY_H
#define RINGAMP_FUZZ_STORY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recover.h"

#define CHECK(condition)                                                      \
    ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

#define CAPACITY RA_CAPACITY_MIN
#define SIZE (RA_HEADER_SIZE + CAPACITY)

static const unsigned char project[RA_PROJECT_SIZE] = "fuzz";

static _Alignas(4096) unsigned char memory[SIZE];

static struct ra_region *const region = (void *)memory;

/* The input, read as a stream; zeros behind its end. */
static const uint8_t *input;
static size_t input_left;

static void
check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    abort();
}

static uint64_t
take(unsigned bytes)
{
    uint64_t value = 0;

    for (; bytes > 0 && input_left > 0; bytes--, input_left--)
        value = value << 8 | *input++;
    return value;
}

/* What was done, as long as it is no more than what a death leaves. */
struct story {
    struct ra_ring ring;
    struct ra_claim claim;
    uint64_t ready, torn, claimed;
    int is_damaged;
};

static struct ra_record *
record_at(uint64_t position)
{
    return (void *)(region->data + (position & (CAPACITY - 1)));
}

static void
push(struct story *story, int is_torn)
{
    uint64_t length = take(1) % 8 == 0 ? take(2) : take(1) % 100 + 1;
    struct ra_slot slot;

    if (length == 0 || ra_ring_reserve(&story->ring, length, &slot) != 0)
        return;
    memset(ra_ring_payload(&story->ring, slot.position), '{', length);
    if (is_torn) {
        story->torn += 1;
        return;
    }
    ra_ring_commit(&story->ring, &slot, length, (unsigned)take(1) & 7, 1);
    story->ready += 1;
}

static void
leave_hole(struct story *story)
{
    uint64_t span = (take(1) % 40 + 1) * 8;
    uint64_t used = load_relaxed(&region->tail) - load_relaxed(&region->free);

    if (used + span <= story->ring.capacity)
        add_relaxed(&region->tail, span);
}

static void
claim_some(struct story *story)
{
    /* What was claimed before is released with it. */
    ra_ring_claim(&story->ring, take(1) % 8, UINT64_MAX, 0, &story->claim);
    story->claimed += story->claim.count;
}

static void
release_some(struct story *story)
{
    uint64_t end = story->ring.claim, at = load_relaxed(&region->free);

    story->ready -= story->claimed;
    story->claimed = 0;
    if (take(1) % 4 != 0) {
        ra_ring_release(&story->ring, end);
        return;
    }
    /* Killed in the middle. */
    store_relaxed(&region->head, end);
    for (end = at + take(1); at < end && at < story->ring.claim; at++)
        region->data[at & (CAPACITY - 1)] = 0;
}

/*
 * A position between a little before `free` and a little behind the tail.
 */
static uint64_t
some_position(void)
{
    uint64_t free = load_relaxed(&region->free) & ~UINT64_C(7);

    return take(1) % 4 == 0 ? free + (take(2) - 16) * 8
                            : free + take(1) * 8;
}

static void
forge_header(uint64_t at)
{
    unsigned state = (unsigned)take(1) % 6;
    uint64_t span = take(1) % 4 == 0 ? take(2) << 3 : take(1) << 3;
    uint64_t room = CAPACITY - (at & (CAPACITY - 1)), length;
    uint64_t word = ra_header_word(at, (unsigned)take(1) & 7, state);

    if (state != RA_READY) {
        store_relaxed(&record_at(at)->word,
                      state == RA_VOID ? ra_void_word(at, span)
                                       : word & ~UINT64_C(0xff00));
        return;
    }
    store_relaxed(&record_at(at)->word, word);
    length = take(1) % 4 == 0 ? take(4) : take(1);
    if (room < RA_RECORD_HEADER)
        return;
    record_at(at)->length = (uint32_t)length;
    if (length <= room - RA_RECORD_HEADER)
        record_at(at)->crc =
            ra_record_crc(record_at(at), ra_flags(word), length);
}

static void
damage(void)
{
    ra_word *const hands[] = {&region->free, &region->head, &region->tail,
                              &region->free_cache, &region->pushed};
    uint64_t at = some_position();
    uint64_t what = take(1), which = take(1);

    switch (what % 6) {
    case 0:
        at += which % 8;
        region->data[at & (CAPACITY - 1)] ^= (unsigned char)take(1);
        break;
    case 1:
        forge_header(at);
        break;
    case 2:
        store_relaxed(&record_at(at)->word, take(8));
        break;
    case 3:
        add_relaxed(hands[which % 5], (take(1) - 128) << 3);
        break;
    case 4:
        store_relaxed(hands[which % 5], take(8));
        break;
    case 5:
        memset(record_at(at), (int)which,
               take(2) % (CAPACITY - (at & (CAPACITY - 1))));
        break;
    }
}

static void
run_program(struct story *story)
{
    while (input_left > 0 && !story->is_damaged)
        switch (take(1) % 12) {
        default:
            push(story, 0);
            break;
        case 1:
            push(story, 1);
            break;
        case 2:
            leave_hole(story);
            break;
        case 3:
        case 4:
            claim_some(story);
            break;
        case 5:
            release_some(story);
            break;
        case 6:
            story->is_damaged = 1;
            break;
        }
}

#endif
