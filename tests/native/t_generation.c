/* SPDX-License-Identifier: MIT */
/*
 * Forks: every kind is noticed by whoever looks at the generation.
 *
 * Compiled a second time with -Dmadvise=no_madvise, which refuses to wipe:
 * then the pthread_atfork handler alone must notice every fork() there is.
 */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "generation.h"

#define RACERS 4
#define FORKS 50

#ifdef madvise
int
no_madvise(void *address, size_t length, int advice)
{
    (void)address;
    (void)length;
    (void)advice;
    errno = EINVAL;
    return -1;
}
#endif

/* Wait for `child`; whether it ended well. */
static int
ended_well(pid_t child)
{
    int status = 0;

    CHECK(child > 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status == 0;
}

static void
setup_begins_the_first_generation(void)
{
    uint64_t first;

    CHECK_EQ(ra_generation_setup(), 0);
    first = ra_generation();
    CHECK(first != 0);
    CHECK_EQ(ra_generation_renew(), first);
    CHECK_EQ(ra_generation_setup(), 0);
    CHECK_EQ(ra_generation(), first);
}

static void
child_and_grandchild_notice(void)
{
    uint64_t parents = ra_generation(), childs;
    pid_t child, grandchild;

    child = fork();
    if (child == 0) {
        CHECK_EQ(ra_generation(), 0);
        /* A grandchild whose parent never looked. */
        grandchild = fork();
        if (grandchild == 0) {
            CHECK_EQ(ra_generation(), 0);
            CHECK(ra_generation_renew() > parents);
            _exit(0);
        }
        CHECK(ended_well(grandchild));

        childs = ra_generation_renew();
        CHECK(childs > parents);
        CHECK_EQ(ra_generation(), childs);
        /* And one whose parent did. */
        grandchild = fork();
        if (grandchild == 0) {
            CHECK_EQ(ra_generation(), 0);
            CHECK(ra_generation_renew() > childs);
            _exit(0);
        }
        CHECK(ended_well(grandchild));
        CHECK_EQ(ra_generation(), childs);
        _exit(0);
    }
    CHECK(ended_well(child));
    CHECK_EQ(ra_generation(), parents);
}

static pthread_barrier_t barrier;

static void *
renew(void *answer)
{
    pthread_barrier_wait(&barrier);
    *(uint64_t *)answer = ra_generation_renew();
    return NULL;
}

static void
racing_threads_get_one_generation(void)
{
    pthread_t threads[RACERS];
    uint64_t answers[RACERS], parents = ra_generation();
    int fork_count, i;
    pid_t child;

    for (fork_count = 0; fork_count < FORKS; fork_count++) {
        child = fork();
        if (child == 0) {
            CHECK_EQ(pthread_barrier_init(&barrier, NULL, RACERS), 0);
            for (i = 0; i < RACERS; i++)
                CHECK_EQ(pthread_create(&threads[i], NULL, renew,
                                        &answers[i]),
                         0);
            for (i = 0; i < RACERS; i++) {
                pthread_join(threads[i], NULL);
                CHECK_EQ(answers[i], answers[0]);
            }
            CHECK(answers[0] > parents);
            CHECK_EQ(ra_generation(), answers[0]);
            _exit(0);
        }
        CHECK(ended_well(child));
    }
}

#if defined(__linux__) && !defined(madvise)
/* A fork that the C library does not see: no handler runs. */
static pid_t
raw_fork(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void
fork_without_any_handler_is_noticed(void)
{
    uint64_t parents = ra_generation();
    pid_t child;

    CHECK(ra_generation_wipes());
    child = raw_fork();
    if (child == 0) {
        CHECK_EQ(ra_generation(), 0);
        CHECK(ra_generation_renew() > parents);
        _exit(0);
    }
    CHECK(ended_well(child));
    CHECK_EQ(ra_generation(), parents);
}

static void
region_is_wiped_in_the_child_alone(void)
{
    struct ra_ring ring;
    struct ra_claim claim;
    pid_t child;

    ring_new(&ring, SMALLEST, 0);
    CHECK_EQ(ra_wipe_on_fork(ring.region, RA_HEADER_SIZE + SMALLEST), 0);
    push_letters(&ring, 'a', 100);
    child = raw_fork();
    if (child == 0) {
        CHECK(is_zero((unsigned char *)ring.region,
                      RA_HEADER_SIZE + SMALLEST));
        CHECK_EQ(ra_ring_attach(&ring, ring.region), -1);
        _exit(0);
    }
    CHECK(ended_well(child));
    CHECK_EQ(claim_all(&ring, &claim), 1);
    check_letters(&ring, 0, 'a', 100);
    ring_drop(&ring);
}
#endif

#ifdef madvise
static void
nothing_is_wiped_here(void)
{
    CHECK(!ra_generation_wipes());
    CHECK_EQ(ra_wipe_on_fork(NULL, 0), -1);
}
#endif

int
main(void)
{
    RUN(setup_begins_the_first_generation);
    RUN(child_and_grandchild_notice);
    RUN(racing_threads_get_one_generation);
#ifdef madvise
    RUN(nothing_is_wiped_here);
#elif defined(__linux__)
    RUN(fork_without_any_handler_is_noticed);
    RUN(region_is_wiped_in_the_child_alone);
#endif
    return 0;
}
