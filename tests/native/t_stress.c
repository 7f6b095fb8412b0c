/* SPDX-License-Identifier: MIT */
/*
 * Many producers, one consumer, a ring so small that it is full and wraps
 * all the time.
 *
 * Producers check that the room they get is zero; the consumer checks every
 * byte and each producer's order, and sleeps by ra_ring_arm() alone: a lost
 * wake-up is a time-out.
 *
 *   t_stress [--records N] [--producers N] [--capacity BYTES]
 *            [--start POSITION] [--laps N] [--seed N]
 *
 * With --laps it goes on until the tail has moved that many capacities.
 */
#include "pattern.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#define TIME_OUT 30 /* seconds that a loaded machine may take to wake */
#define IN_FLIGHT 4

struct producer {
    pthread_t thread;
    uint64_t number, seed, pushed, full;
};

static uint64_t records = 300000, producers = 4, capacity = SMALLEST;
static uint64_t start, laps, seed;
static struct ra_ring ring;
static sem_t sleeper;
static _Atomic uint64_t posts, finished;

static int
is_enough(const struct producer *producer)
{
    if (laps != 0)
        return ra_ring_tail(&ring) - start >= laps * capacity;
    return producer->pushed >=
           records / producers + (producer->number < records % producers);
}

static void *
produce(void *argument)
{
    struct producer *self = argument;
    uint64_t state = self->seed;

    while (!is_enough(self)) {
        uint64_t length = random_length(&state, ring.max_payload);
        struct ra_slot slot;
        unsigned char *payload;
        int answer;

        while ((answer = ra_ring_reserve(&ring, length, &slot)) == RA_FULL) {
            self->full++;
            sched_yield();
        }
        CHECK_EQ(answer, 0);
        payload = ra_ring_payload(&ring, slot.position);
        /* Behind the state word: length, crc, time, payload. */
        CHECK(is_zero(payload - 16, length + 16));
        write_payload(payload, length, self->number, self->pushed++);
        if (ra_ring_commit(&ring, &slot, length, 0, slot.position)) {
            atomic_fetch_add(&posts, 1);
            sem_post(&sleeper);
        }
    }
    /* A last wake-up, not counted: nothing more will be pushed. */
    atomic_fetch_add(&finished, 1);
    sem_post(&sleeper);
    return NULL;
}

static void
sleep_until_woken(void)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += TIME_OUT;
    while (sem_timedwait(&sleeper, &deadline) != 0)
        CHECK(errno == EINTR && "woken in time");
}

static uint64_t
check_claim(const struct ra_claim *claim, uint64_t *expected)
{
    uint64_t at = claim->start, i;

    for (i = 0; i < claim->count; i++) {
        const struct ra_record *record;

        at = ra_ring_next(&ring, at);
        record = record_of(&ring, at);
        CHECK_EQ(record->time_ms, at);
        check_payload(record->payload, record->length, expected, producers);
        at += ra_span(record->length);
    }
    CHECK_EQ(at, claim->end);
    return claim->count;
}

static uint64_t
consume(uint64_t *expected, uint64_t *sleeps)
{
    uint64_t state = seed ^ 0x5eed, total = 0;

    for (;;) {
        uint64_t pushed = ra_ring_pushed(&ring), taken = 0;
        int is_over = atomic_load(&finished) == producers;
        struct ra_claim claim;
        unsigned in_flight = 0;
        int64_t count;

        /* Up to four claims in flight before their ends are given back. */
        while ((count = ra_ring_claim(&ring, random_next(&state) % 50 + 1,
                                      16384, 40, &claim)) > 0) {
            taken += check_claim(&claim, expected);
            if (++in_flight % IN_FLIGHT == 0)
                ra_ring_release(&ring, claim.end);
        }
        CHECK_EQ(count, 0);
        ra_ring_release(&ring, claim.end);
        total += taken;
        if (taken == 0 && is_over)
            return total;
        /* For the very next: producers that spin on a full ring push no
           second one. */
        if (taken == 0 && !ra_ring_arm(&ring, pushed + 1, UINT64_MAX)) {
            *sleeps += 1;
            sleep_until_woken();
            ra_ring_disarm(&ring);
        }
    }
}

static void
read_arguments(int argc, char **argv)
{
    const struct {
        const char *name;
        uint64_t *value;
    } known[] = {
        {"--records", &records},   {"--producers", &producers},
        {"--capacity", &capacity}, {"--start", &start},
        {"--laps", &laps},         {"--seed", &seed},
    };
    size_t at;
    int i;

    for (i = 1; i < argc; i += 2) {
        for (at = 0; at < sizeof(known) / sizeof(known[0]); at++)
            if (strcmp(argv[i], known[at].name) == 0)
                break;
        if (at == sizeof(known) / sizeof(known[0]) || i + 1 == argc) {
            fprintf(stderr, "unknown or incomplete argument: %s\n", argv[i]);
            exit(2);
        }
        *known[at].value = strtoull(argv[i + 1], NULL, 10);
    }
}

int
main(int argc, char **argv)
{
    uint64_t sleeps = 0, total, full = 0, pushed = 0, i;
    struct producer *team;
    uint64_t *expected;
    struct timespec from, to;
    double seconds;

    clock_gettime(CLOCK_REALTIME, &from);
    seed = (uint64_t)from.tv_nsec * 2654435761u + (uint64_t)from.tv_sec;
    read_arguments(argc, argv);
    CHECK(producers > 0 && producers < 256);
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);

    ring_new(&ring, capacity, start);
    CHECK_EQ(sem_init(&sleeper, 0, 0), 0);
    team = calloc(producers, sizeof(*team));
    expected = calloc(producers, sizeof(*expected));
    CHECK(team != NULL && expected != NULL);

    clock_gettime(CLOCK_MONOTONIC, &from);
    for (i = 0; i < producers; i++) {
        team[i].number = i;
        team[i].seed = seed * 31 + i * 7919 + 1;
        CHECK_EQ(pthread_create(&team[i].thread, NULL, produce, &team[i]),
                 0);
    }
    total = consume(expected, &sleeps);
    for (i = 0; i < producers; i++) {
        pthread_join(team[i].thread, NULL);
        CHECK_EQ(expected[i], team[i].pushed);
        pushed += team[i].pushed;
        full += team[i].full;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    seconds = (double)(to.tv_sec - from.tv_sec) +
              (double)(to.tv_nsec - from.tv_nsec) / 1e9;

    /* Nothing is left, nothing was counted twice, every byte is zero. */
    CHECK_EQ(total, pushed);
    CHECK_EQ(ra_ring_pushed(&ring), pushed);
    CHECK_EQ(ra_ring_refused(&ring), full);
    CHECK_EQ(ra_ring_free(&ring), ra_ring_tail(&ring));
    check_ring(&ring);
    CHECK(is_zero(ring.region->data, capacity));
    printf("%" PRIu64 " records, %" PRIu64 " laps, %.1f s, %.0f records/s, "
           "%" PRIu64 " full, %" PRIu64 " sleeps, %" PRIu64 " wakes\n",
           total, (ra_ring_tail(&ring) - start) / capacity, seconds,
           (double)total / seconds, full, sleeps, atomic_load(&posts));
    free(team);
    free(expected);
    ring_drop(&ring);
    return 0;
}
