/* SPDX-License-Identifier: MIT */
/*
 * Kills processes in the middle of what they do, and looks at what is left.
 *
 *   kill --rounds N --seed N --first ROUND POINT...
 *
 * Works in the current directory. Each round has a ring file of its own,
 * three threads that push and mostly one that consumes, in one process or in
 * two. They note outside the ring what they are about to do and what they
 * have done. One dies of SIGKILL: at the n-th arrival at a point of the
 * protocol (native/failpoint.h), or at some instant. Then this process does
 * what whoever finds the file does: takes the locks, checks, repairs or
 * resumes, and consumes the rest. The notes and the records must agree: what
 * was pushed is there, once, whole, in order; only what had been handed over
 * but not yet given back comes a second time, from the same position.
 */
#include "kill.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define POINTS_MAX 64
#define TIME_OUT 30 /* seconds of one round, on a loaded machine */

static const char *points[POINTS_MAX];
static uint64_t deaths[POINTS_MAX];
static uint64_t point_count;
static uint64_t rounds = 300, first, seed;
static int folder;
static struct oracle *oracle;

static struct plan
plan_of(uint64_t round)
{
    uint64_t state = mix(seed, round);
    /* All points, in all ways of working, and a third as many instants. */
    uint64_t which = round / KINDS % (point_count + (point_count + 2) / 3);
    struct plan plan = {.kind = (enum kind)(round % KINDS)};

    plan.seed = random_next(&state);
    if (which < point_count)
        plan.point = points[which];
    plan.hits = 1 + random_next(&state) % (1 << random_next(&state) % 7);
    plan.instant = random_next(&state) % 5000;
    /* Anywhere in a lap; sometimes where 32 bits end. */
    plan.start = random_next(&state) % CAPACITY & ~UINT64_C(7);
    if (random_next(&state) % 4 == 0)
        plan.start += (UINT64_C(1) << (32 + random_next(&state) % 31)) -
                      CAPACITY;
    return plan;
}

static void
nap(uint64_t microseconds)
{
    struct timespec time = {0, (long)microseconds * 1000};

    nanosleep(&time, NULL);
}

typedef void worker(struct oracle *, const struct plan *, int, const char *);

static pid_t
start(worker *run, const struct plan *plan, const char *name)
{
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0)
        run(oracle, plan, folder, name);
    while (sem_wait(&oracle->ready) != 0)
        continue;
    return child;
}

/* Wait for the death of `child`, or of any. Never of another cause. */
static pid_t
bury(pid_t child)
{
    int status;
    pid_t dead = waitpid(child, &status, 0);

    CHECK(dead > 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return dead;
}

static void
kill_and_bury(pid_t child)
{
    CHECK_EQ(kill(child, SIGKILL), 0);
    bury(child);
}

static void
note_death(const struct plan *plan)
{
    uint64_t i;

    if (plan->point == NULL)
        totals.instants++;
    else if (!load_seq_cst(&oracle->is_hit))
        totals.full++;
    for (i = 0; i < point_count; i++)
        if (points[i] == plan->point && load_seq_cst(&oracle->is_hit))
            deaths[i]++;
}

/*
 * let_die: see to the first death, and to the other's where there are two
 * processes. In between, someone takes the dead consumer's place.
 */
static void
let_die(struct ra_ring *ring, int descriptor, const struct plan *plan,
        pid_t owner, pid_t consumer)
{
    pid_t dead = plan->kind == RELAY && plan->seed % 2 ? consumer : owner;

    if (plan->point == NULL) {
        nap(plan->instant);
        kill_and_bury(dead);
    } else {
        dead = bury(-1);
    }
    if (plan->kind != ALONE)
        CHECK(plan->point == NULL || load_seq_cst(&oracle->is_hit));
    note_death(plan);
    if (dead == consumer) {
        consume_living(ring, descriptor);
        kill_and_bury(owner);
    } else if (plan->kind == RELAY) {
        CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_CONSUMER), EAGAIN);
        nap(plan->instant % 300);
        kill_and_bury(consumer);
    }
}

