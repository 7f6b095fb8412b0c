/* SPDX-License-Identifier: MIT */
/*
 * The body: compared byte for byte with what a reader would write by hand.
 */
#include "check.h"

#include "splice.h"

#define LIBRARY "ringamp/0.1.0"
#define LIBRARY_LENGTH (sizeof(LIBRARY) - 1)
#define MOST 64u

/* Ring id 00010203445566778899aabbccddeeff in base32 (extended hex). */
#define RING_TEXT "000g40q4alj7f24platspnfevs"

static unsigned char body[RA_CAPACITY_MIN * 2];
static uint32_t offsets[MOST + 1];
static uint64_t positions[MOST];

static const struct ra_wrap wrap = {"[", 1, "]", 1, LIBRARY, LIBRARY_LENGTH};
static const struct ra_room room = {body, sizeof(body), offsets, positions};

static void
push_text(struct ra_ring *ring, const char *text, unsigned flags,
          uint64_t time_ms)
{
    CHECK(ra_ring_push(ring, text, strlen(text), flags, time_ms) >= 0);
}

/*
 * Splice all that is there with head "[" and tail "]"; what was written
 * behind the bound or behind the end is a failure.
 */
static uint64_t
splice_all(struct ra_ring *ring, struct ra_claim *claim)
{
    uint64_t bound, length;

    CHECK(claim_all(ring, claim) >= 0);
    CHECK(claim->count <= MOST);
    bound = ra_splice_bound(claim, &wrap);
    CHECK(bound <= sizeof(body));
    memset(body, 0xa5, sizeof(body));
    memset(offsets, 0xa5, sizeof(offsets));
    length = ra_splice(ring, claim, &wrap, &room);
    CHECK(length <= bound);
    CHECK_EQ(body[length], 0xa5);
    CHECK_EQ(body[sizeof(body) - 1], 0xa5);
    return length;
}

static void
check_body(uint64_t length, const char *wanted)
{
    if (length == strlen(wanted) && memcmp(body, wanted, length) == 0)
        return;
    fprintf(stderr, "seen   %.*s\nwanted %s\n", (int)length,
            (const char *)body, wanted);
    CHECK(0 && "the body differs");
}

static void
flags_say_what_is_added(void)
{
#define TIME "\"time\":1700000000123,"
#define INSERT "\"insert_id\":\"" RING_TEXT "-0000000000000\","
#define LIB "\"library\":\"" LIBRARY "\","
    static const char *const wanted[8] = {
        "[{\"a\":1}]",
        "[{" TIME "\"a\":1}]",
        "[{" INSERT "\"a\":1}]",
        "[{" TIME INSERT "\"a\":1}]",
        "[{" LIB "\"a\":1}]",
        "[{" TIME LIB "\"a\":1}]",
        "[{" INSERT LIB "\"a\":1}]",
        "[{" TIME INSERT LIB "\"a\":1}]",
    };
    struct ra_ring ring;
    struct ra_claim claim;
    unsigned flags;

    CHECK_EQ(RA_LACKS_TIME, 1);
    CHECK_EQ(RA_LACKS_INSERT_ID, 2);
    CHECK_EQ(RA_LACKS_LIBRARY, 4);
    for (flags = 0; flags < 8; flags++) {
        ring_new(&ring, SMALLEST, 0);
        push_text(&ring, "{\"a\":1}", flags, UINT64_C(1700000000123));
        check_body(splice_all(&ring, &claim), wanted[flags]);
        ring_drop(&ring);
    }
}

