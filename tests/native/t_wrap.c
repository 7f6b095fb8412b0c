/* SPDX-License-Identifier: MIT */
/*
 * Years of pushing: random records against a model, from starts near every
 * limit of positions and stamps. One thread, seeded.
 *
 * Arguments: laps from each start (default 2000), seed.
 */
#include "check.h"

#define MODEL 4096u /* records; a ring of 64 KiB holds 2730 at most */

struct entry {
    uint64_t position;
    uint64_t length;
    char letter;
};

/* What the ring must hold: a queue of entries between two counts. */
static struct entry model[MODEL];
static uint64_t first, next_claimed, last;

static uint64_t random_state;

/* xorshift64*: the same numbers everywhere. */
static uint64_t
random_below(uint64_t bound)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * UINT64_C(2685821657736338717) >> 16) % bound;
}

static uint64_t
random_length(const struct ra_ring *ring)
{
    switch (random_below(8)) {
    case 0:
        return random_below(ring->max_payload + 1);
    case 1:
        return ring->max_payload - random_below(16);
    case 2:
        return random_below(4096);
    default:
        return random_below(64);
    }
}

/*
 * Where a record of this length would go, by the region's description; or
 * the end of the road if there is no room.
 */
static int
model_place(const struct ra_ring *ring, uint64_t length, uint64_t *position)
{
    uint64_t tail = ra_ring_tail(ring);
    uint64_t to_end = ring->capacity - tail % ring->capacity;
    uint64_t span = (24 + length + 7) / 8 * 8;

    *position = span > to_end ? tail + to_end : tail;
    return *position + span - ra_ring_free(ring) <= ring->capacity;
}

static void
push_one(struct ra_ring *ring)
{
    uint64_t length = random_length(ring), position;
    char letter = (char)('a' + last % 26);
    int fits = model_place(ring, length, &position);
    uint64_t tail = ra_ring_tail(ring), refused = ra_ring_refused(ring);
    int64_t answer = push_letters(ring, letter, length);

    if (!fits) {
        CHECK_EQ(answer, RA_FULL);
        CHECK_EQ(ra_ring_tail(ring), tail);
        CHECK_EQ(ra_ring_refused(ring), refused + 1);
        return;
    }
    CHECK_EQ(answer, position);
    CHECK(last - first < MODEL);
    model[last++ % MODEL] = (struct entry){position, length, letter};
}

static void
claim_some(struct ra_ring *ring)
{
    struct ra_claim claim;
    uint64_t most = random_below(20) + 1, at, i;
    int64_t count = ra_ring_claim(ring, most, UINT64_MAX, 0, &claim);
    uint64_t wanted = last - next_claimed;

    if (wanted > most)
        wanted = most;
    CHECK_EQ(count, wanted);
    at = claim.start;
    for (i = 0; i < wanted; i++) {
        struct entry entry = model[next_claimed++ % MODEL];

        at = ra_ring_next(ring, at);
        CHECK_EQ(at, entry.position);
        check_letters(ring, at, entry.letter, entry.length);
        at += ra_span(entry.length);
    }
    CHECK_EQ(at, claim.end);
}

static void
release_some(struct ra_ring *ring)
{
    uint64_t claimed = next_claimed - first;
    struct entry entry;

    if (claimed == 0)
        return;
    first += random_below(claimed) + 1;
    entry = model[(first - 1) % MODEL];
    release(ring, entry.position + ra_span(entry.length));
}

static void
run_from(uint64_t start, uint64_t laps)
{
    struct ra_ring ring;

    ring_new(&ring, SMALLEST, start);
    first = next_claimed = last = 0;
    /* Positions are compared as distances: 2^64 is never reached. */
    while (ra_ring_tail(&ring) - start < laps * SMALLEST)
        switch (random_below(4)) {
        case 0:
            claim_some(&ring);
            break;
        case 1:
            release_some(&ring);
            break;
        default:
            push_one(&ring);
            break;
        }
    CHECK_EQ(ra_ring_pushed(&ring), last);
    ring_drop(&ring);
}

static void
stamps_of_the_same_place_differ(void)
{
    uint64_t capacity, at, lap;

    /* From lap to lap, and against the neighbours, around each limit. */
    for (capacity = SMALLEST; capacity <= RA_CAPACITY_MAX; capacity *= 2)
        for (at = 0; at < 4096; at += 8)
            for (lap = 1; lap <= 8; lap++) {
                uint64_t position = (UINT64_C(1) << 35) + at;

                CHECK(ra_stamp(position) !=
                      ra_stamp(position + lap * capacity));
                CHECK(ra_stamp(position) !=
                      ra_stamp(position - lap * capacity));
                CHECK(ra_stamp(position) != ra_stamp(position + lap * 8));
                CHECK(ra_stamp(position) != 0);
            }
}

int
main(int argc, char **argv)
{
    uint64_t laps = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 20240229;
    /* 2^32: positions; 2^35: positions in units of 8, so stamps; 2^63: the
       sign of a position. Each is crossed half-way. */
    const uint64_t limits[] = {
        laps * SMALLEST,    UINT64_C(1) << 32, UINT64_C(1) << 35,
        UINT64_C(1) << 36, UINT64_C(1) << 62, UINT64_C(1) << 63,
    };
    size_t i;

    random_state = seed | 1;
    printf("seed %" PRIu64 ", %" PRIu64 " laps\n", seed, laps);
    RUN(stamps_of_the_same_place_differ);
    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        uint64_t before = laps / 2 * SMALLEST - random_below(SMALLEST) / 8 * 8;

        printf("around %" PRIu64 "\n", limits[i]);
        run_from(limits[i] - before, laps);
    }
    return 0;
}
