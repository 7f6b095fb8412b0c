/* SPDX-License-Identifier: MIT */
/*
 * Every state that a producer or a consumer leaves that is killed, made by
 * hand; what a repair finds, and what survives.
 */
#include "wreck.h"

#define LAP (5 * SMALLEST)

static void
sound_ring_is_left_as_it_is(void)
{
    struct ra_ring ring, before;
    struct ra_repair found;

    /* Across the end of a lap, with a pad; and an empty one. */
    file_ring(&ring, SMALLEST, LAP - 80, RA_CHECKED);
    found = mend(&ring);
    CHECK_EQ(found.ready + found.torn + found.holes + found.bad_crc, 0);
    CHECK_EQ(found.oldest_ms, 0);
    push_letters(&ring, 'a', 24);
    push_letters(&ring, 'b', 40);
    push_letters(&ring, 'c', 1);
    ring_copy(&before, &ring);

    found = mend(&ring);
    CHECK_EQ(found.ready, 3);
    CHECK_EQ(found.torn + found.holes + found.bad_crc, 0);
    CHECK_EQ(found.oldest_ms, 1);
    CHECK(memcmp(ring.region->data, before.region->data, SMALLEST) == 0);
    CHECK_EQ(ra_ring_free(&ring), LAP - 80);
    check_survivors(&ring, "abc");
    ring_drop(&before);
}

static void
pushed_and_oldest_are_those_of_what_is_left(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    struct ra_repair found;

    /* Of five pushed the first two were delivered. */
    file_ring(&ring, SMALLEST, 0, RA_CHECKED);
    CHECK(ra_ring_push(&ring, "aa", 2, 0, 100) >= 0);
    CHECK(ra_ring_push(&ring, "bb", 2, 0, 200) >= 0);
    CHECK(ra_ring_push(&ring, "cc", 2, 0, 300) >= 0);
    CHECK(ra_ring_push(&ring, "dd", 2, 0, 400) >= 0);
    CHECK(ra_ring_push(&ring, "ee", 2, 0, 250) >= 0);
    CHECK_EQ(ra_ring_claim(&ring, 2, UINT64_MAX, 0, &claim), 2);
    release(&ring, claim.end);
    /* Of what a consumer claimed and did not release it knows nothing. */
    CHECK_EQ(ra_ring_claim(&ring, 1, UINT64_MAX, 0, &claim), 1);
    CHECK_EQ(ra_ring_arm(&ring, 9, UINT64_MAX), 0);

    found = mend(&ring);
    CHECK_EQ(found.ready, 3);
    CHECK_EQ(found.oldest_ms, 300);
    CHECK_EQ(load_relaxed(&ring.region->armed), 0);
    check_survivors(&ring, "cde");
}

/*
 * Killed between reservation and header, of a record of `span`; before,
 * between and behind others.
 */
static void
hole_of(uint64_t span)
{
    struct ra_ring ring;
    struct ra_repair found;

    file_ring(&ring, SMALLEST, LAP, RA_CHECKED);
    push_letters(&ring, 'a', 8);
    hole(&ring, span);
    found = mend(&ring);
    CHECK_EQ(found.holes, 1);
    CHECK_EQ(found.ready, 1);
    CHECK_EQ(word_of(&ring, LAP + 32), ra_void_word(LAP + 32, span));
    CHECK_EQ(ra_ring_tail(&ring), LAP + 32 + span);
    check_survivors(&ring, "a");

    file_ring(&ring, SMALLEST, LAP, RA_CHECKED);
    hole(&ring, span);
    push_letters(&ring, 'a', 8);
    hole(&ring, span);
    push_letters(&ring, 'b', 8);
    found = mend(&ring);
    CHECK_EQ(found.holes, 2);
    CHECK_EQ(found.ready, 2);
    CHECK_EQ(found.torn + found.bad_crc, 0);
    /* What comes before the first record is done with. */
    CHECK_EQ(ra_ring_free(&ring), LAP + span);
    check_survivors(&ring, "ab");

    /* Alone in the ring: nothing is left. */
    file_ring(&ring, SMALLEST, LAP, RA_CHECKED);
    hole(&ring, span);
    found = mend(&ring);
    CHECK_EQ(found.holes, 1);
    CHECK_EQ(ra_ring_free(&ring), LAP + span);
    check_survivors(&ring, "");
}