static void
run_round(uint64_t round)
{
    struct plan plan = plan_of(round);
    struct ra_ring ring = {.region = NULL};
    pid_t owner, consumer = 0;
    int descriptor;
    char name[32];

    alarm(TIME_OUT);
    snprintf(name, sizeof(name), "%" PRIu64 ".ring", round);
    memset(oracle, 0, offsetof(struct oracle, handed));
    settle_begin(oracle, &plan);
    CHECK_EQ(sem_init(&oracle->ready, 1, 0), 0);
    CHECK_EQ(sem_init(&oracle->go, 1, 0), 0);

    owner = start(run_owner, &plan, name);
    if (plan.kind == RELAY)
        consumer = start(run_consumer, &plan, name);
    descriptor = ra_lease_open(folder, name, 0);
    CHECK(descriptor >= 0);
    CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_PRODUCER), EAGAIN);
    CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_CONSUMER), EAGAIN);
    CHECK_EQ(sem_post(&oracle->go), 0);
    if (plan.kind == RELAY)
        CHECK_EQ(sem_post(&oracle->go), 0);

    let_die(&ring, descriptor, &plan, owner, consumer);
    settle(&ring, descriptor);
    ra_unmap(ring.region, FILE_SIZE);
    ra_lease_close(descriptor);
    CHECK_EQ(unlinkat(folder, name, 0), 0);
}

static void
read_arguments(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        uint64_t *value = strcmp(argv[i], "--rounds") == 0  ? &rounds
                          : strcmp(argv[i], "--first") == 0 ? &first
                          : strcmp(argv[i], "--seed") == 0  ? &seed
                                                            : NULL;

        if (value == NULL) {
            CHECK(point_count < POINTS_MAX);
            points[point_count++] = argv[i];
        } else {
            CHECK(++i < argc);
            *value = strtoull(argv[i], NULL, 10);
        }
    }
    CHECK(point_count > 0 && "points are given");
}

static void
give_up(int signal)
{
    (void)signal;
    check_failed(__FILE__, __LINE__, "in time");
}

int
main(int argc, char **argv)
{
    struct timespec from, to;
    uint64_t round, i;
    double seconds;

    read_arguments(argc, argv);
    signal(SIGALRM, give_up);
    CHECK_EQ(ra_generation_setup(), 0);
    folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    oracle = mmap(NULL, sizeof(*oracle), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(folder >= 0 && oracle != MAP_FAILED);

    clock_gettime(CLOCK_MONOTONIC, &from);
    for (round = first; round < first + rounds; round++) {
        snprintf(check_context, sizeof(check_context),
                 "(seed %" PRIu64 ", round %" PRIu64 ")", seed, round);
        run_round(round);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    seconds = (double)(to.tv_sec - from.tv_sec) +
              (double)(to.tv_nsec - from.tv_nsec) / 1e9;

    for (i = 0; i < point_count; i++)
        printf("survived %" PRIu64 " %s\n", deaths[i], points[i]);
    printf("%" PRIu64 " rounds: %" PRIu64 " at instants, %" PRIu64
           " in a full ring, %" PRIu64 " resumed by another consumer\n",
           rounds, totals.instants, totals.full, totals.resumed);
    printf("%" PRIu64 " records pushed, %" PRIu64 " of them found by repairs, "
           "%" PRIu64 " after a push that never returned\n",
           totals.pushed, totals.repaired, totals.unheard);
    printf("%" PRIu64 " torn, %" PRIu64 " holes, %" PRIu64 " handed over again"
           ", 0 lost, 0 changed\n",
           totals.torn, totals.holes, totals.again);
    printf("seed %" PRIu64 ", %.1f s, %.1f ms a round\n", seed, seconds,
           seconds * 1000 / (double)rounds);
    return 0;
}
