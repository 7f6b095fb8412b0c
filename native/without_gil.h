/* SPDX-License-Identifier: MIT */
/*
 * What the builtins do in other ways where there is no GIL.
 *
 * With one, a builtin borrows what it finds in a dict, and whoever closes a
 * ring comes before or after a push. Without, others may change the dict or
 * close the ring meanwhile: so what is found is held, and the ring has a gate.
 */
#ifndef RINGAMP_WITHOUT_GIL_H
#define RINGAMP_WITHOUT_GIL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <time.h>

#include "generation.h"
#include "ring.h"

#ifdef Py_GIL_DISABLED

#ifndef RINGAMP_FREE_THREADED
#error "a free-threaded build defines RINGAMP_FREE_THREADED, see ffi_build.py"
#endif

/* Whether a dict can change under a builtin that only looks at it; between
   the other two no other thread changes the object. */
#define RA_CAN_CHANGE_MEANWHILE 1
#define RA_BEGIN_ALONE(object) Py_BEGIN_CRITICAL_SECTION(object)
#define RA_END_ALONE() Py_END_CRITICAL_SECTION()

/* 1 with `found`, to be let go; 0 with NULL; -1 with an exception. */
static inline int
ra_look_up(PyObject *dict, PyObject *key, PyObject **found)
{
    return PyDict_GetItemRef(dict, key, found);
}

static inline void
ra_let_go(PyObject **found, int count)
{
    while (count > 0)
        Py_XDECREF(found[--count]);
}

/* As ra_ring_push(); `shut` where the ring is closed. */
static inline int64_t
ra_push_open(struct ra_ring *ring, const void *payload, uint64_t length,
             unsigned flags, uint64_t time_ms, int64_t shut)
{
    ra_word *inside = ra_gate_enter(&ring->gate);
    int64_t position;

    if (inside == NULL)
        return shut;
    position = ra_ring_push(ring, payload, length, flags, time_ms);
    ra_gate_leave(inside);
    return position;
}

/*
 * Refuse all later pushes; every earlier one has been committed when this
 * returns.
 */
static inline void
ra_shut(struct ra_ring *ring)
{
    static const struct timespec pause = {0, 20000};

    ra_gate_shut(&ring->gate);
    Py_BEGIN_ALLOW_THREADS
    /* Those inside are in the middle of a copy. In a child of a fork that
       Python does not know of they may not be there at all. */
    while (ring->generation == ra_generation() &&
           !ra_gate_is_empty(&ring->gate))
        nanosleep(&pause, NULL);
    Py_END_ALLOW_THREADS
}

#else

#define RA_CAN_CHANGE_MEANWHILE 0
#define RA_BEGIN_ALONE(object) {(void)(object)
#define RA_END_ALONE() }

static inline int
ra_look_up(PyObject *dict, PyObject *key, PyObject **found)
{
    *found = PyDict_GetItemWithError(dict, key);
    if (*found != NULL)
        return 1;
    return PyErr_Occurred() ? -1 : 0;
}

static inline void
ra_let_go(PyObject **found, int count)
{
    (void)found;
    (void)count;
}

static inline int64_t
ra_push_open(struct ra_ring *ring, const void *payload, uint64_t length,
             unsigned flags, uint64_t time_ms, int64_t shut)
{
    (void)shut; /* Found out by the look at the generation. */
    return ra_ring_push(ring, payload, length, flags, time_ms);
}

static inline void
ra_shut(struct ra_ring *ring)
{
    ring->generation = UINT64_MAX; /* No process's, nor a child's 0. */
}

#endif

#endif
