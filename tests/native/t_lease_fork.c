/* SPDX-License-Identifier: MIT */
/*
 * Leases through forks and deaths of every kind.
 *
 *   t_lease_fork [SEED]
 *
 * A map counts as much as a descriptor: it keeps its file open, and with it
 * the locks. So every holder here maps its file.
 */
#include "holding.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#define OPENERS 3
#define FORKS 200

static uint64_t seed;

static void
child_has_nothing_and_takes_nothing(void)
{
    int before = open_count();
    struct holding it = hold("a");
    pid_t child = fork();

    if (child == 0) {
        CHECK_EQ(open_count(), before);
        CHECK_EQ(fcntl(it.descriptor, F_GETFD), -1);
        CHECK(!is_any_mapped());
        /* Its own memory where the map was. */
        CHECK(is_zero(it.map, SIZE));
        it.map[0] = 'y';
        CHECK(!are_free("a"));
        ra_unmap(it.map, SIZE);
        _exit(0);
    }
    wait_for_success(child);
    CHECK(!are_free("a"));
    CHECK_EQ(it.map[0], 'x');
    let_go(it, "a");
    CHECK_EQ(open_count(), before);
}

static void
grandchild_leaves_its_parents_lock_alone(void)
{
    pid_t child = fork(), grandchild;
    struct holding it;

    if (child == 0) {
        ra_generation_renew();
        it = hold("a");
        grandchild = fork();
        if (grandchild == 0) {
            CHECK_EQ(fcntl(it.descriptor, F_GETFD), -1);
            CHECK(!is_any_mapped());
            _exit(0);
        }
        wait_for_success(grandchild);
        CHECK(!are_free("a"));
        let_go(it, "a");
        _exit(0);
    }
    wait_for_success(child);
}

