/* SPDX-License-Identifier: MIT */
/*
 * The consumer's side: what a claim takes and where it stops, what a release
 * zeroes, and wrecks made by hand. One thread.
 */
#include "check.h"

static void
claim_stops_at_the_count(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    uint64_t i;

    ring_new(&ring, SMALLEST, 0);
    for (i = 0; i < 5; i++)
        push_letters(&ring, 'a', 8);

    CHECK_EQ(ra_ring_claim(&ring, 0, UINT64_MAX, 0, &claim), 0);
    CHECK_EQ(ra_ring_claim(&ring, 2, UINT64_MAX, 0, &claim), 2);
    CHECK_EQ(claim.end, 64);
    CHECK_EQ(ra_ring_claim(&ring, 3, UINT64_MAX, 0, &claim), 3);
    CHECK_EQ(claim.start, 64);
    CHECK_EQ(claim.end, 160);
    CHECK_EQ(ra_ring_claim(&ring, 1, UINT64_MAX, 0, &claim), 0);
    CHECK_EQ(claim.start, 160);
    CHECK_EQ(claim.end, 160);
    ring_drop(&ring);
}

static void
claim_stops_before_the_bytes(void)
{
    struct ra_ring ring;
    struct ra_claim claim;

    ring_new(&ring, SMALLEST, 0);
    push_letters(&ring, 'a', 100);
    push_letters(&ring, 'b', 100);
    push_letters(&ring, 'c', 100);
    push_letters(&ring, 'd', 30000);
    push_letters(&ring, 'e', 1);

    /* Each costs 100 + 7: 214 holds two, 213 only one. */
    CHECK_EQ(ra_ring_claim(&ring, 9, 213, 7, &claim), 1);
    CHECK_EQ(ra_ring_claim(&ring, 9, 214, 7, &claim), 2);
    CHECK_EQ(claim.bytes, 200);

    /* The first is taken whatever its size, and then nothing more. */
    CHECK_EQ(ra_ring_claim(&ring, 9, 10, 7, &claim), 1);
    CHECK_EQ(claim.bytes, 30000);
    CHECK_EQ(ra_ring_claim(&ring, 9, 10, 7, &claim), 1);
    CHECK_EQ(claim.bytes, 1);
    ring_drop(&ring);
}

static void
claim_waits_for_the_commit(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    struct ra_slot slot;
    ra_word *word;
    uint64_t writing;

    ring_new(&ring, SMALLEST, 0);
    push_letters(&ring, 'a', 8);
    CHECK_EQ(ra_ring_reserve(&ring, 8, &slot), 0);
    CHECK_EQ(slot.position, 32);
    CHECK_EQ(slot.span, 32);
    CHECK_EQ(word_of(&ring, 32), ra_header_word(32, 0, RA_WRITING));
    push_letters(&ring, 'c', 8);

    /* Stops before the record that is being written. */
    CHECK_EQ(claim_all(&ring, &claim), 1);
    CHECK_EQ(claim.end, 32);
    CHECK_EQ(claim_all(&ring, &claim), 0);

    /* The same in the instant before its header is there. */
    word = &record_of(&ring, 32)->word;
    writing = load_relaxed(word);
    store_relaxed(word, 0);
    CHECK_EQ(claim_all(&ring, &claim), 0);
    store_relaxed(word, writing);

    /* After the commit it goes on, in order. */
    memset(ra_ring_payload(&ring, 32), 'b', 8);
    CHECK_EQ(ra_ring_commit(&ring, &slot, 8, 0, 1), 0);
    CHECK_EQ(claim_all(&ring, &claim), 2);
    check_letters(&ring, 32, 'b', 8);
    check_letters(&ring, 64, 'c', 8);
    release(&ring, claim.end);
    ring_drop(&ring);
}

