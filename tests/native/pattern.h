/* SPDX-License-Identifier: MIT */
/*
 * Payloads that check themselves, for the tests in which many push at once:
 * length and producer stand first, a sequence number and a pattern follow,
 * and a checksum of the head stands last. Length and checksum are written
 * after the pattern on purpose, to tempt a reader that comes too early.
 */
#ifndef RINGAMP_PATTERN_H
#define RINGAMP_PATTERN_H

#include "check.h"

#define LEAST 32u /* bytes of a payload: head of 24, pattern, checksum */

/* Mostly small, sometimes up to the largest, in multiples of 8. */
static inline uint64_t
random_length(uint64_t *state, uint64_t longest)
{
    uint64_t dice = random_next(state) % 512;
    uint64_t most = dice == 0   ? longest
                    : dice < 16 ? 2048
                                : 256;

    return LEAST + random_next(state) % (most - LEAST + 1) / 8 * 8;
}

static inline uint64_t
pattern(uint64_t number, uint64_t sequence)
{
    return (sequence << 8 | number) * UINT64_C(0x9E3779B97F4A7C15) | 1;
}

static inline void
write_payload(unsigned char *payload, uint64_t length, uint64_t number,
              uint64_t sequence)
{
    uint64_t *words = (uint64_t *)(void *)payload;
    uint64_t value = pattern(number, sequence), i, last = length / 8 - 1;

    for (i = 3; i < last; i++)
        words[i] = value += 0x0101;
    words[2] = sequence;
    words[1] = number;
    words[0] = length;
    words[last] = ~(length + number + sequence);
}

static inline void
check_payload(const unsigned char *payload, uint64_t length,
              uint64_t *expected, uint64_t producers)
{
    const uint64_t *words = (const uint64_t *)(const void *)payload;
    uint64_t number = words[1], i, last = length / 8 - 1, value, wrong = 0;

    CHECK_EQ(words[0], length);
    CHECK(number < producers);
    CHECK_EQ(words[2], expected[number]++);
    CHECK_EQ(words[last], ~(length + number + words[2]));
    value = pattern(number, words[2]);
    for (i = 3; i < last; i++)
        wrong |= words[i] ^ (value += 0x0101);
    CHECK_EQ(wrong, 0);
}

#endif
