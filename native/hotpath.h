/* SPDX-License-Identifier: MIT */
/*
 * What the C files that know Python share. They are called with the GIL.
 */
#ifndef RINGAMP_HOTPATH_H
#define RINGAMP_HOTPATH_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Codes beside those of ring.h; odd and negative as well. */
enum {
    RA_FORKED = -7,
    RA_NO_EVENT_TYPE = -9,
    RA_NO_ID = -11,
    RA_BAD_ID = -13,
    RA_UNCLEAN = -15,
    RA_UNDER_WAY = -17,
    RA_AGAIN = -19,
};

/*
 * ra_push_event: encode and push in one call; `self` is a ring's capsule.
 *
 * => A new int: a position, or a code. Whatever the encoder refuses is
 *    RA_UNCLEAN: the careful road finds out why. NULL for what is no
 *    Exception, such as KeyboardInterrupt.
 */
PyObject *ra_push_event(PyObject *self, PyObject *event);

/*
 * ra_copy_event: copy a dict with all dicts and lists in it.
 *
 * => A new dict; NULL with ValueError if it is nested too deeply.
 */
PyObject *ra_copy_event(PyObject *event);

/*
 * ra_begin: the builtin begin(event, extra, unusual) of a ring, and without
 * a ring (`self` is NULL) begin_unpushed().
 *
 * => A passage for a copy of the event.
 */
PyObject *ra_begin(PyObject *self, PyObject *const *args, Py_ssize_t nargs);

/*
 * ra_passage_setup: make the type of passages, once. 0, or -1 with an
 * exception.
 */
int ra_passage_setup(void);

#endif