static void
commits_out_of_order_come_out_in_order(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    struct ra_slot slots[3];
    int i;

    ring_new(&ring, SMALLEST, 0);
    for (i = 0; i < 3; i++) {
        CHECK_EQ(ra_ring_reserve(&ring, 8, &slots[i]), 0);
        memset(ra_ring_payload(&ring, slots[i].position), 'a' + i, 8);
    }

    CHECK_EQ(ra_ring_commit(&ring, &slots[2], 8, 0, 1), 0);
    CHECK_EQ(claim_all(&ring, &claim), 0);
    CHECK_EQ(ra_ring_commit(&ring, &slots[0], 8, 0, 1), 0);
    CHECK_EQ(claim_all(&ring, &claim), 1);
    CHECK_EQ(ra_ring_commit(&ring, &slots[1], 8, 0, 1), 0);
    CHECK_EQ(claim_all(&ring, &claim), 2);
    for (i = 0; i < 3; i++)
        check_letters(&ring, slots[i].position, (char)('a' + i), 8);
    ring_drop(&ring);
}

static void
pad_is_claimed_with_the_record_behind_it(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    struct ra_slot slot;

    /* 16 bytes to the lap's end; the record after the pad is not ready. */
    ring_new(&ring, SMALLEST, SMALLEST - 16);
    CHECK_EQ(ra_ring_reserve(&ring, 8, &slot), 0);
    CHECK_EQ(slot.position, SMALLEST);
    CHECK_EQ(slot.span, 32);
    CHECK_EQ(claim_all(&ring, &claim), 0);
    CHECK_EQ(claim.end, SMALLEST - 16);

    memset(ra_ring_payload(&ring, SMALLEST), 'a', 8);
    CHECK_EQ(ra_ring_commit(&ring, &slot, 8, 0, 1), 0);
    CHECK_EQ(claim_all(&ring, &claim), 1);
    CHECK_EQ(claim.start, SMALLEST - 16);
    CHECK_EQ(claim.end, SMALLEST + 32);
    release(&ring, claim.end);
    ring_drop(&ring);
}

static void
release_zeroes_exactly_what_is_given_back(void)
{
    static unsigned char before[RA_CAPACITY_MIN];
    struct ra_ring ring;
    struct ra_claim claim;
    uint64_t start = SMALLEST - 80, i;

    /* 'a' ends 32 bytes before the lap's end, 'b' needs a pad, 'c' follows:
       the give-back of the first two crosses the end. */
    ring_new(&ring, SMALLEST, start);
    CHECK_EQ(push_letters(&ring, 'a', 24), start);
    CHECK_EQ(push_letters(&ring, 'b', 40), SMALLEST);
    CHECK_EQ(push_letters(&ring, 'c', 40), SMALLEST + 64);
    CHECK_EQ(ra_ring_claim(&ring, 2, UINT64_MAX, 0, &claim), 2);
    memcpy(before, ring.region->data, SMALLEST);

    release(&ring, claim.end);
    for (i = 0; i < SMALLEST; i++) {
        unsigned char wanted =
            i >= SMALLEST - 80 || i < 64 ? 0 : before[i];

        CHECK_EQ(ring.region->data[i], wanted);
    }

    /* Of several claims, the oldest's end moves first; giving back nothing
       changes nothing. */
    CHECK_EQ(claim_all(&ring, &claim), 1);
    CHECK_EQ(push_letters(&ring, 'd', 8), SMALLEST + 128);
    release(&ring, claim.start);
    check_letters(&ring, SMALLEST + 64, 'c', 40);
    release(&ring, claim.end);
    check_letters(&ring, SMALLEST + 128, 'd', 8);
    ring_drop(&ring);
}

static void
claimed_records_are_not_claimed_again_one_lap_later(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    uint64_t i;

    /* Full to the last byte, all claimed, nothing given back: the cursor
       stands before its own records, and must not take them for new. */
    ring_new(&ring, SMALLEST, 0);
    for (i = 0; i < 64; i++)
        push_letters(&ring, 'a', 1000);
    CHECK_EQ(claim_all(&ring, &claim), 64);
    CHECK_EQ(claim_all(&ring, &claim), 0);
    CHECK_EQ(claim.start, SMALLEST);

    /* One given back, one pushed: that one and no more. */
    release(&ring, 1024);
    CHECK_EQ(push_letters(&ring, 'b', 1000), SMALLEST);
    CHECK_EQ(claim_all(&ring, &claim), 1);
    CHECK_EQ(claim.start, SMALLEST);
    CHECK_EQ(claim_all(&ring, &claim), 0);
    ring_drop(&ring);
}

