/* SPDX-License-Identifier: MIT */
/*
 * The gate: nobody comes in once it is shut, and when it is empty everything
 * that was written inside is there.
 *
 * Arguments: number of rounds of the race (default 1000).
 */
#include "check.h"

#include <pthread.h>
#include <sched.h>

#include "gate.h"

#define PUSHERS 3
#define MOST 4000 /* Entries of a pusher in a round. */

static uint64_t rounds = 1000;
static struct ra_gate gate;

/* Plain memory, so the thread sanitizer sees whether the gate orders it. */
static uint64_t written[PUSHERS];
static uint64_t entered[PUSHERS];
static ra_word waiting;

static void
a_shut_gate_lets_nobody_in(void)
{
    ra_word *first, *second;

    memset(&gate, 0, sizeof(gate));
    first = ra_gate_enter(&gate);
    second = ra_gate_enter(&gate);
    CHECK(first != NULL && first == second);
    CHECK(!ra_gate_is_empty(&gate));
    ra_gate_leave(first);
    ra_gate_shut(&gate);
    CHECK(!ra_gate_is_empty(&gate));
    CHECK(ra_gate_enter(&gate) == NULL);
    CHECK(!ra_gate_is_empty(&gate));
    ra_gate_leave(second);
    CHECK(ra_gate_is_empty(&gate));
    CHECK(ra_gate_enter(&gate) == NULL);
    CHECK(ra_gate_is_empty(&gate));
}

static void
meet(void)
{
    add_seq_cst(&waiting, UINT64_MAX);
    while (load_seq_cst(&waiting) != 0)
        sched_yield();
}

static void *
push(void *argument)
{
    uint64_t mine = (uint64_t)(uintptr_t)argument;
    ra_word *inside;

    meet();
    while (entered[mine] < MOST && (inside = ra_gate_enter(&gate)) != NULL) {
        written[mine]++;
        ra_gate_leave(inside);
        entered[mine]++;
    }
    return NULL;
}

static void
what_was_written_inside_is_there_when_it_is_empty(void)
{
    uint64_t round, i, seen[PUSHERS], state = 1;
    pthread_t threads[PUSHERS];

    for (round = 0; round < rounds; round++) {
        memset(&gate, 0, sizeof(gate));
        memset(written, 0, sizeof(written));
        memset(entered, 0, sizeof(entered));
        store_seq_cst(&waiting, PUSHERS + 1);
        for (i = 0; i < PUSHERS; i++)
            CHECK_EQ(pthread_create(&threads[i], NULL, push,
                                    (void *)(uintptr_t)i),
                     0);
        meet();
        for (i = random_next(&state) % 2000; i > 0; i--)
            compiler_barrier();
        ra_gate_shut(&gate);
        while (!ra_gate_is_empty(&gate))
            sched_yield();
        /* Nobody writes any more, whether the threads have ended or not. */
        memcpy(seen, written, sizeof(seen));
        for (i = 0; i < PUSHERS; i++) {
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
            CHECK_EQ(seen[i], entered[i]);
            CHECK_EQ(written[i], entered[i]);
        }
    }
}

int
main(int count, char **arguments)
{
    if (count > 1)
        rounds = strtoull(arguments[1], NULL, 10);
    RUN(a_shut_gate_lets_nobody_in);
    RUN(what_was_written_inside_is_there_when_it_is_empty);
    return 0;
}
