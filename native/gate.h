/* SPDX-License-Identifier: MIT */
/*
 * The gate of a ring: once it is shut nobody comes in, and whoever was inside
 * has gone.
 *
 * Only interpreters without a GIL need it. With one, a push that keeps it
 * from its look at the generation to its commit is one step for whoever
 * closes the ring; without, the closer has to see that nobody is between the
 * two. So a producer counts itself in before it looks whether the gate is
 * shut, and the closer shuts it before it looks whether anybody is counted.
 * All four are sequentially consistent: as in ring.c, "Waking the consumer",
 * at least one of them sees the other.
 *
 * One count would be a line that every push of every thread writes to. There
 * are several, far from one another, and each thread has its own as long as
 * there are not more threads than counts.
 *
 * A child of a fork may inherit counts of threads that are not there. It has
 * another ring, and closes none of its parent's.
 */
#ifndef RINGAMP_GATE_H
#define RINGAMP_GATE_H

#include <stddef.h>

#include "atomics.h"

#define RA_GATE_COUNTS 32u

/* Two lines: the processor fetches them in pairs. */
#define RA_APART 16

struct ra_gate {
    ra_word is_shut;
    uint64_t apart[RA_APART - 1];
    ra_word inside[RA_GATE_COUNTS * RA_APART];
};

/*
 * ra_gate_enter: come in.
 *
 * => Any thread. The count to give back to ra_gate_leave(); NULL: it is shut.
 *    Between the two nothing waits and nobody is called who might.
 */
static inline ra_word *
ra_gate_enter(struct ra_gate *gate)
{
    static ra_word threads;
    static _Thread_local uint64_t mine;
    ra_word *count;

    /* relaxed: a number of one's own, nothing else; 0 is none yet. */
    if (mine == 0)
        mine = add_relaxed(&threads, 1) + 1;
    count = &gate->inside[mine % RA_GATE_COUNTS * RA_APART];
    add_seq_cst(count, 1);
    if (load_seq_cst(&gate->is_shut) == 0)
        return count;
    add_seq_cst(count, UINT64_MAX);
    return NULL;
}

/*
 * ra_gate_leave: go; what was written inside is seen by whoever shuts.
 */
static inline void
ra_gate_leave(ra_word *count)
{
    add_seq_cst(count, UINT64_MAX);
}

/*
 * ra_gate_shut: let nobody in from now on.
 */
static inline void
ra_gate_shut(struct ra_gate *gate)
{
    store_seq_cst(&gate->is_shut, 1);
}

/*
 * ra_gate_is_empty: whether all have gone.
 *
 * => After ra_gate_shut().
 */
static inline int
ra_gate_is_empty(struct ra_gate *gate)
{
    unsigned i;

    for (i = 0; i < RA_GATE_COUNTS; i++)
        if (load_seq_cst(&gate->inside[i * RA_APART]) != 0)
            return 0;
    return 1;
}

#endif
