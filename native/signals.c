/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* pthread_sigmask, and SIGPROF */

#include "signals.h"

#include <signal.h>

/* Fetched through ctypes.PyDLL: to let go of the GIL for a call this short
   would mean to wait for it again. */
#define EXPORTED __attribute__((visibility("default")))

#define SIGNALS 64

/* Of the last two the system says nothing: none can block them. */
static const int taken_always[] = {
    SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGABRT, SIGTRAP,
    SIGSYS,  SIGPIPE, SIGPROF, SIGKILL, SIGSTOP,
};

EXPORTED uint64_t
ra_signals_block(void)
{
    sigset_t all, before;
    uint64_t taken = 0;
    size_t i;

    sigfillset(&all);
    for (i = 0; i < sizeof(taken_always) / sizeof(taken_always[0]); i++)
        sigdelset(&all, taken_always[i]);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (i = 0; i < SIGNALS; i++)
        /* -1 where the system has no such signal. */
        if (sigismember(&all, (int)i + 1) == 1 &&
            sigismember(&before, (int)i + 1) == 0)
            taken |= UINT64_C(1) << i;
    return taken;
}

EXPORTED void
ra_signals_unblock(uint64_t signals)
{
    sigset_t some;
    size_t i;

    sigemptyset(&some);
    for (i = 0; i < SIGNALS; i++)
        if (signals >> i & 1)
            sigaddset(&some, (int)i + 1);
    pthread_sigmask(SIG_UNBLOCK, &some, NULL);
}
