/* SPDX-License-Identifier: MIT */
/*
 * What another thread may do between two steps, done at exactly that place.
 *
 * The ring is compiled into this file with shared accesses that first call
 * `between`, if a test has set it. So an interleaving that a stress test
 * meets once in a million rounds is a story with one thread here, and the
 * library itself carries no test code.
 */
#include "check.h"

/* Called before an access to `word`, with the value that it will store. */
static void (*between)(const void *word, uint64_t value);

static uint64_t
look(const void *word, uint64_t value)
{
    void (*call)(const void *, uint64_t) = between;

    /* What a story does in between is not interrupted in its turn. */
    between = NULL;
    if (call != NULL)
        call(word, value);
    if (between == NULL)
        between = call;
    return value;
}

static void
over(const void *word, uint64_t value)
{
    (void)word;
    (void)value;
}

#undef load_acquire
#undef store_relaxed
#undef store_release
#undef cas_seq_cst
#define load_acquire(p)                                                       \
    (look((p), 0), atomic_load_explicit((p), memory_order_acquire))
#define store_relaxed(p, v)                                                   \
    (look((p), (v)), atomic_store_explicit((p), (v), memory_order_relaxed))
#define store_release(p, v)                                                   \
    (look((p), (v)), atomic_store_explicit((p), (v), memory_order_release))
#define cas_seq_cst(p, expected, desired)                                     \
    (look((p), (desired)),                                                    \
     atomic_compare_exchange_strong_explicit((p), (expected), (desired),      \
                                             memory_order_seq_cst,            \
                                             memory_order_relaxed))

#include "ring.c"

static struct ra_ring ring;
static struct ra_claim claim;
static uint64_t seen_count;

/*
 * Producer A has read `tail` and is preempted. Another fills the ring and
 * the consumer empties it, three laps long. Then A goes on.
 */
static void
three_laps_pass(const void *word, uint64_t value)
{
    uint64_t i;

    (void)value;
    if (word != &ring.region->free_cache)
        return;
    between = over;
    for (i = 0; i < 3 * 8; i++) {
        CHECK(push_letters(&ring, 'b', SMALLEST / 8 - 24) >= 0);
        CHECK_EQ(claim_all(&ring, &claim), 1);
        release(&ring, claim.end);
    }
}

static void
stale_tail_is_no_full_ring(void)
{
    ring_new(&ring, SMALLEST, 0);
    CHECK_EQ(push_letters(&ring, 'a', 1000), 0);
    CHECK_EQ(claim_all(&ring, &claim), 1);
    release(&ring, claim.end);

    /* A's tail is 1024 and what it reads of `free` lies far ahead of it:
       the difference wraps. The ring is empty, so the answer is a place. */
    between = three_laps_pass;
    CHECK(ra_ring_push(&ring, "c", 1, 0, 0) > (int64_t)(3 * SMALLEST));
    CHECK(between == over);
    CHECK_EQ(ra_ring_refused(&ring), 0);
    between = NULL;
    ring_drop(&ring);
}

/*
 * A has read `tail` in a nearly full ring, of which nothing is free. Before
 * it looks at `free`, one record is given back and one pushed.
 */
static void
one_goes_and_one_comes(const void *word, uint64_t value)
{
    (void)value;
    if (word != &ring.region->free)
        return;
    between = over;
    CHECK_EQ(ra_ring_claim(&ring, 2, UINT64_MAX, 0, &claim), 2);
    release(&ring, claim.end);
    CHECK_EQ(push_letters(&ring, 'b', 1000), SMALLEST);
}

static void
room_given_back_in_between_is_found(void)
{
    uint64_t i;

    ring_new(&ring, SMALLEST, 0);
    for (i = 0; i < 64; i++)
        CHECK_EQ(push_letters(&ring, 'a', 1000), i * 1024);

    between = one_goes_and_one_comes;
    CHECK_EQ(ra_ring_push(&ring, "c", 1, 0, 0), SMALLEST + 1024);
    CHECK(between == over);
    CHECK_EQ(ra_ring_refused(&ring), 0);
    between = NULL;
    ring_drop(&ring);
}

/*
 * At the store of `head` the records still stand; at the store of `free`
 * the bytes up to it are zero. Both are looked at from outside.
 */