static void
killed_after_the_reservation(void)
{
    uint64_t span;

    /* From 8: smaller than any record, for a pad that is not there. */
    for (span = 8; span <= 128; span += 8)
        hole_of(span);
    hole_of(SMALLEST / 2 - 32); /* With two of them the ring is full. */
}

static void
killed_around_the_pad(void)
{
    struct ra_ring ring;
    struct ra_repair found;
    uint64_t gap;

    for (gap = 8; gap <= 64; gap += 8) {
        uint64_t end = LAP + SMALLEST, start = end - gap;

        /* Pad and record reserved, nothing written. */
        file_ring(&ring, SMALLEST, start - 32, RA_CHECKED);
        push_letters(&ring, 'a', 8);
        hole(&ring, gap + 104);
        push_letters(&ring, 'b', 8);
        found = mend(&ring);
        CHECK_EQ(found.holes, 2); /* None crosses the end of the lap. */
        CHECK_EQ(word_of(&ring, start), ra_void_word(start, gap));
        CHECK_EQ(word_of(&ring, end), ra_void_word(end, 104));
        check_survivors(&ring, "ab");

        /* The pad written, the record's header not. */
        file_ring(&ring, SMALLEST, start - 32, RA_CHECKED);
        push_letters(&ring, 'a', 8);
        hole(&ring, gap + 104);
        set_word(&ring, start, ra_header_word(start, 0, RA_PAD));
        found = mend(&ring);
        CHECK_EQ(found.holes, 1);
        CHECK_EQ(word_of(&ring, start), ra_header_word(start, 0, RA_PAD));
        check_survivors(&ring, "a");
    }
}

/*
 * Killed while `done` of 100 payload bytes were there; with the rest of the
 * header, or without.
 */
static void
torn_at(uint64_t done, int has_header)
{
    struct ra_ring ring;
    struct ra_repair found;
    struct ra_slot slot;

    file_ring(&ring, SMALLEST, LAP, RA_CHECKED);
    push_letters(&ring, 'a', 8);
    CHECK_EQ(ra_ring_reserve(&ring, 100, &slot), 0);
    memset(ra_ring_payload(&ring, slot.position), 'b', done);
    if (has_header) {
        CHECK_EQ(ra_ring_commit(&ring, &slot, 100, 0, 1), 0);
        set_word(&ring, slot.position,
                 ra_header_word(slot.position, 0, RA_WRITING));
    }
    push_letters(&ring, 'c', 8);

    found = mend(&ring);
    CHECK_EQ(found.torn, 1);
    CHECK_EQ(found.ready, 2);
    CHECK_EQ(found.holes + found.bad_crc, 0);
    CHECK_EQ(word_of(&ring, slot.position),
             ra_void_word(slot.position, slot.span));
    CHECK(is_zero((unsigned char *)record_of(&ring, slot.position) + 8,
                  slot.span - 8));
    check_survivors(&ring, "ac");
}

static void
killed_in_the_copy(void)
{
    torn_at(0, 0);
    torn_at(1, 0);
    torn_at(50, 0);
    torn_at(100, 0);
    torn_at(100, 1);
}