/*
 * Two records, of which the second's header is overwritten: the first is
 * handed out, then the ring is called corrupt, and stays so.
 */
static void
wreck(uint64_t start, uint64_t word, uint32_t length)
{
    struct ra_ring ring;
    struct ra_claim claim;
    struct ra_record *record;
    uint64_t second = start + 32;

    ring_new(&ring, SMALLEST, start);
    push_letters(&ring, 'a', 8);
    push_letters(&ring, 'b', 8);
    record = record_of(&ring, second);
    store_relaxed(&record->word, word);
    record->length = length;

    CHECK_EQ(claim_all(&ring, &claim), 1);
    CHECK_EQ(claim.end, second);
    CHECK_EQ(claim_all(&ring, &claim), RA_CORRUPT);
    CHECK_EQ(claim.count, 0);
    CHECK_EQ(claim.end, second);
    CHECK_EQ(claim_all(&ring, &claim), RA_CORRUPT);
    ring_drop(&ring);
}

static void
header_of_another_is_corrupt(void)
{
    const uint64_t start = 7 * SMALLEST, second = start + 32;
    const uint64_t end = 8 * SMALLEST;

    /* Stamps: none, the neighbour's, the same place's one lap ago. */
    wreck(start, RA_READY, 8);
    wreck(start, ra_header_word(start, 0, RA_READY), 8);
    wreck(start, ra_header_word(second - SMALLEST, 0, RA_READY), 8);
    wreck(start, ra_header_word(second - SMALLEST, 0, RA_PAD), 8);
    wreck(start, ra_header_word(second - SMALLEST, 0, RA_WRITING), 8);

    /* States that there are not. */
    wreck(start, ra_header_word(second, 0, RA_FREE), 8);
    wreck(start, ra_header_word(second, 0, 5), 8);
    wreck(start, ra_header_word(second, 0, 255), 8);

    /* Bits that nobody sets; voids of nothing, and past the tail. */
    wreck(start, ra_header_word(second, 1, RA_PAD), 8);
    wreck(start, ra_header_word(second, 1, RA_WRITING), 8);
    wreck(start, ra_void_word(second, 32) | 1 << 8, 8);
    wreck(start, ra_void_word(second, 0), 8);
    wreck(start, ra_void_word(second, 40), 8);

    /* Lengths: past the tail by the least, past the lap's end, and such
       that the span is near 2^32. */
    wreck(start, ra_header_word(second, 0, RA_READY), 9);
    wreck(end - 64, ra_header_word(end - 32, 0, RA_READY), 9);
    wreck(start, ra_header_word(second, 0, RA_READY), UINT32_MAX);
}

static void
child_of_a_fork_in_the_consumer_is_harmless(void)
{
    struct ra_ring ring;
    struct ra_claim claim;

    /* The claim was made, the region wiped, and the code goes on. */
    ring_new(&ring, SMALLEST, 3 * SMALLEST);
    push_letters(&ring, 'a', 8);
    CHECK_EQ(claim_all(&ring, &claim), 1);
    memset(ring.region, 0, RA_HEADER_SIZE + SMALLEST);

    ra_ring_release(&ring, claim.end);
    CHECK_EQ(claim_all(&ring, &claim), 0);
    CHECK(is_zero((unsigned char *)ring.region, RA_HEADER_SIZE + SMALLEST));
    ring_drop(&ring);
}

int
main(void)
{
    alarm(20); /* A claim that does not end is a failure. */
    RUN(claim_stops_at_the_count);
    RUN(claim_stops_before_the_bytes);
    RUN(claim_waits_for_the_commit);
    RUN(commits_out_of_order_come_out_in_order);
    RUN(pad_is_claimed_with_the_record_behind_it);
    RUN(release_zeroes_exactly_what_is_given_back);
    RUN(claimed_records_are_not_claimed_again_one_lap_later);
    RUN(header_of_another_is_corrupt);
    RUN(child_of_a_fork_in_the_consumer_is_harmless);
    return 0;
}
