/* SPDX-License-Identifier: MIT */
/*
 * A body in one call: what is claimed, what of the ring is given back, and
 * what happens where there is too little room for it.
 */
#include "check.h"

#include "fill.h"

#define MOST 8u
#define EVENT "{\"event_type\":\"x\"}"

static unsigned char body[4096];
static uint32_t offsets[MOST + 1];
static uint64_t positions[MOST];
static struct ra_wrap wrap = {"[", 1, "]", 1, "lib/1", 5};
static struct ra_claim claim;

static int64_t
fill(struct ra_ring *ring, uint64_t max_bytes, int keeps, uint64_t size)
{
    const struct ra_room room = {body, size, offsets, positions};

    memset(body, 0xa5, sizeof(body));
    return ra_fill(ring, MOST, max_bytes, &wrap, keeps, &room, &claim);
}

static void
push_lacking_all(struct ra_ring *ring, unsigned count)
{
    while (count-- > 0)
        CHECK(ra_ring_push(ring, EVENT, strlen(EVENT), 7, UINT64_MAX) >= 0);
}

static void
push_some(struct ra_ring *ring, unsigned count)
{
    while (count-- > 0)
        CHECK(ra_ring_push(ring, EVENT, strlen(EVENT), 0, 0) >= 0);
}

static void
body_is_that_of_the_claim(void)
{
    static const char wanted[] = "[" EVENT "," EVENT "]";
    struct ra_ring ring;

    ring_new(&ring, SMALLEST, 0);
    CHECK_EQ(fill(&ring, 4096, 1, sizeof(body)), 0);
    CHECK_EQ(claim.count, 0);
    push_some(&ring, 2);
    CHECK_EQ(fill(&ring, 4096, 1, sizeof(body)), sizeof(wanted) - 1);
    CHECK(memcmp(body, wanted, sizeof(wanted) - 1) == 0);
    CHECK_EQ(claim.count, 2);
    CHECK_EQ(positions[0], claim.start);
    CHECK_EQ(offsets[2], sizeof(wanted) - 1);
    CHECK_EQ(fill(&ring, 4096, 1, sizeof(body)), 0);
    ring_drop(&ring);
}

static void
room_is_kept_or_given_back_as_asked(void)
{
    struct ra_ring ring;
    uint64_t before;

    ring_new(&ring, SMALLEST, 0);
    push_some(&ring, 1);
    before = ra_ring_free(&ring);
    CHECK(fill(&ring, 4096, 1, sizeof(body)) > 0);
    CHECK_EQ(ra_ring_free(&ring), before);
    push_some(&ring, 1);
    CHECK(fill(&ring, 4096, 0, sizeof(body)) > 0);
    CHECK_EQ(ra_ring_free(&ring), claim.end);
    CHECK_EQ(ra_ring_free(&ring), ra_ring_tail(&ring));
    ring_drop(&ring);
}

static void
too_little_room_claims_nothing(void)
{
    struct ra_ring ring;
    uint64_t size;
    int64_t needed;

    ring_new(&ring, SMALLEST, 0);
    push_some(&ring, MOST);
    needed = fill(&ring, 4096, 0, 0);
    CHECK(needed > 0 && (uint64_t)needed <= sizeof(body));
    for (size = 0; size < (uint64_t)needed; size++) {
        CHECK_EQ(fill(&ring, 4096, 0, size), needed);
        CHECK_EQ(body[0], 0xa5);
        CHECK_EQ(ra_ring_free(&ring), 0);
    }
    CHECK(fill(&ring, 4096, 0, (uint64_t)needed) <= needed);
    CHECK_EQ(claim.count, MOST);
    CHECK_EQ(claim.start, 0);
    CHECK_EQ(body[needed], 0xa5);
    ring_drop(&ring);
}

static void
limits_are_those_of_the_body(void)
{
    const struct ra_wrap usual = wrap;
    static const char around[300];
    struct ra_ring ring;
    uint64_t max_bytes;

    /* One record goes however small the limit is, or nothing ever would. */
    wrap.head = wrap.tail = around;
    wrap.head_length = wrap.tail_length = sizeof(around);
    for (max_bytes = 0; max_bytes < 2200; max_bytes++) {
        int64_t length;

        ring_new(&ring, SMALLEST, 0);
        push_lacking_all(&ring, MOST + 1);
        length = fill(&ring, max_bytes, 0, sizeof(body));
        CHECK(length > 0 && claim.count >= 1 && claim.count <= MOST);
        CHECK(claim.count == 1 || (uint64_t)length <= max_bytes);
        ring_drop(&ring);
    }
    CHECK_EQ(claim.count, MOST);
    wrap = usual;
}

static void
damage_is_told(void)
{
    struct ra_ring ring;

    ring_new(&ring, SMALLEST, 0);
    push_some(&ring, 1);
    memset(ring.region->data, 0xff, 8);
    CHECK_EQ(fill(&ring, 4096, 0, sizeof(body)), RA_CORRUPT);
    CHECK_EQ(claim.count, 0);
    ring_drop(&ring);
}

int
main(void)
{
    RUN(body_is_that_of_the_claim);
    RUN(room_is_kept_or_given_back_as_asked);
    RUN(too_little_room_claims_nothing);
    RUN(limits_are_those_of_the_body);
    RUN(damage_is_told);
    return 0;
}