static void
neighbours_get_what_each_of_them_lacks(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    char wanted[4096], id[RA_RING_TEXT + 1 + RA_POSITION_TEXT + 1] = "";
    uint64_t length;
    int i, at = 0;

    /* Twice each, in two milliseconds, over a carry of the positions. */
    ring_new(&ring, SMALLEST, 32 * SMALLEST - 256);
    for (i = 0; i < 32; i++)
        push_text(&ring, "{\"a\":1}", (unsigned)i / 2 % 8,
                  (uint64_t)(i / 16 + 7));
    length = splice_all(&ring, &claim);
    CHECK_EQ(claim.count, 32);

    for (i = 0; i < 32; i++) {
        unsigned lacks = (unsigned)i / 2 % 8;

        at += sprintf(wanted + at, "%c{", i == 0 ? '[' : ',');
        if (lacks & RA_LACKS_TIME)
            at += sprintf(wanted + at, "\"time\":%d,", i / 16 + 7);
        ra_insert_id(&ring, positions[i], id);
        if (lacks & RA_LACKS_INSERT_ID)
            at += sprintf(wanted + at, "\"insert_id\":\"%s\",", id);
        if (lacks & RA_LACKS_LIBRARY)
            at += sprintf(wanted + at, "\"library\":\"" LIBRARY "\",");
        at += sprintf(wanted + at, "\"a\":1}");
    }
    sprintf(wanted + at, "]");
    check_body(length, wanted);
    ring_drop(&ring);
}

static void
events_are_joined_and_found_again(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    uint64_t length;

    /* The second lies behind a pad of 8: the claim crosses the lap's end. */
    ring_new(&ring, SMALLEST, SMALLEST - 40);
    push_text(&ring, "{\"a\":1}", RA_LACKS_TIME, 5);
    push_text(&ring, "{\"b\":22}", 0, 6);
    push_text(&ring, "{\"c\":333,\"d\":\"}{,\"}", RA_LACKS_TIME, 0);
    length = splice_all(&ring, &claim);
    check_body(length, "[{\"time\":5,\"a\":1},{\"b\":22},"
                       "{\"time\":0,\"c\":333,\"d\":\"}{,\"}]");

    CHECK_EQ(claim.count, 3);
    CHECK_EQ(positions[0], SMALLEST - 40);
    CHECK_EQ(positions[1], SMALLEST);
    CHECK_EQ(positions[2], SMALLEST + 32);

    /* Event i is body[offsets[i] : offsets[i + 1] - 1]. */
    CHECK_EQ(offsets[0], 1);
    CHECK_EQ(offsets[1], offsets[0] + strlen("{\"time\":5,\"a\":1}") + 1);
    CHECK_EQ(offsets[2], offsets[1] + strlen("{\"b\":22}") + 1);
    CHECK_EQ(body[offsets[1] - 1], ',');
    CHECK_EQ(body[offsets[2] - 1], ',');
    CHECK_EQ(body[offsets[3] - 1], ']');
    CHECK_EQ(offsets[3], length);
    ring_drop(&ring);
}

static void
each_event_has_an_insert_id_of_its_own(void)
{
    struct ra_ring ring;
    struct ra_claim claim;

    ring_new(&ring, SMALLEST, SMALLEST - 32);
    push_text(&ring, "{\"a\":1}", RA_LACKS_INSERT_ID, 0);
    push_text(&ring, "{\"a\":1}", RA_LACKS_INSERT_ID, 0);
    push_text(&ring, "{\"a\":1}", RA_LACKS_INSERT_ID, 0);
    check_body(splice_all(&ring, &claim),
               "[{\"insert_id\":\"" RING_TEXT "-0000000001vv0\",\"a\":1},"
               "{\"insert_id\":\"" RING_TEXT "-0000000002000\",\"a\":1},"
               "{\"insert_id\":\"" RING_TEXT "-0000000002010\",\"a\":1}]");
    ring_drop(&ring);
}

static void
nothing_claimed_is_an_empty_list(void)
{
    struct ra_ring ring;
    struct ra_claim claim;

    ring_new(&ring, SMALLEST, 0);
    check_body(splice_all(&ring, &claim), "[]");
    CHECK_EQ(offsets[0], 2);
    ring_drop(&ring);
}

static void
bound_holds_for_the_longest_values(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    unsigned i;

    /* A time of 20 digits is later than any clock. */
    ring_new(&ring, SMALLEST, (UINT64_C(1) << 63) - 8 * SMALLEST);
    for (i = 0; i < MOST; i++)
        push_text(&ring, "{\"\":0}", 7, UINT64_MAX);
    CHECK(splice_all(&ring, &claim) > MOST * (20 + 40 + LIBRARY_LENGTH));
    CHECK_EQ(claim.count, MOST);
    ring_drop(&ring);
}

