/* SPDX-License-Identifier: MIT */
/*
 * Two ways to one number. The instruction takes 8 bytes in 3 cycles; the
 * portable way ("slicing by 8") looks 8 bytes up in 8 tables at once, some
 * five times slower, where a loop over single bytes would be fifteen times.
 *
 * Both are chosen between in a constructor, so before any thread exists: the
 * choice is never written again and needs no atomics.
 */
#include "crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HARDWARE __attribute__((target("sse4.2")))
#define STEP_8(crc, value) ((uint32_t)_mm_crc32_u64((crc), (value)))
#define STEP_1(crc, value) _mm_crc32_u8((crc), (value))
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#if defined(__clang__)
#define HARDWARE __attribute__((target("crc")))
#else
#define HARDWARE __attribute__((target("+crc")))
#endif
#define STEP_8(crc, value) __builtin_aarch64_crc32cx((crc), (value))
#define STEP_1(crc, value) __builtin_aarch64_crc32cb((crc), (value))
#if defined(__clang__)
#undef STEP_8
#undef STEP_1
#define STEP_8(crc, value) __builtin_arm_crc32cd((crc), (value))
#define STEP_1(crc, value) __builtin_arm_crc32cb((crc), (value))
#endif
#define RA_HWCAP_CRC32 (1UL << 7) /* Linux, asm/hwcap.h of arm64. */
#endif

#define POLYNOMIAL 0x82F63B78u /* Castagnoli's, bits reversed. */

static uint32_t tables[8][256];

static void
fill_tables(void)
{
    uint32_t i, j;

    for (i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (j = 0; j < 8; j++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][i] = crc;
    }
    for (i = 0; i < 256; i++)
        for (j = 1; j < 8; j++)
            tables[j][i] = tables[j - 1][i] >> 8 ^
                           tables[0][tables[j - 1][i] & 0xff];
}

static uint64_t
load_8(const unsigned char *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

uint32_t
ra_crc32c_portable(uint32_t crc, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;

    crc = ~crc;
    for (; length >= 8; length -= 8, at += 8) {
        uint64_t value = load_8(at) ^ crc;
        unsigned i;

        crc = 0;
        for (i = 0; i < 8; i++)
            crc ^= tables[7 - i][value >> 8 * i & 0xff];
    }
    for (; length > 0; length--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 0xff];
    return ~crc;
}

#ifdef HARDWARE

HARDWARE static uint32_t
by_instruction(uint32_t crc, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;

    crc = ~crc;
    for (; length >= 8; length -= 8, at += 8)
        crc = STEP_8(crc, load_8(at));
    for (; length > 0; length--)
        crc = STEP_1(crc, *at++);
    return ~crc;
}

static int
has_instruction(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") != 0;
#else
    return (getauxval(AT_HWCAP) & RA_HWCAP_CRC32) != 0;
#endif
}

#else
#define by_instruction ra_crc32c_portable

static int
has_instruction(void)
{
    return 0;
}

#endif

static int is_hardware;

__attribute__((constructor)) static void
choose(void)
{
    fill_tables();
    is_hardware = has_instruction();
}

uint32_t
ra_crc32c(uint32_t crc, const void *bytes, size_t length)
{
    return is_hardware ? by_instruction(crc, bytes, length)
                       : ra_crc32c_portable(crc, bytes, length);
}

int
ra_crc32c_is_hardware(void)
{
    return is_hardware;
}
