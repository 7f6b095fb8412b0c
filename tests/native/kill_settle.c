/* SPDX-License-Identifier: MIT */
/*
 * Who takes over: does what the finder of a dead process's ring does, and
 * compares what it finds with the notes of the dead.
 */
#include "kill.h"

#include <errno.h>

struct totals totals;

static struct oracle *oracle;
static const struct plan *plan;

/* What has been handed over so far in this round, checked. */
static struct {
    uint64_t next[PRODUCERS]; /* pushes known to be there */
    uint64_t position[PRODUCERS][PUSHES_MAX];
    uint64_t highest, entries, again;
} account;

void
settle_begin(struct oracle *given, const struct plan *how)
{
    oracle = given;
    plan = how;
    memset(account.next, 0, sizeof(account.next));
    account.highest = account.entries = account.again = 0;
}

/*
 * check_handed: whether all that was handed over since the last look is what
 * had to come, given that everything before `released` was given back.
 */
static void
check_handed(uint64_t released)
{
    uint64_t count = load_seq_cst(&oracle->handed_count), last = 0;

    for (; account.entries < count; account.entries++) {
        struct handed it = oracle->handed[account.entries];
        uint64_t *next = &account.next[it.producer];

        CHECK(it.position >= released);
        CHECK(last == 0 || it.position > last);
        last = it.position;
        if (it.number < *next) {
            CHECK_EQ(it.position, account.position[it.producer][it.number]);
            account.again++;
            continue;
        }
        /* New: no producer's record is missing before it. */
        CHECK_EQ(it.number, *next);
        CHECK(it.number < load_seq_cst(&oracle->begun[it.producer]));
        CHECK(account.highest == 0 || it.position > account.highest);
        account.position[it.producer][it.number] = it.position;
        account.highest = it.position;
        *next += 1;
    }
}

void
consume_living(struct ra_ring *ring, int descriptor)
{
    uint64_t state = plan->seed + 1, turns = random_next(&state) % 40;
    struct ra_claim claim;

    check_handed(0);
    CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_PRODUCER), EAGAIN);
    CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_CONSUMER), 0);
    ring_open(ring, descriptor);
    ra_ring_resume(ring);
    CHECK_EQ(ra_ring_free(ring), ring->claim);
    while (turns-- > 0) {
        uint64_t most = random_next(&state) % 40 + 1;

        CHECK(ra_ring_claim(ring, most, 16384, 0, &claim) >= 0);
        hand_over(oracle, ring, &claim, plan->seed);
        check_handed(load_seq_cst(&oracle->released));
        if (random_next(&state) % 2 == 0) {
            ra_ring_release(ring, claim.end);
            store_seq_cst(&oracle->released, claim.end);
        }
    }
    totals.resumed++;
}

/* How many records were handed over, but not given back. */
static uint64_t
count_kept(uint64_t head)
{
    uint64_t count = 0, i, number;

    for (i = 0; i < PRODUCERS; i++)
        for (number = account.next[i];
             number > 0 && account.position[i][number - 1] >= head; number--)
            count++;
    return count;
}

/*
 * repair_twice: make the ring of the dead sound; the second time nothing is
 * left to do.
 */
static void
repair_twice(struct ra_ring *ring, struct ra_repair *found)
{
    static unsigned char once[FILE_SIZE];
    struct ra_repair again;

    CHECK_EQ(ra_region_check(ring->region, FILE_SIZE, project), RA_SOUND);
    ra_ring_repair(ring, found);
    CHECK_EQ(ra_region_check(ring->region, FILE_SIZE, project), RA_SOUND);
    check_ring(ring);
    memcpy(once, ring->region, FILE_SIZE);
    ra_ring_repair(ring, &again);
    CHECK(memcmp(once, ring->region, FILE_SIZE) == 0);
    CHECK_EQ(again.ready, found->ready);
    CHECK_EQ(again.oldest_ms, found->oldest_ms);
    CHECK_EQ(again.torn + again.holes + again.bad_crc, 0);
    CHECK_EQ(found->bad_crc, 0);
    CHECK_EQ(ra_ring_pushed(ring), found->ready);
}

