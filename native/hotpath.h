/* SPDX-License-Identifier: MIT */
/*
 * What the C files that know Python share. They are called with the GIL.
 */
#ifndef RINGAMP_HOTPATH_H
#define RINGAMP_HOTPATH_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

#include "ring.h"

/*
 * Gone, so that nobody uses them: the headers of 3.12 and later take None,
 * True and False for immortal even where the limited API is that of 3.10.
 * What was compiled with those, and runs on 3.10 or 3.11, would lose a
 * reference by each.
 */
#undef Py_RETURN_NONE
#undef Py_RETURN_FALSE
#undef Py_RETURN_TRUE

/* Codes beside those of ring.h; odd and negative as well. */
enum {
    RA_FORKED = -7,
    RA_NO_EVENT_TYPE = -9,
    RA_NO_ID = -11,
    RA_BAD_ID = -13,
    RA_UNCLEAN = -15,
    RA_UNDER_WAY = -17,
    RA_AGAIN = -19,
    /* Not for Python: an exception is set. */
    RA_RAISED = -21,
};

/*
 * ra_push_event: encode a dict, or a struct that is known, and push it.
 *
 * => A position, with bit 0 set if the consumer must be woken; or a code.
 *    Whatever the encoder refuses is RA_UNCLEAN: the careful road finds out
 *    why. RA_RAISED for what is no Exception, such as KeyboardInterrupt.
 */
int64_t ra_push_event(struct ra_ring *ring, PyObject *event);

/*
 * ra_know_struct: the builtin know_struct(sample, keys, values), see
 * structs.c.
 */
PyObject *ra_know_struct(PyObject *module, PyObject *const *args,
                         Py_ssize_t nargs);

/*
 * ra_set_fields: the fields of a struct that are not None, in a new dict.
 *
 * => NULL if its type is not known or a field is missing; with an exception
 *    only where there is no memory.
 */
PyObject *ra_set_fields(PyObject *object);

/* The builtin set_fields(struct): the same, or None. */
PyObject *ra_set_fields_or_none(PyObject *module, PyObject *object);

/*
 * ra_copy_event: copy a dict with all dicts and lists in it.
 *
 * => A new dict; NULL with ValueError if it is nested too deeply.
 */
PyObject *ra_copy_event(PyObject *event);

/*
 * Where events come into a ring and get their receipts; see entrance.c.
 */
struct ra_entrance {
    PyObject_HEAD
    struct ra_ring *ring; /* NULL: nothing is pushed here. */
    PyObject *capsule;    /* Keeps the ring alive. */
    PyObject *outcomes;
    PyObject *unusual;
};

/*
 * ra_enter: the builtin enter(outcomes, unusual) of a ring, and
 * without a ring (`self` is NULL) enter_unpushed().
 *
 * => A tuple of two builtins: log(event, extra), a receipt; and begin(event,
 *    extra), a passage.
 */
PyObject *ra_enter(PyObject *self, PyObject *const *args, Py_ssize_t nargs);

/* The type of receipts; Python adds its methods. */
extern PyObject *ra_receipt_type;

/*
 * ra_receipt: the receipt of an event at `position`.
 */
PyObject *ra_receipt(const struct ra_entrance *entrance, int64_t position);

/*
 * ra_unusual: call what the entrance has for everything unusual.
 */
PyObject *ra_unusual(const struct ra_entrance *entrance, PyObject *event,
                     PyObject *extra, int64_t position);

/*
 * ra_begin: the builtin begin(event, extra); `self` is an entrance.
 *
 * => A passage for a copy of the event.
 */
PyObject *ra_begin(PyObject *self, PyObject *const *args, Py_ssize_t nargs);

/* ra_entrance_setup: make the types of entrances and receipts, once. */
int ra_entrance_setup(void);

/*
 * ra_passage_setup: make the type of passages, once. 0, or -1 with an
 * exception.
 */
int ra_passage_setup(void);

#endif
