/* SPDX-License-Identifier: MIT */
/*
 * The fork generation: one word that says whether this process is the one
 * that built what it is about to use.
 */
#ifndef RINGAMP_GENERATION_H
#define RINGAMP_GENERATION_H

#include <stdint.h>

/*
 * ra_generation_setup: get the word, once per process image.
 *
 * => With the GIL, at import. 0, or the errno of what failed.
 */
int ra_generation_setup(void);

/*
 * ra_generation: this process's generation, 0 in a child that has not yet
 * called ra_generation_renew().
 *
 * => Any thread. One load.
 */
uint64_t ra_generation(void);

/*
 * ra_generation_renew: begin a new generation if a fork has ended the last.
 *
 * => Any thread; all that call it get the same answer until the next fork.
 *    Never 0, never a generation of any ancestor.
 */
uint64_t ra_generation_renew(void);

/*
 * ra_generation_wipes: whether the kernel zeroes the word at a fork by
 * itself, so that even a fork that runs no hook at all is noticed.
 */
int ra_generation_wipes(void);

/*
 * ra_wipe_on_fork: have the kernel zero these pages in a child.
 *
 * => Private anonymous pages. 0, or -1 where the kernel cannot.
 */
int ra_wipe_on_fork(void *address, uint64_t length);

#endif