static void
killed_before_ready_its_header_may_look_like_another(void)
{
    struct ra_ring ring;
    struct ra_repair found;
    struct ra_slot slot;
    struct ra_record *record;

    /* Length and checksum, and the time, read as the header of a void that
       goes over the next record. */
    file_ring(&ring, SMALLEST, LAP, RA_CHECKED);
    CHECK_EQ(ra_ring_reserve(&ring, 8, &slot), 0);
    push_letters(&ring, 'a', 8);
    record = record_of(&ring, LAP);
    record->length = (uint32_t)ra_void_word(LAP + 8, 32);
    record->crc = ra_stamp(LAP + 8);
    record->time_ms = ra_void_word(LAP + 16, 32);

    found = mend(&ring);
    CHECK_EQ(found.torn, 1);
    CHECK_EQ(found.ready, 1);
    check_survivors(&ring, "a");
}

static void
several_died_at_once(void)
{
    struct ra_ring ring;
    struct ra_repair found;
    struct ra_slot slot;

    file_ring(&ring, SMALLEST, LAP, RA_CHECKED);
    hole(&ring, 32);
    CHECK_EQ(ra_ring_reserve(&ring, 8, &slot), 0);
    CHECK_EQ(ra_ring_reserve(&ring, 8, &slot), 0);
    hole(&ring, 32);
    push_letters(&ring, 'a', 8);
    CHECK_EQ(ra_ring_reserve(&ring, 1, &slot), 0);

    found = mend(&ring);
    CHECK_EQ(found.holes, 1); /* The second begins in no known place. */
    CHECK_EQ(found.torn, 3);
    CHECK_EQ(found.ready, 1);
    check_survivors(&ring, "a");
}

static void
full_of_holes(void)
{
    struct ra_ring ring;
    struct ra_repair found;
    uint64_t i;

    file_ring(&ring, SMALLEST, LAP + 1024, RA_CHECKED);
    hole(&ring, SMALLEST);
    found = mend(&ring);
    CHECK_EQ(found.holes, 2); /* One before the end of the lap. */
    check_survivors(&ring, "");

    /* Full to the last byte with records: no byte is outside. */
    file_ring(&ring, SMALLEST, LAP + 1024, RA_CHECKED);
    for (i = 0; i < 8; i++)
        push_letters(&ring, (char)('a' + i), SMALLEST / 8 - 24);
    hole(&ring, SMALLEST - (ra_ring_tail(&ring) - ra_ring_free(&ring)));
    found = mend(&ring);
    CHECK_EQ(found.ready, 7);
    check_survivors(&ring, "abcdefg");
}

static void
gap_longer_than_a_void(void)
{
    const uint64_t capacity = 4 * 1024 * 1024, span = 2 * RA_VOID_MAX + 8;
    struct ra_ring ring;
    struct ra_repair found;

    file_ring(&ring, capacity, 0, RA_CHECKED);
    push_letters(&ring, 'a', 8);
    hole(&ring, span);
    push_letters(&ring, 'b', 8);
    found = mend(&ring);
    CHECK_EQ(found.holes, 1);
    CHECK_EQ(word_of(&ring, 32), ra_void_word(32, RA_VOID_MAX));
    CHECK_EQ(word_of(&ring, 32 + RA_VOID_MAX),
             ra_void_word(32 + RA_VOID_MAX, RA_VOID_MAX));
    CHECK_EQ(word_of(&ring, 32 + 2 * RA_VOID_MAX),
             ra_void_word(32 + 2 * RA_VOID_MAX, 8));
    drain(&ring, UINT64_MAX, "ab");
    ring_drop(&ring);
}

/*
 * Killed in a release of [start, start + 96), across the end of a lap, when
 * `done` of its bytes were zero; then repaired or resumed.
 */
