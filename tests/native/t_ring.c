/* SPDX-License-Identifier: MIT */
/*
 * The producer's side: room, full, pads. One thread, so every situation is
 * exactly the one that its comment tells.
 */
#include "check.h"

#include "crc32c.h"

static void
format_and_attach_refuse(void)
{
    struct ra_region *region = region_new(SMALLEST);
    struct ra_ring ring;

    /* No power of two, too small, too large, a start between records. */
    CHECK_EQ(ra_ring_format(region, SMALLEST + 8, ring_id, 0), -1);
    CHECK_EQ(ra_ring_format(region, SMALLEST / 2, ring_id, 0), -1);
    CHECK_EQ(ra_ring_format(region, RA_CAPACITY_MAX * 2, ring_id, 0), -1);
    CHECK_EQ(ra_ring_format(region, SMALLEST, ring_id, 4), -1);

    /* None of these has left a ring behind. */
    CHECK_EQ(ra_ring_attach(&ring, region), -1);

    CHECK_EQ(ra_ring_format(region, SMALLEST, ring_id, 0), 0);
    CHECK_EQ(ra_ring_attach(&ring, region), 0);
    CHECK_EQ(ring.capacity, SMALLEST);
    CHECK_EQ(ring.max_payload, SMALLEST / 2 - 24);

    region->version += 1;
    CHECK_EQ(ra_ring_attach(&ring, region), -1);
    region->version -= 1;
    region->header_len += 1;
    CHECK_EQ(ra_ring_attach(&ring, region), -1);
    region->header_len -= 1;
    region->magic += 1;
    CHECK_EQ(ra_ring_attach(&ring, region), -1);
    region->magic -= 1;

    /* A consumer died between moving `head` and moving `free`. */
    store_relaxed(&region->tail, 64);
    store_relaxed(&region->head, 32);
    CHECK_EQ(ra_ring_attach(&ring, region), 0);
    CHECK_EQ(ring.claim, 32);

    /* Somebody has written over the file. */
    store_relaxed(&region->head, 39);
    CHECK_EQ(ra_ring_attach(&ring, region), 0);
    CHECK_EQ(ring.claim, 32);
    ring_drop(&ring);
}

static void
checksum_is_as_the_format_says(void)
{
    unsigned char bytes[16 + 7] = {
        [0] = RA_LACKS_TIME, [4] = 7, [8] = 0xd2, [9] = 0x04, /* 1234 */
    };
    struct ra_ring ring;

    ring_new(&ring, SMALLEST, 0);
    CHECK_EQ(ra_ring_push(&ring, "{\"a\":1}", 7, RA_LACKS_TIME, 1234), 0);
    CHECK_EQ(record_of(&ring, 0)->crc, 0);

    ring.region->flags = RA_CHECKED;
    CHECK_EQ(ra_ring_attach(&ring, ring.region), 0);
    CHECK_EQ(ra_ring_push(&ring, "{\"a\":1}", 7, RA_LACKS_TIME, 1234), 32);
    memcpy(bytes + 16, "{\"a\":1}", 7);
    CHECK_EQ(record_of(&ring, 32)->crc, ra_crc32c(0, bytes, sizeof(bytes)));
    ring_drop(&ring);
}

static void
record_comes_out_as_it_went_in(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    const struct ra_record *record;

    ring_new(&ring, SMALLEST, 0);
    CHECK_EQ(ra_ring_push(&ring, "{\"a\":1}", 7, RA_LACKS_TIME, 1234), 0);
    CHECK_EQ(ra_ring_tail(&ring), 32); /* 24 + 7, rounded up to 8 */
    CHECK_EQ(ra_ring_pushed(&ring), 1);

    CHECK_EQ(claim_all(&ring, &claim), 1);
    CHECK_EQ(claim.start, 0);
    CHECK_EQ(claim.end, 32);
    CHECK_EQ(claim.bytes, 7);
    record = record_of(&ring, 0);
    CHECK_EQ(record->length, 7);
    CHECK_EQ(record->time_ms, 1234);
    CHECK_EQ(ra_flags(word_of(&ring, 0)), RA_LACKS_TIME);
    CHECK(memcmp(record->payload, "{\"a\":1}", 7) == 0);

    release(&ring, claim.end);
    CHECK_EQ(ra_ring_free(&ring), 32);
    ring_drop(&ring);
}