/*
 * drain: claim and give back all there is; how many records.
 */
static uint64_t
drain(struct ra_ring *ring, uint64_t of_seed)
{
    uint64_t total = 0;
    struct ra_claim claim;
    int64_t count;

    while ((count = ra_ring_claim(ring, 64, UINT64_MAX, 0, &claim)) > 0) {
        hand_over(oracle, ring, &claim, of_seed);
        total += (uint64_t)count;
    }
    CHECK_EQ(count, 0);
    CHECK_EQ(ring->claim, ra_ring_tail(ring));
    ra_ring_release(ring, ring->claim);
    check_ring(ring);
    return total;
}

/* Push around the whole ring and more, and take it all out. */
static void
use_again(struct ra_ring *ring, uint64_t of_seed)
{
    static char text[CAPACITY];
    uint64_t number = 0, begin = ra_ring_tail(ring), taken = 0;

    store_seq_cst(&oracle->handed_count, 0);
    while (ra_ring_tail(ring) - begin < CAPACITY + CAPACITY / 2) {
        uint64_t length = payload_of(text, of_seed, 0, number);
        int64_t answer = ra_ring_push(ring, text, length, flags_of(number),
                                      time_of(0, number));

        if (answer >= 0) {
            number++;
            continue;
        }
        CHECK_EQ(answer, RA_FULL);
        taken += drain(ring, of_seed);
        CHECK_EQ(taken, number);
    }
    CHECK_EQ(taken + drain(ring, of_seed), number);
    CHECK(is_zero(ring->region->data, CAPACITY));
}

/*
 * check_wreck: whether the repair has seen what a death at the plan's point
 * must leave. A hole behind a torn record is part of it.
 */
static void
check_wreck(const struct ra_repair *found)
{
    static const struct {
        const char *point;
        int is_torn;
    } wrecks[] = {
        {"reserved", 0}, {"padded", 0},        {"writing", 1},
        {"copied", 1},   {"before commit", 1},
    };
    size_t i;

    for (i = 0; i < sizeof(wrecks) / sizeof(wrecks[0]); i++)
        if (load_seq_cst(&oracle->is_hit) &&
            strcmp(plan->point, wrecks[i].point) == 0)
            CHECK(found->torn + (wrecks[i].is_torn ? 0 : found->holes) > 0);
}

void
settle(struct ra_ring *ring, int descriptor)
{
    uint64_t released = load_seq_cst(&oracle->released), cut = 0, i;
    uint64_t before, kept;
    struct ra_repair found;
    struct ra_record *oldest;

    check_handed(0);
    CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_PRODUCER), 0);
    CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_CONSUMER), 0);
    if (ring->region == NULL)
        ring_open(ring, descriptor);
    before = account.again;
    kept = count_kept(load_relaxed(&ring->region->head));
    repair_twice(ring, &found);
    oldest = record_of(ring, ring->claim);
    CHECK_EQ(found.oldest_ms, found.ready == 0 ? 0 : oldest->time_ms);
    CHECK_EQ(drain(ring, plan->seed), found.ready);
    check_handed(released);
    CHECK_EQ(account.again - before, kept);

    for (i = 0; i < PRODUCERS; i++) {
        uint64_t begun = load_seq_cst(&oracle->begun[i]);
        uint64_t ended = load_seq_cst(&oracle->ended[i]);

        CHECK(begun == ended || begun == ended + 1);
        CHECK(account.next[i] == ended || account.next[i] == begun);
        cut += begun - account.next[i];
        totals.unheard += account.next[i] - ended;
        totals.pushed += account.next[i];
    }
    /* One push leaves one wreck, or two where it had to pad. */
    CHECK(found.torn + found.holes <= 2 * cut && found.torn <= cut);
    check_wreck(&found);
    totals.repaired += found.ready;
    totals.torn += found.torn;
    totals.holes += found.holes;
    totals.again += account.again;
    use_again(ring, plan->seed + 1);
}

