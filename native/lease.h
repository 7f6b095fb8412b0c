/* SPDX-License-Identifier: MIT */
/*
 * Locks that say who lives: descriptors of the spool's files, and the locks
 * on them.
 */
#ifndef RINGAMP_LEASE_H
#define RINGAMP_LEASE_H

#include <stdint.h>

/* The bytes that are locked. */
enum {
    RA_LEASE_PRODUCER = 0,
    RA_LEASE_CONSUMER = 1,
};

/*
 * ra_lease_open: open `name` in `directory` for reading and writing, never
 * through a link, and see to it that a child of a fork closes it. With
 * `create` the file must not exist yet.
 *
 * => The caller keeps the GIL, so that no fork of Python's comes between
 *    opening and registering.
 * => A descriptor, or -errno; -EMFILE as well if RA_LEASES_MAX are open.
 */
int ra_lease_open(int directory, const char *name, int create);

/*
 * ra_lease_take: lock one byte without waiting.
 *
 * => 0, or errno: EAGAIN if somebody else has it.
 */
int ra_lease_take(int descriptor, int byte);

/* ra_lease_give: unlock one byte. 0, or errno. */
int ra_lease_give(int descriptor, int byte);

/*
 * ra_lease_close: unlock and close a descriptor of ra_lease_open().
 *
 * => The caller keeps the GIL. Never called by a child of the opener's,
 *    whose unlocking would take the lock from its living parent.
 */
void ra_lease_close(int descriptor);

/*
 * ra_leases_abandon: close all descriptors that were not opened in the
 * generation `keep`, without unlocking, and turn its maps into memory of
 * zeros.
 *
 * => The child handler of a fork, with 0; or, in a child whose fork ran no
 *    handler, who begins the next generation.
 */
void ra_leases_abandon(uint64_t keep);

/*
 * ra_map: map `size` bytes of a file, shared. A child of a fork finds memory
 * of zeros there, which is its own.
 *
 * => NULL if that cannot be, or RA_LEASES_MAX maps are there already.
 */
void *ra_map(int descriptor, uint64_t size);

/* ra_unmap: take a map of ra_map() away; in a child of a fork its zeros. */
void ra_unmap(void *map, uint64_t size);

/*
 * ra_filesystem: the magic number of the file system that `descriptor` is
 * on (statfs(2)), 0 where it cannot be told.
 */
uint64_t ra_filesystem(int descriptor);

#endif
