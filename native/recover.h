/* SPDX-License-Identifier: MIT */
/*
 * Is a region sound, and how is it made so again: for regions that outlive
 * the process that pushed into them.
 */
#ifndef RINGAMP_RECOVER_H
#define RINGAMP_RECOVER_H

#include <stdint.h>

#include "ring.h"

/* Why a region is not taken. */
enum {
    RA_SOUND = 0,
    RA_BAD_SIZE = -21,     /* of the file: not what page 0 says */
    RA_BAD_MAGIC = -23,    /* no ring, or one of the other byte order */
    RA_BAD_VERSION = -25,  /* of another version, or with unknown flags */
    RA_BAD_HEADER = -27,   /* the checksum of page 0 is wrong */
    RA_BAD_PROJECT = -29,  /* of another API key or URL */
    RA_BAD_POSITION = -31, /* free, head and tail contradict each other */
};

/* What ra_ring_repair() found in [head, tail). */
struct ra_repair {
    uint64_t ready;     /* records that are to be sent */
    uint64_t torn;      /* records that were being written: voided */
    uint64_t holes;     /* reserved, header not yet written: voided */
    uint64_t bad_crc;   /* gaps where bytes have changed: voided */
    uint64_t oldest_ms; /* when the first READY record was logged; 0: none */
};

/*
 * ra_region_describe: say whose region it is. `project` has RA_PROJECT_SIZE
 * bytes; `flags` are those of a region (RA_CHECKED).
 *
 * => Alone with a formatted region, before ra_region_seal() and before
 *    ra_ring_attach(), which reads the flags.
 */
void ra_region_describe(struct ra_region *region, const unsigned char *project,
                        uint64_t created_ms, uint32_t pid, uint32_t min_id,
                        uint32_t flags);

/*
 * ra_region_seal: make page 0 that of a file, by its checksum.
 *
 * => Alone with a formatted region, before anybody else can see it.
 */
void ra_region_seal(struct ra_region *region);

/*
 * ra_region_check: whether `size` bytes at `region` are a sound ring of
 * `project` (16 bytes).
 *
 * => Reads `size` bytes at most, whatever they hold. For a region whose
 *    producer lives, `tail` is read after `free` and `head`, since it moves.
 * => RA_SOUND, or the first reason against it. Of a region of another
 *    project or version nothing may be changed.
 */
int ra_region_check(const struct ra_region *region, uint64_t size,
                    const unsigned char *project);

/*
 * ra_ring_repair: void what a dead producer left half-made, and what has
 * changed since, so that all of [head, tail) is READY records, pads and
 * voids, and begins with a READY record. `head` may move; `pushed` becomes
 * the number of READY records, as for a consumer that has claimed none.
 *
 * => Nobody else has the region: both leases are held, or it is a copy. It
 *    was checked and attached. A second call finds nothing more to do.
 * => Time linear in the capacity, whatever the bytes are.
 */
void ra_ring_repair(struct ra_ring *ring, struct ra_repair *found);

/*
 * ra_ring_resume: finish the release in which the last consumer died.
 *
 * => The new consumer of a region whose producer may live. Touches nothing
 *    but [free, head), which no producer may.
 */
void ra_ring_resume(struct ra_ring *ring);

/* Readings of a checked region; any thread, any time. */
static inline uint64_t
ra_region_capacity(const struct ra_region *region)
{
    return region->capacity;
}

static inline uint64_t
ra_region_created_ms(const struct ra_region *region)
{
    return region->created_ms;
}

static inline uint32_t
ra_region_min_id(const struct ra_region *region)
{
    return region->min_id;
}

static inline uint64_t
ra_region_head(const struct ra_region *region)
{
    return load_relaxed(&region->head); /* relaxed: a reading. */
}

#endif