static void
release_in_order(const void *word, uint64_t value)
{
    if (word == &ring.region->head) {
        CHECK_EQ(seen_count++, 0);
        check_letters(&ring, 0, 'a', 1000);
        check_letters(&ring, 1024, 'a', 1000);
    }
    if (word == &ring.region->free) {
        CHECK_EQ(seen_count++, 1);
        CHECK_EQ(value, 2048);
        CHECK_EQ(atomic_load(&ring.region->head), 2048);
        CHECK(is_zero(ring.region->data, 2048));
    }
}

static void
head_moves_before_the_zeroing_and_free_after_it(void)
{
    ring_new(&ring, SMALLEST, 0);
    push_letters(&ring, 'a', 1000);
    push_letters(&ring, 'a', 1000);
    push_letters(&ring, 'a', 1000);
    CHECK_EQ(ra_ring_claim(&ring, 2, UINT64_MAX, 0, &claim), 2);

    seen_count = 0;
    between = release_in_order;
    ra_ring_release(&ring, claim.end);
    between = NULL;
    CHECK_EQ(seen_count, 2);
    ring_drop(&ring);
}

/*
 * At every store of a header the consumer looks: it must find nothing
 * before READY, and at READY length, time and payload are there.
 */
static void
consumer_looks(const void *word, uint64_t value)
{
    const struct ra_record *record = record_at(&ring, SMALLEST);
    struct ra_claim early;

    CHECK_EQ(claim_all(&ring, &early), 0);
    if (word == &record->word && ra_state(value) == RA_READY) {
        CHECK_EQ(record->length, 5);
        CHECK_EQ(record->time_ms, 77);
        CHECK(memcmp(record->payload, "hello", 5) == 0);
        CHECK_EQ(seen_count, 2);
    }
    if (word == &record->word || word == &record_at(&ring, SMALLEST - 8)->word)
        seen_count++;
}

static void
record_is_seen_when_it_is_whole(void)
{
    /* The record lies behind a pad: three header stores, PAD, WRITING and
       READY, in this order. */
    ring_new(&ring, SMALLEST, SMALLEST - 8);
    seen_count = 0;
    between = consumer_looks;
    CHECK_EQ(ra_ring_push(&ring, "hello", 5, 0, 77), SMALLEST);
    between = NULL;
    CHECK_EQ(seen_count, 3);
    CHECK_EQ(claim_all(&ring, &claim), 1);
    ring_drop(&ring);
}

/*
 * A producer has found the consumer armed and is about to swap. Another
 * push comes first, and wakes.
 */
static void
another_wakes_first(const void *word, uint64_t value)
{
    (void)value;
    if (word != &ring.region->armed)
        return;
    between = over;
    CHECK_EQ(ra_ring_push(&ring, "b", 1, 0, 0) & 1, 1);
}

static void
one_sleep_costs_one_wake_up(void)
{
    ring_new(&ring, SMALLEST, 0);
    CHECK_EQ(ra_ring_arm(&ring, 1, UINT64_MAX), 0);

    between = another_wakes_first;
    CHECK_EQ(ra_ring_push(&ring, "a", 1, 0, 0) & 1, 0);
    CHECK(between == over);
    between = NULL;
    CHECK_EQ(ra_ring_pushed(&ring), 2);
    ring_drop(&ring);
}

/*
 * The consumer has stored `armed`, found nothing and goes to sleep; the push
 * was between the two. And the other way round: it comes before the store.
 */
static void
push_comes_before_the_arming(const void *word, uint64_t value)
{
    (void)value;
    if (word != &ring.region->armed_tail)
        return;
    between = over;
    CHECK_EQ(ra_ring_push(&ring, "a", 1, 0, 0), 0);
}

static void
push_just_before_arming_is_noticed(void)
{
    ring_new(&ring, SMALLEST, 0);
    between = push_comes_before_the_arming;
    CHECK_EQ(ra_ring_arm(&ring, 1, UINT64_MAX), 1);
    CHECK(between == over);
    between = NULL;
    CHECK_EQ(atomic_load(&ring.region->armed), 0);
    ring_drop(&ring);
}

int
main(void)
{
    RUN(stale_tail_is_no_full_ring);
    RUN(room_given_back_in_between_is_found);
    RUN(head_moves_before_the_zeroing_and_free_after_it);
    RUN(record_is_seen_when_it_is_whole);
    RUN(one_sleep_costs_one_wake_up);
    RUN(push_just_before_arming_is_noticed);
    return 0;
}
