/* SPDX-License-Identifier: MIT */
/*
 * A living ring with two sides that share its bytes and nothing else: many
 * producers here, the consumer elsewhere, as workers and a relay have it.
 *
 *   views      one process: every thread has a view of its own, and nothing
 *              but the ring orders what they do. This is the one in which a
 *              thread sanitizer sees both ends of each edge.
 *   processes  the consumer is another process, with a map of its own. A
 *              thread sanitizer sees one side in each process, so it is told
 *              of the other (see ra_failpoint); what shows the rest is that
 *              every byte of every payload, its checksum and its order are
 *              looked at.
 *
 *   t_shared [--records N] [--producers N] [--seed N]
 */
#include "holding.h"
#include "pattern.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "failpoint.h"
#include "recover.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#define PRODUCERS_MAX 64
#define FILE_SIZE (RA_HEADER_SIZE + SMALLEST)
#define IN_FLIGHT 4

static uint64_t records = 300000, producers = 4, seed;
static const unsigned char project[RA_PROJECT_SIZE] = {1};

/* Whether the consumer is another process. */
static int is_elsewhere;

/*
 * Tells the sanitizer, in the producers' process, of the edges that it does
 * not see: the consumer takes what is committed (E1) and gives the room to
 * whoever reserves it (E2). Told of the payloads here; of the header words
 * themselves, which are stored after this, by acquire loads in is_room_zero().
 */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>

void
ra_failpoint(const char *name)
{
    static char consumer;

    if (is_elsewhere && strcmp(name, "before commit") == 0)
        __tsan_release(&consumer);
    if (is_elsewhere && strcmp(name, "reserved") == 0)
        __tsan_acquire(&consumer);
}
#else
void
ra_failpoint(const char *name)
{
    (void)name;
}
#endif

/* Whether the room of a slot, behind its state word, is zero. */
static int
is_room_zero(const struct ra_ring *view, const struct ra_slot *slot)
{
    uint64_t at, seen = 0;

    if (!is_elsewhere)
        return is_zero((unsigned char *)record_of(view, slot->position) + 8,
                       slot->span - 8);
    for (at = 8; at < slot->span; at += 8)
        seen |= load_acquire(&record_of(view, slot->position + at)->word);
    return seen == 0;
}

struct producer {
    pthread_t thread;
    struct ra_region *region;
    uint64_t number, count, full;
};

static void *
produce(void *argument)
{
    struct producer *self = argument;
    uint64_t state = seed * 31 + self->number * 7919 + 1, sequence;
    struct ra_ring view = {.region = NULL};
    struct ra_slot slot;

    CHECK_EQ(ra_ring_attach(&view, self->region), 0);
    for (sequence = 0; sequence < self->count; sequence++) {
        uint64_t length = random_length(&state, view.max_payload);
        int answer;

        while ((answer = ra_ring_reserve(&view, length, &slot)) == RA_FULL) {
            self->full++;
            sched_yield();
        }
        CHECK_EQ(answer, 0);
        CHECK(is_room_zero(&view, &slot));
        write_payload(ra_ring_payload(&view, slot.position), length,
                      self->number, sequence);
        /* Nobody arms such a ring. */
        CHECK_EQ(ra_ring_commit(&view, &slot, length, sequence % 8,
                                slot.position),
                 0);
    }
    return NULL;
}

static void
check_claim(const struct ra_ring *view, const struct ra_claim *claim,
            uint64_t *expected)
{
    uint64_t at = claim->start, i;

    for (i = 0; i < claim->count; i++) {
        const struct ra_record *record;

        at = ra_ring_next(view, at);
        record = record_of(view, at);
        CHECK_EQ(record->time_ms, at);
        CHECK_EQ(record->crc,
                 ra_record_crc(record, ra_flags(word_of(view, at)),
                               record->length));
        check_payload(record->payload, record->length, expected, producers);
        at += ra_span(record->length);
    }
    CHECK_EQ(at, claim->end);
}

static void
consume(struct ra_ring *view)
{
    uint64_t expected[PRODUCERS_MAX] = {0}, state = seed | 1, taken = 0;
    struct ra_claim claim;
    unsigned in_flight = 0;

    while (taken < records) {
        int64_t count = ra_ring_claim(view, random_next(&state) % 50 + 1,
                                      16384, 40, &claim);

        CHECK(count >= 0);
        check_claim(view, &claim, expected);
        taken += (uint64_t)count;
        if (count == 0 || ++in_flight % IN_FLIGHT == 0)
            ra_ring_release(view, claim.end);
        if (count == 0)
            sched_yield();
    }
    ra_ring_release(view, claim.end);
    CHECK_EQ(taken, records);
}

