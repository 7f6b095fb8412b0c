/* SPDX-License-Identifier: MIT */
/*
 * Which signals a thread takes: blocked and unblocked, and those of a process
 * that one thread of two has blocked.
 */
#include "check.h"

#include <pthread.h>
#include <signal.h>

#include "signals.h"

static const int always[] = {
    SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGABRT, SIGTRAP,
    SIGSYS,  SIGPIPE, SIGPROF, SIGKILL, SIGSTOP,
};

static int
is_blocked(int signal)
{
    sigset_t now;

    pthread_sigmask(SIG_BLOCK, NULL, &now);
    return sigismember(&now, signal) == 1;
}

static uint64_t
bit(int signal)
{
    return UINT64_C(1) << (signal - 1);
}

static void
all_but_a_threads_own_are_blocked(void)
{
    uint64_t taken = ra_signals_block();
    size_t i;

    CHECK(is_blocked(SIGHUP) && is_blocked(SIGINT) && is_blocked(SIGTERM));
    CHECK(is_blocked(SIGCHLD) && is_blocked(SIGALRM) && is_blocked(SIGUSR1));
    CHECK(is_blocked(SIGRTMAX));
    CHECK(taken & bit(SIGHUP) && taken & bit(SIGTERM));
    CHECK(taken & bit(SIGRTMAX));
    for (i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
        CHECK(!is_blocked(always[i]));
        CHECK(!(taken & bit(always[i])));
    }

    ra_signals_unblock(taken);
    CHECK(!is_blocked(SIGHUP) && !is_blocked(SIGINT));
    CHECK(!is_blocked(SIGCHLD) && !is_blocked(SIGRTMAX));
}

static void
what_was_blocked_before_stays_blocked(void)
{
    uint64_t taken, more;
    sigset_t one;

    sigemptyset(&one);
    sigaddset(&one, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &one, NULL);

    taken = ra_signals_block();
    more = ra_signals_block();
    CHECK(!(taken & bit(SIGUSR2)));
    CHECK_EQ(more, 0);

    ra_signals_unblock(more);
    CHECK(is_blocked(SIGHUP));
    ra_signals_unblock(taken);
    CHECK(!is_blocked(SIGHUP));
    CHECK(is_blocked(SIGUSR2));
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}

static pthread_barrier_t begun;
static volatile pthread_t taker;

static void
note(int signal)
{
    (void)signal;
    taker = pthread_self();
}

static void *
block_and_wait(void *unused)
{
    (void)unused;
    ra_signals_block();
    pthread_barrier_wait(&begun);
    pthread_barrier_wait(&begun);
    return NULL;
}

/* The one case in which the kernel would choose the other thread. */
static void
a_signal_of_the_process_waits_for_who_takes_it(void)
{
    struct sigaction action = {.sa_handler = note};
    pthread_t other, none;
    sigset_t one;

    none = taker;
    sigaction(SIGHUP, &action, NULL);
    pthread_barrier_init(&begun, NULL, 2);
    CHECK_EQ(pthread_create(&other, NULL, block_and_wait, NULL), 0);
    pthread_barrier_wait(&begun);

    sigemptyset(&one);
    sigaddset(&one, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    kill(getpid(), SIGHUP);
    CHECK(pthread_equal(taker, none));
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    CHECK(pthread_equal(taker, pthread_self()));

    pthread_barrier_wait(&begun);
    CHECK_EQ(pthread_join(other, NULL), 0);
}

int
main(void)
{
    RUN(all_but_a_threads_own_are_blocked);
    RUN(what_was_blocked_before_stays_blocked);
    RUN(a_signal_of_the_process_waits_for_who_takes_it);
    return 0;
}
