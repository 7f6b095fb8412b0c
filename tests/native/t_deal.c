/* SPDX-License-Identifier: MIT */
/*
 * A claim dealt out: every record on the track of its bucket, in order, up to
 * the limits, and the rest claimed again later.
 */
#include "check.h"

#include "splice.h"

#define MOST 64u
#define OVERHEAD 10u

static uint64_t positions[RA_BUCKETS * MOST];
static struct ra_share shares[RA_BUCKETS];
static unsigned char body[SMALLEST * 2];
static uint32_t offsets[MOST + 1];

static const struct ra_wrap wrap = {"[", 1, "]", 1, "", 0};
static const struct ra_room room = {body, sizeof(body), offsets, NULL};

static uint64_t
push(struct ra_ring *ring, unsigned bucket, const char *text)
{
    int64_t answer = ra_ring_push(ring, text, strlen(text),
                                  bucket << RA_BUCKET_SHIFT, 0);

    CHECK(answer >= 0);
    return (uint64_t)answer & ~UINT64_C(7);
}

static uint64_t
deal(struct ra_ring *ring, struct ra_claim *claim, uint64_t tracks,
     uint64_t max_count, uint64_t max_bytes)
{
    CHECK(max_count <= MOST);
    CHECK(ra_ring_claim(ring, tracks * max_count, tracks * max_bytes, OVERHEAD,
                        claim) >= 0);
    memset(positions, 0xa5, sizeof(positions));
    memset(shares, 0xa5, sizeof(shares));
    return ra_deal(ring, claim, tracks, max_count, max_bytes, OVERHEAD,
                   positions, shares);
}

static void
each_bucket_has_its_track(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    uint64_t tracks, where[2 * RA_BUCKETS];
    unsigned bucket, i;

    for (tracks = 1; tracks <= RA_BUCKETS; tracks++) {
        uint64_t seen = 0, bytes = 0, track;

        ring_new(&ring, SMALLEST, 0);
        for (i = 0; i < 2 * RA_BUCKETS; i++)
            where[i] = push(&ring, i % RA_BUCKETS, "{\"a\":1}");
        CHECK_EQ(deal(&ring, &claim, tracks, MOST, 1000000), 2 * RA_BUCKETS);
        for (bucket = 0; bucket < RA_BUCKETS; bucket++)
            for (i = bucket; i < 2 * RA_BUCKETS; i += RA_BUCKETS) {
                const uint64_t *of = positions + bucket % tracks * MOST;
                uint64_t at = 0;

                while (at < shares[bucket % tracks].count && of[at] != where[i])
                    at++;
                CHECK(at < shares[bucket % tracks].count);
                CHECK(at == 0 || of[at - 1] < of[at]);
            }
        for (track = 0; track < tracks; track++) {
            seen += shares[track].count;
            bytes += shares[track].bytes;
        }
        CHECK_EQ(seen, 2 * RA_BUCKETS);
        CHECK_EQ(bytes, claim.bytes);
        CHECK_EQ(claim.end, ring.claim);
        ring_drop(&ring);
    }
}

static void
a_full_share_ends_the_deal_and_the_rest_comes_next(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    uint64_t third;

    /* Three of track 1, limit two: the third is not taken, nor what is behind
       it, though track 0 has room. */
    ring_new(&ring, SMALLEST, 0);
    push(&ring, 1, "{\"a\":1}");
    push(&ring, 1, "{\"a\":2}");
    third = push(&ring, 1, "{\"a\":3}");
    push(&ring, 0, "{\"a\":4}");
    CHECK_EQ(deal(&ring, &claim, 2, 2, 1000), 2);
    CHECK_EQ(claim.count, 2);
    CHECK_EQ(claim.bytes, 14);
    CHECK_EQ(claim.end, third);
    CHECK_EQ(ring.claim, third);
    CHECK_EQ(shares[0].count, 0);
    CHECK_EQ(shares[1].count, 2);

    CHECK_EQ(deal(&ring, &claim, 2, 2, 1000), 2);
    CHECK_EQ(claim.start, third);
    /* The places of track 1 begin behind the two of track 0. */
    CHECK_EQ(positions[2], third);
    CHECK_EQ(shares[0].count, 1);
    CHECK_EQ(shares[1].count, 1);
    ring_drop(&ring);
}

