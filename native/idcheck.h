/* SPDX-License-Identifier: MIT */
/*
 * Ids that the service always refuses, whatever min_id_length is.
 */
#ifndef RINGAMP_IDCHECK_H
#define RINGAMP_IDCHECK_H

#include <stddef.h>
#include <stdint.h>

/* The longest id on the list: the nil UUID. */
#define RA_REFUSED_MAX 36

/*
 * ra_id_may_be_refused: whether an id of this length (in characters) and
 * this first character can be on the list at all. Answers no for nearly
 * every id, from two values the caller has at hand.
 */
int ra_id_may_be_refused(size_t length, uint32_t first);

/*
 * ra_id_is_refused: whether the `length` characters of `id` are on the list,
 * in any letter case; for a device id, also whether it is zeros alone.
 */
int ra_id_is_refused(const char *id, size_t length, int is_device);

#endif
