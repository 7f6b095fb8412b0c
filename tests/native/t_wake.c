/* SPDX-License-Identifier: MIT */
/*
 * Waking: which push wakes, exactly one of many, and no wake-up lost.
 *
 * Arguments: number of rounds of the races (default 200000).
 */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define PUSHERS 3
#define DELAY_MOST 4096

static uint64_t rounds = 200000;
static struct ra_ring ring;

/* Push a record; whether this push must wake. */
static int
wakes(void)
{
    int64_t answer = ra_ring_push(&ring, "x", 1, 0, 0);

    CHECK(answer >= 0);
    return (int)(answer & 1);
}

static void
the_push_that_reaches_the_count_wakes(void)
{
    ring_new(&ring, SMALLEST, 0);
    CHECK_EQ(wakes(), 0); /* not armed */
    CHECK_EQ(ra_ring_arm(&ring, 4, UINT64_MAX), 0);
    CHECK_EQ(wakes(), 0);
    CHECK_EQ(wakes(), 0);
    CHECK_EQ(wakes(), 1);
    CHECK_EQ(wakes(), 0); /* once */
    CHECK_EQ(load_relaxed(&ring.region->armed), 0);

    /* Reached already, exactly and by far: nothing is armed. */
    CHECK_EQ(ra_ring_arm(&ring, 5, UINT64_MAX), 1);
    CHECK_EQ(wakes(), 0);
    CHECK_EQ(ra_ring_arm(&ring, 1, UINT64_MAX), 1);
    CHECK_EQ(wakes(), 0);
    CHECK_EQ(ra_ring_arm(&ring, 8, UINT64_MAX), 0);
    CHECK_EQ(wakes(), 1);

    /* Disarmed: the push that reaches it wakes nobody. */
    CHECK_EQ(ra_ring_arm(&ring, 9, UINT64_MAX), 0);
    ra_ring_disarm(&ring);
    CHECK_EQ(wakes(), 0);
    ring_drop(&ring);
}

static void
the_push_that_reaches_the_tail_wakes(void)
{
    /* Each takes 32 bytes. */
    ring_new(&ring, SMALLEST, 0);
    CHECK_EQ(ra_ring_arm(&ring, 100, 96), 0);
    CHECK_EQ(wakes(), 0);
    CHECK_EQ(wakes(), 0);
    CHECK_EQ(wakes(), 1);
    CHECK_EQ(wakes(), 0);
    CHECK_EQ(ra_ring_arm(&ring, 100, 128), 1);
    CHECK_EQ(wakes(), 0);

    /* The place that a pad takes counts as well. */
    ring_drop(&ring);
    ring_new(&ring, SMALLEST, SMALLEST - 8);
    CHECK_EQ(ra_ring_arm(&ring, 100, SMALLEST + 32), 0);
    CHECK_EQ(wakes(), 1);
    ring_drop(&ring);
}

/*
 * Rounds in which threads start at the same instant: each waits for the
 * round's number and answers by adding to `done`.
 */
static _Atomic uint64_t started, done, woken;

static void
await(_Atomic uint64_t *word, uint64_t value)
{
    unsigned spins = 0;

    while (atomic_load(word) < value)
        if (++spins > 1000)
            sched_yield();
}

static void *
push_each_round(void *unused)
{
    uint64_t round;

    (void)unused;
    for (round = 1; round <= rounds; round++) {
        struct ra_slot slot;

        CHECK_EQ(ra_ring_reserve(&ring, 1, &slot), 0);
        await(&started, round);
        if (ra_ring_commit(&ring, &slot, 1, 0, 0))
            atomic_fetch_add(&woken, 1);
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

static void
empty_the_ring(void)
{
    struct ra_claim claim;

    while (claim_all(&ring, &claim) > 0)
        ra_ring_release(&ring, claim.end);
}

static void
start_pushers(pthread_t *threads, unsigned count)
{
    unsigned i;

    ring_new(&ring, SMALLEST, 0);
    atomic_store(&started, 0);
    atomic_store(&done, 0);
    atomic_store(&woken, 0);
    for (i = 0; i < count; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, push_each_round, NULL), 0);
}

static void
join_pushers(pthread_t *threads, unsigned count)
{
    unsigned i;

    for (i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    ring_drop(&ring);
}

static void
one_of_many_wakes(void)
{
    pthread_t threads[PUSHERS];
    uint64_t round;

    /* Armed for the first of three pushes that come at once: each of them
       is at or past the count, one of them wakes. */
    start_pushers(threads, PUSHERS);
    for (round = 1; round <= rounds; round++) {
        CHECK_EQ(ra_ring_arm(&ring, (round - 1) * PUSHERS + 1, UINT64_MAX),
                 0);
        atomic_store(&started, round);
        await(&done, round * PUSHERS);
        CHECK_EQ(atomic_load(&woken), round);
        empty_the_ring();
    }
    join_pushers(threads, PUSHERS);
}

static void
no_wake_up_is_lost(void)
{
    pthread_t thread;
    uint64_t round, sleeps = 0;
    int64_t delay = 0;

    /* One commits and one arms, at the same instant: the delay is steered
       so that either comes first about as often. If the consumer would
       sleep, the commit must wake. x86 shows a weaker store of `armed`
       here, since its processors delay stores. */
    start_pushers(&thread, 1);
    for (round = 1; round <= rounds; round++) {
        uint64_t before = atomic_load(&woken);
        int64_t left = delay + (int64_t)(round % 16);
        int reached;

        /* relaxed: the instant is what matters, not what it carries. */
        atomic_store_explicit(&started, round, memory_order_relaxed);
        while (--left > 0)
            atomic_signal_fence(memory_order_seq_cst);
        reached = ra_ring_arm(&ring, round, UINT64_MAX);
        if (reached)
            delay -= delay > 0;
        else if (++delay > DELAY_MOST)
            delay = 0; /* The other is not running at all. */
        await(&done, round);
        CHECK(reached || atomic_load(&woken) == before + 1);
        sleeps += !reached;
        empty_the_ring();
    }
    printf("  would have slept in %" PRIu64 " of %" PRIu64 " rounds\n",
           sleeps, rounds);
    join_pushers(&thread, 1);
}

int
main(int argc, char **argv)
{
    if (argc > 1)
        rounds = strtoull(argv[1], NULL, 10);
    RUN(the_push_that_reaches_the_count_wakes);
    RUN(the_push_that_reaches_the_tail_wakes);
    RUN(one_of_many_wakes);
    RUN(no_wake_up_is_lost);
    return 0;
}