/* A fork that the C library does not see: no handler runs. */
static pid_t
raw_fork(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

/* An owner and its child, which lives on and says what it has done. Both end
   with this process at the latest: then their pipes do. */
struct family {
    int to_owner[2], to_child[2], from_child[2];
    pid_t owner;
};

static void
wait_for_word(int from)
{
    char word;

    CHECK_EQ(read(from, &word, 1), 1);
}

static void
close_pipe(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static void
live_on(const struct family *family, int is_raw)
{
    char word = 'w';

    CHECK_EQ(write(family->from_child[1], &word, 1), 1);
    if (is_raw) {
        wait_for_word(family->to_child[0]);
        ra_generation_renew();
        CHECK_EQ(write(family->from_child[1], &word, 1), 1);
    }
    wait_for_word(family->to_child[0]);
    _exit(0);
}

static void
owners_death_frees_although_its_child_lives(int is_raw)
{
    struct family family;
    char word = 'w';
    int status;

    CHECK_EQ(pipe2(family.to_owner, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(family.to_child, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(family.from_child, O_CLOEXEC), 0);
    family.owner = fork();
    if (family.owner == 0) {
        close(family.to_owner[1]);
        close(family.to_child[1]);
        ra_generation_renew();
        hold("a");
        if ((is_raw ? raw_fork() : fork()) == 0)
            live_on(&family, is_raw);
        wait_for_word(family.to_owner[0]);
        _exit(1);
    }
    wait_for_word(family.from_child[0]);
    CHECK(!are_free("a"));
    CHECK_EQ(kill(family.owner, SIGKILL), 0);
    CHECK_EQ(waitpid(family.owner, &status, 0), family.owner);
    if (is_raw) {
        /* Nothing has told the child; then it is looked at, and knows. */
        CHECK(!are_free("a"));
        CHECK_EQ(write(family.to_child[1], &word, 1), 1);
        wait_for_word(family.from_child[0]);
    }
    CHECK(are_free("a"));
    CHECK_EQ(write(family.to_child[1], &word, 1), 1);
    close_pipe(family.to_owner);
    close_pipe(family.to_child);
    close_pipe(family.from_child);
    unlinkat(directory, "a", 0);
}

static void
death_frees_after_a_fork(void)
{
    owners_death_frees_although_its_child_lives(0);
}

static void
death_frees_after_a_raw_clone(void)
{
    if (ra_generation_wipes())
        owners_death_frees_although_its_child_lives(1);
}

static void
close_unlocks_although_a_copy_is_left(void)
{
    struct holding it = hold("a");
    int gate[2];
    pid_t child;
    char word = 'w';

    CHECK_EQ(pipe2(gate, O_CLOEXEC), 0);
    child = raw_fork();
    if (child == 0) {
        close(gate[1]);
        wait_for_word(gate[0]);
        CHECK(fcntl(it.descriptor, F_GETFD) != -1);
        _exit(0);
    }
    CHECK(!are_free("a"));
    ra_lease_close(it.descriptor);
    CHECK(are_free("a"));
    CHECK_EQ(write(gate[1], &word, 1), 1);
    wait_for_success(child);
    ra_unmap(it.map, SIZE);
    close_pipe(gate);
    unlinkat(directory, "a", 0);
}

/* Stands for the GIL, as lease.h wants it. */
static pthread_mutex_t gil = PTHREAD_MUTEX_INITIALIZER;
static atomic_int is_over;

/* is_free() while no fork copies what it opens. */
static int
is_free_now(const char *name)
{
    int answer;

    pthread_mutex_lock(&gil);
    answer = is_free(name, RA_LEASE_PRODUCER);
    pthread_mutex_unlock(&gil);
    return answer;
}

static void
close_keeping_gil(int descriptor)
{
    pthread_mutex_lock(&gil);
    ra_lease_close(descriptor);
    pthread_mutex_unlock(&gil);
}

static void *
open_and_close(void *number)
{
    uint64_t state = seed + (uintptr_t)number * 7919, rounds = 0;
    char name[16];

    snprintf(name, sizeof(name), "race-%d", (int)(uintptr_t)number);
    while (!atomic_load(&is_over)) {
        int is_mapped_longer = random_next(&state) % 2 == 0, descriptor;
        void *map;

        pthread_mutex_lock(&gil);
        descriptor = ra_lease_open(directory, name, 1);
        pthread_mutex_unlock(&gil);
        CHECK(descriptor >= 0);
        CHECK_EQ(ftruncate(descriptor, SIZE), 0);
        CHECK_EQ(ra_lease_take(descriptor, RA_LEASE_PRODUCER), 0);
        map = ra_map(descriptor, SIZE);
        CHECK(map != NULL);
        memset(map, 'x', random_next(&state) % SIZE);
        /* Whatever the children did, the lock is there. */
        CHECK(!is_free_now(name));
        if (is_mapped_longer)
            close_keeping_gil(descriptor);
        ra_unmap(map, SIZE);
        if (!is_mapped_longer)
            close_keeping_gil(descriptor);
        CHECK(is_free_now(name));
        CHECK_EQ(unlinkat(directory, name, 0), 0);
        rounds++;
    }
    return (void *)(uintptr_t)rounds;
}

static void
forks_between_opening_and_closing_copy_nothing(void)
{
    pthread_t threads[OPENERS];
    uint64_t rounds = 0;
    void *answer;
    int forks, i;
    pid_t child;

    for (i = 0; i < OPENERS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, open_and_close,
                                (void *)(uintptr_t)i),
                 0);
    for (forks = 0; forks < FORKS; forks++) {
        pthread_mutex_lock(&gil);
        child = fork();
        if (child == 0) {
            CHECK(!is_any_open());
            CHECK(!is_any_mapped());
            ra_generation_renew();
            let_go(hold("child"), "child");
            _exit(0);
        }
        pthread_mutex_unlock(&gil);
        wait_for_success(child);
    }
    atomic_store(&is_over, 1);
    for (i = 0; i < OPENERS; i++) {
        pthread_join(threads[i], &answer);
        rounds += (uintptr_t)answer;
    }
    printf("  %d forks, %" PRIu64 " openings\n", forks, rounds);
    CHECK(rounds > 0);
    CHECK(!is_any_open() && !is_any_mapped());
}

int
main(int argc, char **argv)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = (uint64_t)now.tv_nsec * 2654435761u + (uint64_t)now.tv_sec;
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);

    holding_setup(argv[0]);
    RUN(child_has_nothing_and_takes_nothing);
    RUN(grandchild_leaves_its_parents_lock_alone);
    RUN(death_frees_after_a_fork);
    RUN(death_frees_after_a_raw_clone);
    RUN(close_unlocks_although_a_copy_is_left);
    RUN(forks_between_opening_and_closing_copy_nothing);
    CHECK_EQ(rmdir(folder), 0);
    return 0;
}
