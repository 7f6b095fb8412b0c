/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a ring region. This file is their specification.
 *
 * A region is RA_HEADER_SIZE bytes of header followed by `capacity` bytes of
 * records; capacity is a power of two. Integers are native (little-endian on
 * every supported machine). All bytes are zero at birth.
 *
 * offset  size  name        written by          meaning
 *      0     8  magic       format, once        RA_MAGIC
 *      8     4  version     format, once        RA_VERSION
 *     12     4  header_len  format, once        RA_HEADER_SIZE
 *     16     8  capacity    format, once        bytes of records
 *     24    16  ring_id     format, once        random; names the ring
 *     40    16  project     creator, once       hash of API key and URL
 *     56     8  created_ms  creator, once       ms since the epoch
 *     64     4  pid         creator, once       for people who look
 *     68     4  min_id      creator, once       option min_id_length
 *     72     4  flags       creator, once       unknown ones refuse the file
 *     76     4  notes       creator, once       unknown ones are ignored
 *   4092     4  header_crc  seal, once          CRC32C of bytes 0 to 4091
 *   4096     8  tail        producers           end of the reserved bytes
 *   4104     8  free_cache  producers           a recent value of `free`
 *   4112     8  pushed      producers           records committed so far
 *   4120     8  refused     producers           pushes that found no room
 *   4224     8  free        consumer            start of the bytes in use
 *   4232     8  head        consumer            start of the live records
 *   4240     8  delivered   consumer            events that the service took
 *   4248     8  rejected    consumer            events that it refused
 *   4256     8  dropped     consumer            events that were given up
 *   4352     8  armed       consumer, producers count that wakes; 0: none
 *   4360     8  armed_tail  consumer            position that wakes
 *
 * What a creator writes is 0 in private memory, and so are delivered, rejected
 * and dropped where the consumer is in the producers' process.
 *
 * The three groups lie on lines of their own (128 bytes, since processors
 * prefetch lines in pairs), so that producers and consumer do not fight.
 *
 * Positions are counted in bytes from the ring's birth and only grow; the
 * byte of position p is data[p & (capacity - 1)].
 *
 * A record starts at a position that is a multiple of 8:
 *
 *      0     8  word        stamp << 32 | flags << 8 | state
 *      8     4  length      payload bytes
 *     12     4  crc         0; with RA_CHECKED the CRC32C of flags (4
 *                           bytes), length (4), time_ms (8) and payload
 *     16     8  time_ms     when it was logged, ms since the epoch
 *     24     -  payload     one JSON object
 *
 * and its span is 24 + length, rounded up to 8. It never wraps: where it
 * would, an RA_PAD word (8 bytes suffice) fills the rest of the lap.
 *
 * Of the 8 bits of flags, 1, 2 and 4 say that time, insert_id and library are
 * lacking; the upper five are RA_BUCKETS.
 *
 * A repair puts an RA_VOID word where a record is lost:
 *
 *      0     8  word        stamp << 32 | span / 8 << 16 | state
 *      8     -  zeros       up to `span`, which may be 8
 *
 * Longer gaps than RA_VOID_MAX are several voids in a row.
 *
 * A record is valid if and only if its state is RA_READY, its stamp is
 * ra_stamp(position), the 16 bits between stamp and flags are 0, its length
 * is not 0, its span ends at or before both the tail and the end of the lap,
 * and, with RA_CHECKED, its crc is right.
 */
#ifndef RINGAMP_REGION_H
#define RINGAMP_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "atomics.h"

#define RA_MAGIC UINT64_C(0x31504d41474e4952) /* "RINGAMP1" */
#define RA_VERSION 1u
#define RA_HEADER_SIZE 8192u
#define RA_HEAD_OFFSET 4232u /* of `head`, for who writes it with pwrite(2) */
#define RA_RECORD_HEADER 24u
#define RA_VOID_MAX (UINT64_C(0xffff) << 3)
#define RA_RING_ID_SIZE 16u
#define RA_PROJECT_SIZE 16u
#define RA_CAPACITY_MIN (UINT64_C(64) * 1024)
#define RA_CAPACITY_MAX (UINT64_C(1024) * 1024 * 1024)

/* States. FREE is 0, so that zeroed memory is free memory. */
enum {
    RA_FREE = 0,
    RA_WRITING = 1,
    RA_READY = 2,
    RA_PAD = 3,
    RA_VOID = 4, /* Never stored by a producer. */
};

