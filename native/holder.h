/* SPDX-License-Identifier: MIT */
/*
 * What a receipt holds of the outcomes that it asks later.
 *
 * With a GIL, a reference. Without one all threads that log would change the
 * same count of references, twice an event, and wait for one another's cache
 * more than for all else: so each thread has a holder of its own, which holds
 * the outcomes, and whose count nearly always that thread alone changes.
 */
#ifndef RINGAMP_HOLDER_H
#define RINGAMP_HOLDER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifdef Py_GIL_DISABLED

/* ra_holder_setup: make the type of holders, once. 0, or -1 with an
   exception. */
int ra_holder_setup(void);

/* ra_hold: a new reference to what keeps `outcomes` alive. Never fails. */
PyObject *ra_hold(PyObject *outcomes);

/* ra_held: the outcomes that are held so, borrowed. NULL of NULL. */
PyObject *ra_held(PyObject *holder);

/*
 * ra_keep_for_ever: no longer count the references to an object that lives as
 * long as the process, as the interpreter does for its own.
 */
void ra_keep_for_ever(PyObject *object);

#else

static inline int
ra_holder_setup(void)
{
    return 0;
}

static inline PyObject *
ra_hold(PyObject *outcomes)
{
    Py_INCREF(outcomes);
    return outcomes;
}

static inline PyObject *
ra_held(PyObject *holder)
{
    return holder;
}

static inline void
ra_keep_for_ever(PyObject *object)
{
    (void)object;
}

#endif

#endif
