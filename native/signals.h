/* SPDX-License-Identifier: MIT */
/*
 * Which signals a thread takes.
 *
 * The kernel gives a signal that is sent to a process to any thread that does
 * not block it. Python does not care: its handlers run in the main thread.
 * C code around Python may: uWSGI's handlers call exit() where they stand,
 * and outside of the main thread no exit handler of Python's runs then.
 */
#ifndef RINGAMP_SIGNALS_H
#define RINGAMP_SIGNALS_H

#include <stdint.h>

/*
 * ra_signals_block: from now on the calling thread takes no signal that is
 * sent to the whole process.
 *
 * => Not those that a thread gets for what it did itself, and not SIGPROF, by
 *    which a profiler looks at whatever runs.
 * => What it took until now: bit n stands for signal n + 1.
 */
uint64_t ra_signals_block(void);

/*
 * ra_signals_unblock: take these signals again.
 */
void ra_signals_unblock(uint64_t signals);

#endif
