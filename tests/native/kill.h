/* SPDX-License-Identifier: MIT */
/*
 * What both sides of the kill harness know: the plan of a round, the oracle,
 * and what a record must look like.
 */
#ifndef RINGAMP_KILL_H
#define RINGAMP_KILL_H

#include "check.h"

#include <semaphore.h>

#include "generation.h"
#include "lease.h"
#include "recover.h"

#define PRODUCERS 3
#define PUSHES_MAX 65536 /* of one producer in one round */
#define LOG_MAX (2 * PRODUCERS * PUSHES_MAX)
#define CAPACITY RA_CAPACITY_MIN
#define FILE_SIZE (RA_HEADER_SIZE + CAPACITY)

/* Who works in which process. */
enum kind {
    ALONE, /* producers alone; they die when the ring is full, if not before */
    BOTH,  /* producers and consumer in one process */
    RELAY, /* producers in one process, the consumer in another */
    KINDS,
};

struct plan {
    enum kind kind;
    const char *point; /* where to die; NULL: at an instant */
    uint64_t hits;     /* at which arrival there */
    uint64_t instant;  /* in microseconds */
    uint64_t start;    /* first position of the ring */
    uint64_t seed;
};

/* A record that was handed to somebody. */
struct handed {
    uint64_t position, producer, number;
};

/*
 * What happened, kept outside the ring, in memory that outlives its writers.
 */
struct oracle {
    sem_t ready, go;
    ra_word begun[PRODUCERS]; /* pushes that began */
    ra_word ended[PRODUCERS]; /* pushes that returned a position */
    ra_word arrivals;         /* at the plan's point */
    ra_word is_hit;           /* the plan's point killed */
    ra_word full;             /* producers that found the ring full */
    ra_word released;         /* the end of the last release that returned */
    ra_word handed_count;
    struct handed handed[LOG_MAX];
};

static inline uint64_t
mix(uint64_t a, uint64_t b)
{
    uint64_t state = (a + 1) * UINT64_C(0x9E3779B97F4A7C15) ^ (b << 1 | 1);

    random_next(&state);
    return random_next(&state) << 1 | 1;
}

/*
 * payload_of: the bytes of one event: text, as every event is.
 */
static inline uint64_t
payload_of(char *text, uint64_t seed, uint64_t producer, uint64_t number)
{
    uint64_t state = mix(seed + producer, number);
    uint64_t dice = random_next(&state) % 256;
    uint64_t most = dice == 0 ? CAPACITY / 2 - RA_RECORD_HEADER
                    : dice < 8 ? 4096
                               : 320;
    uint64_t length = 64 + random_next(&state) % (most - 64 + 1), at;

    at = (uint64_t)sprintf(text, "{\"p\":%d,\"n\":%d,\"x\":\"",
                           (int)producer, (int)number);
    memset(text + at, (int)('a' + random_next(&state) % 26), length - at);
    /* Not the same everywhere, so that a shifted copy shows. */
    for (; at < length; at += 16)
        text[at] = (char)('A' + random_next(&state) % 26);
    text[length - 2] = '"';
    text[length - 1] = '}';
    return length;
}

static inline unsigned
flags_of(uint64_t number)
{
    return (unsigned)(number % 8);
}

/* Says whose record it is. */
static inline uint64_t
time_of(uint64_t producer, uint64_t number)
{
    return (number + 1) << 2 | producer;
}

/*
 * hand_over: take what was claimed: look at every byte of it, and note it.
 */
void hand_over(struct oracle *oracle, const struct ra_ring *ring,
               const struct ra_claim *claim, uint64_t seed);

/*
 * ring_open: map the file behind `descriptor` and make a view of it.
 */
void ring_open(struct ra_ring *ring, int descriptor);

/*
 * run_owner: the process that pushes, and consumes too where the plan says
 * so. run_consumer: the one that consumes alone. Neither returns.
 */
void run_owner(struct oracle *oracle, const struct plan *plan, int folder,
               const char *name);
void run_consumer(struct oracle *oracle, const struct plan *plan, int folder,
                  const char *name);

/*
 * settle_begin: a new round. consume_living: be the next consumer of a ring
 * whose last one has died and whose producers go on. settle: take over what
 * the dead left, and compare it with the notes.
 */
void settle_begin(struct oracle *oracle, const struct plan *plan);
void consume_living(struct ra_ring *ring, int descriptor);
void settle(struct ra_ring *ring, int descriptor);

/* What all rounds together have seen. */
extern struct totals {
    uint64_t instants, full, resumed;
    uint64_t pushed, repaired, again, torn, holes, unheard;
} totals;

extern const unsigned char project[RA_PROJECT_SIZE];

#endif
