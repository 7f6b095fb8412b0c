/* SPDX-License-Identifier: MIT */
/*
 * The names by which shared words are read and written. A grep for these
 * finds every shared access; no shared word is touched in any other way.
 *
 * An operation without a suffix for its order does not exist. Each caller
 * names the edge (ring.c, "Edges") that its order belongs to, or says why
 * relaxed is enough. There are no stand-alone thread fences: the thread
 * sanitizer does not model them.
 */
#ifndef RINGAMP_ATOMICS_H
#define RINGAMP_ATOMICS_H

#include <stdatomic.h>
#include <stdint.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2,
               "ringamp needs lock-free 64-bit atomics");

typedef _Atomic uint64_t ra_word;

#define load_relaxed(p) atomic_load_explicit((p), memory_order_relaxed)
#define load_acquire(p) atomic_load_explicit((p), memory_order_acquire)
#define load_seq_cst(p) atomic_load_explicit((p), memory_order_seq_cst)
#define store_relaxed(p, v)                                                   \
    atomic_store_explicit((p), (v), memory_order_relaxed)
#define store_release(p, v)                                                   \
    atomic_store_explicit((p), (v), memory_order_release)
#define store_seq_cst(p, v)                                                   \
    atomic_store_explicit((p), (v), memory_order_seq_cst)
#define add_relaxed(p, v)                                                     \
    atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define add_seq_cst(p, v)                                                     \
    atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)

/* Weak: may fail without cause, so it stands in a loop. */
#define cas_acq_rel(p, expected, desired)                                     \
    atomic_compare_exchange_weak_explicit((p), (expected), (desired),         \
                                          memory_order_acq_rel,               \
                                          memory_order_relaxed)
#define cas_seq_cst(p, expected, desired)                                     \
    atomic_compare_exchange_strong_explicit((p), (expected), (desired),       \
                                            memory_order_seq_cst,             \
                                            memory_order_relaxed)

/*
 * Keeps the compiler from moving stores across it. Whoever reads a region
 * after its writer's death sees every store that was retired, in whatever
 * order the processor made them visible, so no processor fence is needed.
 */
#define compiler_barrier() atomic_signal_fence(memory_order_seq_cst)

#endif