static void
full_consumes_nothing(void)
{
    static unsigned char before[RA_HEADER_SIZE + RA_CAPACITY_MIN];
    struct ra_ring ring;
    struct ra_claim claim;
    uint64_t i;

    /* 64 records of 24 + 1000 bytes fit exactly: the last byte is used. */
    ring_new(&ring, SMALLEST, 0);
    for (i = 0; i < 64; i++)
        CHECK_EQ(push_letters(&ring, 'a', 1000), i * 1024);
    CHECK_EQ(ra_ring_tail(&ring), SMALLEST);

    /* Not even an empty record fits now, however often one asks, and
       nothing changes but the count of the refused. */
    memcpy(before, ring.region, sizeof(before));
    for (i = 0; i < 100; i++) {
        CHECK_EQ(push_letters(&ring, 'b', 0), RA_FULL);
        CHECK_EQ(push_letters(&ring, 'b', 20000), RA_FULL);
    }
    CHECK_EQ(ra_ring_refused(&ring), 200);
    store_relaxed(&ring.region->refused, 0);
    CHECK(memcmp(before, ring.region, sizeof(before)) == 0);

    /* The room of one record given back: a record of one byte more than
       that does not fit, one of that size does. */
    CHECK_EQ(ra_ring_claim(&ring, 1, 0, 0, &claim), 1);
    release(&ring, claim.end);
    CHECK_EQ(push_letters(&ring, 'c', 1001), RA_FULL);
    CHECK_EQ(push_letters(&ring, 'c', 1000), SMALLEST);
    CHECK_EQ(push_letters(&ring, 'c', 0), RA_FULL);

    /* All 64 come out, and the newest is the last. */
    CHECK_EQ(claim_all(&ring, &claim), 64);
    check_letters(&ring, SMALLEST, 'c', 1000);
    release(&ring, claim.end);
    ring_drop(&ring);
}

static void
too_big_is_not_full(void)
{
    struct ra_ring ring;

    ring_new(&ring, SMALLEST, 0);
    CHECK_EQ(push_letters(&ring, 'a', ring.max_payload + 1), RA_TOO_BIG);
    CHECK_EQ(push_letters(&ring, 'a', ring.max_payload), 0);

    /* Too big is said of a full ring as well, and not counted as refused. */
    CHECK_EQ(push_letters(&ring, 'a', ring.max_payload), SMALLEST / 2);
    CHECK_EQ(push_letters(&ring, 'a', ring.max_payload + 1), RA_TOO_BIG);
    CHECK_EQ(ra_ring_refused(&ring), 0);
    ring_drop(&ring);
}

/*
 * A ring whose tail stands `gap` bytes before the end of a lap, and a record
 * that does not fit into them.
 */
static void
pad_of(uint64_t gap)
{
    const uint64_t lap = 5 * SMALLEST;
    struct ra_ring ring;
    struct ra_claim claim;

    ring_new(&ring, SMALLEST, lap - gap);
    CHECK_EQ(push_letters(&ring, 'a', gap), lap);
    CHECK_EQ(word_of(&ring, lap - gap),
             ra_header_word(lap - gap, 0, RA_PAD));
    CHECK(is_zero(ring.region->data + SMALLEST - gap + 8, gap - 8));
    CHECK_EQ(ra_ring_tail(&ring), lap + ra_span(gap));

    /* The claim begins at the pad, and counts one record. */
    CHECK_EQ(claim_all(&ring, &claim), 1);
    CHECK_EQ(claim.start, lap - gap);
    CHECK_EQ(claim.end, lap + ra_span(gap));
    CHECK_EQ(claim.bytes, gap);
    CHECK_EQ(ra_ring_next(&ring, claim.start), lap);
    CHECK_EQ(ra_ring_next(&ring, lap), lap);
    check_letters(&ring, lap, 'a', gap);

    /* The release zeroes the pad's word as well (check_ring). */
    release(&ring, claim.end);
    ring_drop(&ring);
}