/* Flags: what the event lacks and the splice adds. */
enum {
    RA_LACKS_TIME = 1,
    RA_LACKS_INSERT_ID = 2,
    RA_LACKS_LIBRARY = 4,
};

/* The five bits above them: the bucket of the event's id, where its process
   deals its events out to several uploads, else 0. Of meaning to that process
   alone. */
#define RA_BUCKET_SHIFT 3u
#define RA_BUCKETS 32u

/* Flags of a region. */
enum {
    RA_CHECKED = 1, /* Records carry a checksum. */
};

struct ra_region {
    uint64_t magic;
    uint32_t version;
    uint32_t header_len;
    uint64_t capacity;
    unsigned char ring_id[RA_RING_ID_SIZE];
    unsigned char project[RA_PROJECT_SIZE];
    uint64_t created_ms;
    uint32_t pid;
    uint32_t min_id;
    uint32_t flags;
    uint32_t notes;
    unsigned char unused_0[4092 - 80];
    uint32_t header_crc;

    ra_word tail;
    ra_word free_cache;
    ra_word pushed;
    ra_word refused;
    unsigned char unused_1[128 - 32];

    ra_word free;
    ra_word head;
    ra_word delivered;
    ra_word rejected;
    ra_word dropped;
    unsigned char unused_2[128 - 40];

    ra_word armed;
    ra_word armed_tail;
    unsigned char unused_3[4096 - 256 - 16];

    unsigned char data[];
};

struct ra_record {
    ra_word word;
    uint32_t length;
    uint32_t crc;
    uint64_t time_ms;
    unsigned char payload[];
};

_Static_assert(offsetof(struct ra_region, capacity) == 16, "layout");
_Static_assert(offsetof(struct ra_region, ring_id) == 24, "layout");
_Static_assert(offsetof(struct ra_region, project) == 40, "layout");
_Static_assert(offsetof(struct ra_region, created_ms) == 56, "layout");
_Static_assert(offsetof(struct ra_region, flags) == 72, "layout");
_Static_assert(offsetof(struct ra_region, header_crc) == 4092, "layout");
_Static_assert(offsetof(struct ra_region, tail) == 4096, "layout");
_Static_assert(offsetof(struct ra_region, free) == 4224, "layout");
_Static_assert(offsetof(struct ra_region, head) == RA_HEAD_OFFSET, "layout");
_Static_assert(offsetof(struct ra_region, dropped) == 4256, "layout");
_Static_assert(offsetof(struct ra_region, armed) == 4352, "layout");
_Static_assert(offsetof(struct ra_region, data) == RA_HEADER_SIZE, "layout");
_Static_assert(offsetof(struct ra_record, payload) == RA_RECORD_HEADER,
               "layout");

/*
 * ra_stamp: ties a record's header to its lap, so that neither a header of
 * an earlier lap nor payload bytes are taken for one.
 *
 * => The product's high half depends on every bit of the position, and its
 *    lowest bit is set so that a stamp is never 0.
 */
static inline uint32_t
ra_stamp(uint64_t position)
{
    uint64_t mixed = (position >> 3) * UINT64_C(0x9E3779B97F4A7C15);

    return (uint32_t)(mixed >> 32) | 1u;
}

static inline uint64_t
ra_header_word(uint64_t position, unsigned flags, unsigned state)
{
    return (uint64_t)ra_stamp(position) << 32 | (uint64_t)flags << 8 | state;
}

/*
 * ra_void_word: a word that skips `span` bytes.
 *
 * => `span` is a multiple of 8, from 8 to RA_VOID_MAX.
 */
static inline uint64_t
ra_void_word(uint64_t position, uint64_t span)
{
    return ra_header_word(position, 0, RA_VOID) | span >> 3 << 16;
}

static inline uint64_t
ra_void_span(uint64_t word)
{
    return (word >> 16 & 0xffff) << 3;
}

static inline unsigned
ra_state(uint64_t word)
{
    return (unsigned)(word & 0xff);
}

static inline unsigned
ra_flags(uint64_t word)
{
    return (unsigned)(word >> 8 & 0xff);
}

static inline uint64_t
ra_span(uint64_t length)
{
    return (RA_RECORD_HEADER + length + 7) & ~UINT64_C(7);
}

#endif
