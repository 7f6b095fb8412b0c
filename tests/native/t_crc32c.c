/* SPDX-License-Identifier: MIT */
/*
 * Both ways to the checksum: known answers, and that they agree.
 */
#include "check.h"

#include "crc32c.h"

#define MOST 4096u

static uint32_t
both(uint32_t crc, const void *bytes, size_t length)
{
    uint32_t portable = ra_crc32c_portable(crc, bytes, length);

    CHECK_EQ(ra_crc32c(crc, bytes, length), portable);
    return portable;
}

static void
known_answers(void)
{
    unsigned char bytes[32];
    unsigned i;

    /* RFC 3720, B.4, and the check value of the catalogues. */
    memset(bytes, 0, sizeof(bytes));
    CHECK_EQ(both(0, bytes, 32), 0x8A9136AA);
    memset(bytes, 0xff, sizeof(bytes));
    CHECK_EQ(both(0, bytes, 32), 0x62A8AB43);
    for (i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    CHECK_EQ(both(0, bytes, 32), 0x46DD794E);
    for (i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    CHECK_EQ(both(0, bytes, 32), 0x113FDB5C);
    CHECK_EQ(both(0, "123456789", 9), 0xE3069283);
    CHECK_EQ(both(0, "", 0), 0);
    CHECK_EQ(both(0x12345678, "", 0), 0x12345678);
}

static void
both_agree_and_chain(void)
{
    /* Behind `bytes` is a page that cannot be read. */
    unsigned char *bytes = (unsigned char *)region_new(MOST) + RA_HEADER_SIZE;
    uint64_t random = 20240229;
    size_t i, from, length, cut;

    for (i = 0; i < MOST; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (unsigned char)(random >> 56);
    }
    for (from = 0; from < 16; from++)
        for (length = 0; length < 100; length++)
            both((uint32_t)random, bytes + from, length);
    for (i = 0; i < 20000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        from = (size_t)(random >> 33) % MOST;
        length = (size_t)(random >> 20) % (MOST - from + 1);
        cut = (size_t)(random >> 10) % (length + 1);
        CHECK_EQ(both(both(0, bytes + from, cut), bytes + from + cut,
                      length - cut),
                 both(0, bytes + from, length));
    }
    both(0, bytes, MOST);
}

static void
every_bit_counts(void)
{
    unsigned char bytes[64] = {0};
    uint32_t plain = both(0, bytes, sizeof(bytes));
    unsigned i;

    for (i = 0; i < sizeof(bytes) * 8; i++) {
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        CHECK(both(0, bytes, sizeof(bytes)) != plain);
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

int
main(void)
{
    printf("by instruction: %d\n", ra_crc32c_is_hardware());
    RUN(known_answers);
    RUN(both_agree_and_chain);
    RUN(every_bit_counts);
    return 0;
}