static void
pads_of_every_small_size(void)
{
    uint64_t gap;

    for (gap = 8; gap <= 256; gap += 8)
        pad_of(gap);
}

static void
record_that_ends_with_the_lap_needs_no_pad(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    uint64_t length;

    /* From the empty record (24 bytes of header) on. */
    for (length = 0; length <= 64; length += 8) {
        uint64_t start = SMALLEST - 24 - length;

        ring_new(&ring, SMALLEST, start);
        CHECK_EQ(push_letters(&ring, 'a', length), start);
        CHECK_EQ(push_letters(&ring, 'b', 3), SMALLEST);
        CHECK_EQ(claim_all(&ring, &claim), 2);
        check_letters(&ring, start, 'a', length);
        check_letters(&ring, SMALLEST, 'b', 3);
        release(&ring, claim.end);
        ring_drop(&ring);
    }
}

static void
largest_record_fits_into_an_empty_ring(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    uint64_t start;

    /* Wherever the tail stands: with the longest pad it takes a lap less
       8 bytes. */
    for (start = 0; start < SMALLEST; start += 8) {
        int64_t at;

        ring_new(&ring, SMALLEST, start);
        at = push_letters(&ring, 'a', ring.max_payload);
        CHECK_EQ(at, start <= SMALLEST / 2 ? start : SMALLEST);
        CHECK_EQ(claim_all(&ring, &claim), 1);
        CHECK_EQ(claim.bytes, ring.max_payload);
        release(&ring, claim.end);
        ring_drop(&ring);
    }
}

static void
pad_and_record_are_reserved_together_or_not_at_all(void)
{
    struct ra_ring ring;
    struct ra_claim claim;

    /* 1024 bytes to the lap's end, and 1024 free after it: a record of
       1024 goes to the end; one of 1032 needs pad + 1032 and is refused. */
    ring_new(&ring, SMALLEST, 0);
    CHECK_EQ(push_letters(&ring, 'a', 1000), 0);
    while (ra_ring_tail(&ring) < SMALLEST - 1024)
        CHECK(push_letters(&ring, 'b', 1000) > 0);
    CHECK_EQ(ra_ring_claim(&ring, 1, 0, 0, &claim), 1);
    release(&ring, claim.end);

    CHECK_EQ(push_letters(&ring, 'c', 1001), RA_FULL);
    CHECK_EQ(ra_ring_tail(&ring), SMALLEST - 1024);
    CHECK_EQ(word_of(&ring, SMALLEST - 1024), 0);
    CHECK_EQ(push_letters(&ring, 'c', 1000), SMALLEST - 1024);
    CHECK_EQ(push_letters(&ring, 'd', 1000), SMALLEST);
    CHECK_EQ(push_letters(&ring, 'e', 0), RA_FULL);
    ring_drop(&ring);
}

static void
tail_that_somebody_wrote_over_takes_no_record(void)
{
    static const uint64_t tails[] = {1, 4, SMALLEST - 1, SMALLEST - 4,
                                     UINT64_MAX, UINT64_MAX - 3};
    struct ra_ring ring;
    size_t i;

    ring_new(&ring, SMALLEST, 0);
    for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        store_relaxed(&ring.region->tail, tails[i]);
        store_relaxed(&ring.region->free, tails[i]);
        CHECK_EQ(ra_ring_push(&ring, "{\"a\":1}", 7, 0, 1), RA_FULL);
        CHECK_EQ(load_relaxed(&ring.region->tail), tails[i]);
    }
    ring_drop(&ring);
}

int
main(void)
{
    RUN(format_and_attach_refuse);
    RUN(checksum_is_as_the_format_says);
    RUN(record_comes_out_as_it_went_in);
    RUN(full_consumes_nothing);
    RUN(too_big_is_not_full);
    RUN(pads_of_every_small_size);
    RUN(record_that_ends_with_the_lap_needs_no_pad);
    RUN(largest_record_fits_into_an_empty_ring);
    RUN(pad_and_record_are_reserved_together_or_not_at_all);
    RUN(tail_that_somebody_wrote_over_takes_no_record);
    return 0;
}
