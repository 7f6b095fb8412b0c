/* SPDX-License-Identifier: MIT */
/*
 * What an event's fields say. With the GIL, as all that knows Python.
 */
#ifndef RINGAMP_FIELDS_H
#define RINGAMP_FIELDS_H

#include "hotpath.h"

/* What is wrong with one id; 0 is nothing. */
enum {
    RA_ID_FINE = 0,
    RA_ID_ABSENT = 1,
    RA_ID_NO_STRING = 2,
    RA_ID_SHORT = 3,
    RA_ID_REFUSED = 4,
};

/*
 * ra_id_fault: what is wrong with an id; NULL is one that is not there.
 */
int ra_id_fault(PyObject *id, uint64_t min_length, int is_device);

/*
 * ra_look_at: the flags of a record of this event, or a code: why it cannot
 * be pushed as it is.
 *
 * => A dict that the encoder took.
 */
int ra_look_at(const struct ra_ring *ring, PyObject *event);

/* ra_fields_setup: make the names, once. 0, or -1 with an exception. */
int ra_fields_setup(void);

#endif
