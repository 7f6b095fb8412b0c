/* SPDX-License-Identifier: MIT */
/*
 * Those who die: the processes of the kill harness that push and consume.
 */
#include "kill.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include "failpoint.h"

#define IN_FLIGHT 3

const unsigned char project[RA_PROJECT_SIZE] = {9, 9, 9, 1};

static struct oracle *oracle;
static const struct plan *plan;
static const char *armed; /* NULL in the process that looks on */
static struct ra_ring ring;

static void
die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

void
ra_failpoint(const char *name)
{
    if (armed == NULL || strcmp(name, armed) != 0)
        return;
    if (add_seq_cst(&oracle->arrivals, 1) + 1 != plan->hits)
        return;
    store_seq_cst(&oracle->is_hit, 1);
    die();
}

void
ring_open(struct ra_ring *view, int descriptor)
{
    struct ra_region *region = ra_map(descriptor, FILE_SIZE);

    CHECK(region != NULL);
    CHECK_EQ(ra_region_check(region, FILE_SIZE, project), RA_SOUND);
    memset(view, 0, sizeof(*view));
    CHECK_EQ(ra_ring_attach(view, region), 0);
}

static void
make_ring(int descriptor)
{
    struct ra_region *region;

    CHECK_EQ(ftruncate(descriptor, FILE_SIZE), 0);
    region = ra_map(descriptor, FILE_SIZE);
    CHECK(region != NULL);
    CHECK_EQ(ra_ring_format(region, CAPACITY, ring_id, plan->start), 0);
    ra_region_describe(region, project, 1, (uint32_t)getpid(), 5, RA_CHECKED);
    ra_region_seal(region);
    CHECK_EQ(ra_ring_attach(&ring, region), 0);
}

void
hand_over(struct oracle *to, const struct ra_ring *view,
          const struct ra_claim *claim, uint64_t seed)
{
    static char wanted[CAPACITY];
    uint64_t at = claim->start, i;

    for (i = 0; i < claim->count; i++) {
        uint64_t place = load_relaxed(&to->handed_count);
        const struct ra_record *record;
        struct handed *handed;

        at = ra_ring_next(view, at);
        record = record_of(view, at);
        CHECK(place < LOG_MAX);
        handed = &to->handed[place];
        handed->position = at;
        handed->producer = record->time_ms & 3;
        handed->number = (record->time_ms >> 2) - 1;
        CHECK(handed->producer < PRODUCERS);
        CHECK_EQ(word_of(view, at),
                 ra_header_word(at, flags_of(handed->number), RA_READY));
        CHECK_EQ(record->length, payload_of(wanted, seed, handed->producer,
                                            handed->number));
        CHECK(memcmp(record->payload, wanted, record->length) == 0);
        store_seq_cst(&to->handed_count, place + 1);
        at += ra_span(record->length);
    }
}

static void *
produce(void *which)
{
    uint64_t producer = (uintptr_t)which, number;
    char *text = malloc(CAPACITY);

    CHECK(text != NULL);
    for (number = 0; number < PUSHES_MAX; number++) {
        uint64_t length = payload_of(text, plan->seed, producer, number);
        int64_t answer;

        store_seq_cst(&oracle->begun[producer], number + 1);
        while ((answer = ra_ring_push(&ring, text, length, flags_of(number),
                                      time_of(producer, number))) == RA_FULL) {
            /* The others may find room for smaller ones, but not for long. */
            if (plan->kind == ALONE &&
                add_seq_cst(&oracle->full, 1) + 1 == 64 * PRODUCERS)
                die();
            sched_yield();
        }
        CHECK(answer >= 0);
        store_seq_cst(&oracle->ended[producer], number + 1);
    }
    free(text);
    return NULL;
}

static void
consume(void)
{
    uint64_t state = plan->seed ^ 0x5eed;
    struct ra_claim claim;
    unsigned in_flight = 0;
    int64_t count;

    for (;;) {
        count = ra_ring_claim(&ring, random_next(&state) % 40 + 1, 16384, 0,
                              &claim);
        CHECK(count >= 0);
        hand_over(oracle, &ring, &claim, plan->seed);
        if (count > 0 && ++in_flight % IN_FLIGHT != 0)
            continue;
        ra_ring_release(&ring, claim.end);
        store_seq_cst(&oracle->released, claim.end);
        if (count == 0)
            sched_yield();
    }
}

/* Nobody of us outlives the one who looks on. */
static int
begin(struct oracle *given, const struct plan *how, int folder,
      const char *name, int create)
{
    int descriptor;

    CHECK_EQ(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
    ra_generation_renew();
    oracle = given;
    plan = how;
    descriptor = ra_lease_open(folder, name, create);
    CHECK(descriptor >= 0);
    return descriptor;
}

/* Said once everything is set up; from now on we may die anywhere. */
static void
report_and_wait(void)
{
    sem_post(&oracle->ready);
    while (sem_wait(&oracle->go) != 0)
        continue;
    armed = plan->point;
}

void
run_owner(struct oracle *given, const struct plan *how, int folder,
          const char *name)
{
    int descriptor = begin(given, how, folder, name, 1);
    pthread_t thread;
    uintptr_t i;

    make_ring(descriptor);
    CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_PRODUCER), 0);
    if (plan->kind != RELAY)
        CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_CONSUMER), 0);
    report_and_wait();
    for (i = 0; i < PRODUCERS; i++)
        CHECK_EQ(pthread_create(&thread, NULL, produce, (void *)i), 0);
    if (plan->kind == BOTH)
        consume();
    for (;;)
        pause();
}

void
run_consumer(struct oracle *given, const struct plan *how, int folder,
             const char *name)
{
    int descriptor = begin(given, how, folder, name, 0);

    CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_CONSUMER), 0);
    ring_open(&ring, descriptor);
    report_and_wait();
    consume();
}