static void
bytes_are_a_limit_of_each_share(void)
{
    struct ra_ring ring;
    struct ra_claim claim;

    /* 7 bytes and 10 more each: two fit into 34, not into 33. */
    ring_new(&ring, SMALLEST, 0);
    push(&ring, 3, "{\"a\":1}");
    push(&ring, 2, "{\"a\":2}");
    push(&ring, 3, "{\"a\":3}");
    push(&ring, 2, "{\"a\":4}");
    CHECK_EQ(deal(&ring, &claim, 2, MOST, 34), 4);
    ring_drop(&ring);

    ring_new(&ring, SMALLEST, 0);
    push(&ring, 3, "{\"a\":1}");
    push(&ring, 2, "{\"a\":2}");
    push(&ring, 3, "{\"a\":3}");
    CHECK_EQ(deal(&ring, &claim, 2, MOST, 33), 2);
    CHECK_EQ(shares[0].count, 1);
    CHECK_EQ(shares[1].count, 1);

    /* The first of a share goes whatever its size. */
    CHECK_EQ(deal(&ring, &claim, 2, MOST, 5), 1);
    ring_drop(&ring);
}

static void
shares_are_spliced_over_pads_and_laps(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    char text[600];
    uint64_t round, total = 0;

    /* Odd sizes, many laps: what arrives is what was pushed, by track. */
    ring_new(&ring, SMALLEST, 0);
    for (round = 0; round < 2000; round++) {
        uint64_t track, dealt = 0;
        unsigned i, count = 1 + (unsigned)(round * 7 % 20);

        for (i = 0; i < count; i++) {
            int length = snprintf(text, sizeof(text), "{\"a\":\"%u:%0*u\"}",
                                  i % 5, 1 + (int)((round + i) * 37 % 500), i);

            CHECK(length < (int)sizeof(text));
            push(&ring, i % 5, text);
        }
        CHECK_EQ(deal(&ring, &claim, 5, MOST, 1000000), count);
        for (track = 0; track < 5; track++) {
            uint64_t length, at;

            length = ra_splice_share(&ring, &shares[track],
                                     positions + track * MOST, &wrap, &room);
            CHECK(length > 0);
            CHECK_EQ(body[length - 1], ']');
            for (at = 0; at < shares[track].count; at++) {
                unsigned bucket, number;

                CHECK(sscanf((const char *)body + offsets[at],
                             "{\"a\":\"%u:%u\"}", &bucket, &number) == 2);
                CHECK_EQ(bucket, track);
                CHECK_EQ(number, track + 5 * at);
            }
            dealt += shares[track].count;
        }
        CHECK_EQ(dealt, count);
        total += dealt;
        ra_ring_release(&ring, claim.end);
        check_ring(&ring);
    }
    CHECK(total > 10000);
    ring_drop(&ring);
}

static void
what_was_written_over_is_not_dealt(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    uint64_t second;
    struct ra_record *record;

    ring_new(&ring, SMALLEST, 0);
    push(&ring, 0, "{\"a\":1}");
    second = push(&ring, 0, "{\"a\":2}");
    CHECK_EQ(ra_ring_claim(&ring, MOST, 10000, OVERHEAD, &claim), 2);
    record = (struct ra_record *)(void *)(ring.region->data + second);
    record->length = 100; /* It would fit into the lap. */
    CHECK_EQ(ra_deal(&ring, &claim, 2, MOST, 10000, OVERHEAD, positions,
                     shares),
             1);
    CHECK_EQ(ring.claim, second);
    ring_drop(&ring);
}

int
main(void)
{
    RUN(each_bucket_has_its_track);
    RUN(a_full_share_ends_the_deal_and_the_rest_comes_next);
    RUN(bytes_are_a_limit_of_each_share);
    RUN(shares_are_spliced_over_pads_and_laps);
    RUN(what_was_written_over_is_not_dealt);
    return 0;
}