static void
killed_in_a_release_after(uint64_t done, int is_living)
{
    const uint64_t start = LAP - 32;
    struct ra_ring ring, before;
    struct ra_slot slot;
    uint64_t i;

    file_ring(&ring, SMALLEST, start, RA_CHECKED);
    push_letters(&ring, 'a', 8);
    push_letters(&ring, 'b', 40);
    push_letters(&ring, 'c', 8);
    CHECK_EQ(ra_ring_reserve(&ring, 8, &slot), 0);
    hole(&ring, 24);
    store_relaxed(&ring.region->head, start + 96);
    for (i = 0; i < done; i++)
        ring.region->data[(start + i) & ring.mask] = 0;
    if (!is_living) {
        CHECK_EQ(ra_ring_attach(&ring, ring.region), 0);
        CHECK_EQ(mend(&ring).ready, 1);
        check_survivors(&ring, "c");
        return;
    }
    /* The next consumer may have had a view since the ring's birth. */
    CHECK_EQ(ring.claim, start);
    ring_copy(&before, &ring);
    ra_ring_resume(&ring);
    check_ring(&ring);
    CHECK_EQ(ra_ring_free(&ring), start + 96);
    CHECK_EQ(ring.claim, start + 96);
    CHECK_EQ(ra_ring_pushed(&ring), 3);
    /* What is being written is the producer's, and so is the hole. */
    CHECK(memcmp(ring.region->data + 64, before.region->data + 64,
                 SMALLEST - 96) == 0);
    memset(ra_ring_payload(&ring, slot.position), 'd', 8);
    CHECK_EQ(ra_ring_commit(&ring, &slot, 8, 0, 1), 0);
    CHECK_EQ(mend(&ring).ready, 2);
    check_survivors(&ring, "cd");
    ring_drop(&before);
}

static void
killed_in_a_release(void)
{
    uint64_t done;

    for (done = 0; done <= 96; done++) {
        killed_in_a_release_after(done, 0);
        killed_in_a_release_after(done, 1);
    }
}

static void
killed_in_a_repair(void)
{
    struct ra_ring ring, mended, half;
    struct ra_slot slot;
    uint64_t cut;

    /* Any prefix of the repaired bytes, and the rest of the wreck's. */
    file_ring(&ring, SMALLEST, LAP, RA_CHECKED);
    hole(&ring, 40);
    push_letters(&ring, 'a', 8);
    CHECK_EQ(ra_ring_reserve(&ring, 100, &slot), 0);
    memset(ra_ring_payload(&ring, slot.position), '!', 77);
    push_letters(&ring, 'b', 8);
    hole(&ring, 48);
    push_letters(&ring, 'c', 8);
    ring_copy(&mended, &ring);
    mend(&mended);
    for (cut = 0; cut <= ra_ring_tail(&ring) - LAP; cut += 8) {
        ring_copy(&half, &ring);
        memcpy(half.region->data, mended.region->data, cut);
        CHECK_EQ(mend(&half).ready, 3);
        check_survivors(&half, "abc");
    }
    ring_drop(&mended);
    ring_drop(&ring);
}

static void
counters_add_up(void)
{
    struct ra_ring ring;

    file_ring(&ring, SMALLEST, 0, RA_CHECKED);
    ra_ring_settled(&ring, 1, 20, 300);
    ra_ring_settled(&ring, 4, 50, 600);
    CHECK_EQ(ra_ring_delivered(&ring), 5);
    CHECK_EQ(ra_ring_rejected(&ring), 70);
    CHECK_EQ(ra_ring_dropped(&ring), 900);
    /* A repair leaves them. */
    mend(&ring);
    CHECK_EQ(ra_ring_delivered(&ring), 5);
    check_survivors(&ring, "");
}

int
main(void)
{
    RUN(sound_ring_is_left_as_it_is);
    RUN(pushed_and_oldest_are_those_of_what_is_left);
    RUN(killed_after_the_reservation);
    RUN(killed_around_the_pad);
    RUN(killed_in_the_copy);
    RUN(killed_before_ready_its_header_may_look_like_another);
    RUN(several_died_at_once);
    RUN(full_of_holes);
    RUN(gap_longer_than_a_void);
    RUN(killed_in_a_release);
    RUN(killed_in_a_repair);
    RUN(counters_add_up);
    return 0;
}