static void
start(struct producer *team, struct ra_region *region)
{
    uint64_t i;

    for (i = 0; i < producers; i++) {
        team[i] = (struct producer){.region = region, .number = i};
        team[i].count = records / producers + (i < records % producers);
        CHECK_EQ(pthread_create(&team[i].thread, NULL, produce, &team[i]),
                 0);
    }
}

/* Wait for the producers; how often they found the ring full. */
static uint64_t
join(struct producer *team)
{
    uint64_t full = 0, i;

    for (i = 0; i < producers; i++) {
        pthread_join(team[i].thread, NULL);
        full += team[i].full;
    }
    return full;
}

static struct ra_region *
make_ring(int descriptor)
{
    struct ra_region *region;

    CHECK_EQ(ftruncate(descriptor, FILE_SIZE), 0);
    region = ra_map(descriptor, FILE_SIZE);
    CHECK(region != NULL);
    CHECK_EQ(ra_ring_format(region, SMALLEST, ring_id, 0), 0);
    ra_region_describe(region, project, 1, 1, 5, RA_CHECKED);
    ra_region_seal(region);
    return region;
}

/* Whether all was taken, nothing twice, and every byte is zero again. */
static void
check_end(struct ra_region *region, uint64_t full)
{
    struct ra_ring view = {.region = NULL};

    CHECK_EQ(ra_region_check(region, FILE_SIZE, project), RA_SOUND);
    CHECK_EQ(ra_ring_attach(&view, region), 0);
    CHECK_EQ(ra_ring_pushed(&view), records);
    CHECK_EQ(ra_ring_refused(&view), full);
    CHECK_EQ(ra_ring_free(&view), ra_ring_tail(&view));
    check_ring(&view);
    CHECK(is_zero(region->data, SMALLEST));
    printf("  %" PRIu64 " records, %" PRIu64 " laps, %" PRIu64 " full\n",
           records, ra_ring_tail(&view) / SMALLEST, full);
}

static void
views(void)
{
    struct producer team[PRODUCERS_MAX];
    struct ra_ring view = {.region = NULL};
    int descriptor = ra_lease_open(directory, "views", 1);
    struct ra_region *region = make_ring(descriptor);

    CHECK_EQ(ra_ring_attach(&view, region), 0);
    start(team, region);
    consume(&view);
    check_end(region, join(team));
    ra_unmap(region, FILE_SIZE);
    ra_lease_close(descriptor);
    CHECK_EQ(unlinkat(directory, "views", 0), 0);
}

/* The consumer's process: it has nothing of the other's but a name. */
static void
relay(void)
{
    struct ra_ring view = {.region = NULL};
    int descriptor;
    struct ra_region *region;

    ra_generation_renew();
    descriptor = ra_lease_open(directory, "processes", 0);
    CHECK(descriptor >= 0);
    CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_PRODUCER), EAGAIN);
    CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_CONSUMER), 0);
    region = ra_map(descriptor, FILE_SIZE);
    CHECK(region != NULL);
    CHECK_EQ(ra_region_check(region, FILE_SIZE, project), RA_SOUND);
    CHECK_EQ(ra_ring_attach(&view, region), 0);
    consume(&view);
    ra_unmap(region, FILE_SIZE);
    ra_lease_close(descriptor);
    _exit(0);
}

static void
processes(void)
{
    struct producer team[PRODUCERS_MAX];
    int descriptor = ra_lease_open(directory, "processes", 1);
    struct ra_region *region = make_ring(descriptor);
    pid_t consumer;
    uint64_t full;

    CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_PRODUCER), 0);
    /* Before there are threads: sanitizers want it so. */
    consumer = fork();
    if (consumer == 0)
        relay();
    is_elsewhere = 1;
    start(team, region);
    full = join(team);
    wait_for_success(consumer);
    check_end(region, full);
    ra_unmap(region, FILE_SIZE);
    ra_lease_close(descriptor);
    CHECK_EQ(unlinkat(directory, "processes", 0), 0);
}

int
main(int argc, char **argv)
{
    struct timespec now;
    int i;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = (uint64_t)now.tv_nsec * 2654435761u + (uint64_t)now.tv_sec;
    for (i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);

        if (strcmp(argv[i], "--records") == 0)
            records = value;
        else if (strcmp(argv[i], "--producers") == 0)
            producers = value;
        else if (strcmp(argv[i], "--seed") == 0)
            seed = value;
        else
            CHECK(!"known argument");
    }
    CHECK(producers > 0 && producers <= PRODUCERS_MAX);
    printf("seed %" PRIu64 "\n", seed);

    holding_setup(argv[0]);
    alarm(records < 1000000 ? 60 : 3600);
    RUN(views);
    RUN(processes);
    CHECK_EQ(rmdir(folder), 0);
    return 0;
}