static void
overhead_of_a_claim_bounds_the_body(void)
{
    const struct ra_wrap bare = {"", 0, "", 0, LIBRARY, LIBRARY_LENGTH};
    const uint64_t overhead = RA_ADDED_MAX + LIBRARY_LENGTH;
    struct ra_ring ring;
    struct ra_claim claim;
    unsigned i;

    /* Whatever the limit, the claimed records' spliced form keeps to it. */
    ring_new(&ring, SMALLEST, 0);
    for (i = 0; i < MOST; i++)
        push_text(&ring, "{\"event_type\":\"x\"}", i % 8, UINT64_MAX);
    while (ra_ring_claim(&ring, MOST, 1000, overhead, &claim) > 0) {
        CHECK(ra_splice_bound(&claim, &bare) <= 1000);
        CHECK(ra_splice(&ring, &claim, &bare, &room) <= 1000);
        release(&ring, claim.end);
    }
    CHECK_EQ(ra_ring_free(&ring), ra_ring_tail(&ring));
    ring_drop(&ring);
}

static void
check_insert_id(uint64_t position, const char *wanted)
{
    struct ra_ring ring;
    char text[RA_RING_TEXT + 1 + RA_POSITION_TEXT + 1];

    ring_new(&ring, SMALLEST, 0);
    memset(text, '!', sizeof(text));
    ra_insert_id(&ring, position, text);
    CHECK_EQ(text[sizeof(text) - 1], '!');
    CHECK_EQ(strlen(wanted), sizeof(text) - 1);
    CHECK(memcmp(text, wanted, sizeof(text) - 1) == 0);
    ring_drop(&ring);
}

static void
insert_ids_are_the_golden_ones(void)
{
    /* Base32 (extended hex, lower case) made by another program. */
    check_insert_id(0, RING_TEXT "-0000000000000");
    check_insert_id(8, RING_TEXT "-0000000000008");
    check_insert_id(32, RING_TEXT "-0000000000010");
    check_insert_id(UINT64_C(1) << 35, RING_TEXT "-0000010000000");
    check_insert_id(UINT64_C(0x0123456789abcdef), RING_TEXT "-028q5cu4qnjff");
    check_insert_id(UINT64_MAX - 7, RING_TEXT "-fvvvvvvvvvvvo");
}

static void
insert_ids_sort_as_positions_do(void)
{
    struct ra_ring ring;
    char before[RA_RING_TEXT + 1 + RA_POSITION_TEXT];
    char text[RA_RING_TEXT + 1 + RA_POSITION_TEXT];
    uint64_t position;

    /* Strictly, so no two are equal. */
    ring_new(&ring, SMALLEST, 0);
    ra_insert_id(&ring, 0, before);
    for (position = 8; position < 2 * SMALLEST; position += 8) {
        ra_insert_id(&ring, position, text);
        CHECK(memcmp(before, text, sizeof(text)) < 0);
        memcpy(before, text, sizeof(text));
    }

    /* Another ring's differ at the same position: by one bit of its id. */
    ring.region->ring_id[RA_RING_ID_SIZE - 1] ^= 1;
    ra_insert_id(&ring, position - 8, text);
    CHECK(memcmp(before, text, sizeof(text)) != 0);
    ring_drop(&ring);
}

int
main(void)
{
    RUN(flags_say_what_is_added);
    RUN(neighbours_get_what_each_of_them_lacks);
    RUN(events_are_joined_and_found_again);
    RUN(each_event_has_an_insert_id_of_its_own);
    RUN(nothing_claimed_is_an_empty_list);
    RUN(bound_holds_for_the_longest_values);
    RUN(overhead_of_a_claim_bounds_the_body);
    RUN(insert_ids_are_the_golden_ones);
    RUN(insert_ids_sort_as_positions_do);
    return 0;
}
