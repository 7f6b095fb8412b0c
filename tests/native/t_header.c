/* SPDX-License-Identifier: MIT */
/*
 * What ra_region_check() lets pass: files that are no rings, or somebody
 * else's, are refused, and why.
 */
#include "wreck.h"

#define SIZE (RA_HEADER_SIZE + SMALLEST)

static void
only_whole_files_are_sound(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct ra_ring ring;
    unsigned char *end;
    uint64_t size;

    /* The bytes end where an unreadable page begins. */
    file_ring(&ring, SMALLEST, 0, RA_CHECKED);
    CHECK(is_sound(&ring));
    CHECK_EQ(ra_region_check(ring.region, SIZE - 1, project), RA_BAD_SIZE);
    CHECK_EQ(ra_region_check(ring.region, SIZE + 1, project), RA_BAD_SIZE);
    end = (unsigned char *)region_new(2 * page) + RA_HEADER_SIZE + 2 * page;
    for (size = 0; size <= RA_HEADER_SIZE + 2 * page; size += 8) {
        memcpy(end - size, ring.region, size);
        CHECK_EQ(ra_region_check((void *)(end - size), size, project),
                 RA_BAD_SIZE);
    }
    ring_drop(&ring);
}

static void
every_bit_of_page_0_counts(void)
{
    struct ra_ring ring;
    unsigned char *bytes;
    unsigned i;

    file_ring(&ring, SMALLEST, 0, RA_CHECKED);
    bytes = (unsigned char *)ring.region;
    for (i = 0; i < 4096 * 8; i++) {
        int wanted = i / 8 < 8    ? RA_BAD_MAGIC
                     : i / 8 < 12 ? RA_BAD_VERSION
                                  : RA_BAD_HEADER;

        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        CHECK_EQ(ra_region_check(ring.region, SIZE, project), wanted);
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    CHECK(is_sound(&ring));
    ring_drop(&ring);
}

#define REFUSED(field, value, wanted)                                         \
    do {                                                                      \
        file_ring(&ring, SMALLEST, 0, RA_CHECKED);                            \
        ring.region->field = (value);                                         \
        ra_region_seal(ring.region);                                          \
        CHECK_EQ(ra_region_check(ring.region, SIZE, project), wanted);        \
        ring_drop(&ring);                                                     \
    } while (0)

static void
sealed_headers_that_are_refused(void)
{
    struct ra_ring ring;

    REFUSED(header_len, RA_HEADER_SIZE + 4096, RA_BAD_VERSION);
    REFUSED(flags, 2, RA_BAD_VERSION);
    REFUSED(flags, RA_CHECKED | 2, RA_BAD_VERSION);
    REFUSED(flags, UINT32_C(1) << 31, RA_BAD_VERSION);
    REFUSED(version, RA_VERSION + 1, RA_BAD_VERSION);
    REFUSED(capacity, SMALLEST * 2, RA_BAD_SIZE);
    REFUSED(capacity, SMALLEST - 8, RA_BAD_SIZE);
    REFUSED(capacity, 0, RA_BAD_SIZE);
    REFUSED(capacity, (uint64_t)0 - RA_HEADER_SIZE, RA_BAD_SIZE);
    REFUSED(capacity, RA_CAPACITY_MAX * 2, RA_BAD_SIZE);
    REFUSED(project[0], 'P', RA_BAD_PROJECT);
    REFUSED(project[15], 'S', RA_BAD_PROJECT);

    /* What is for people, and unknown notes, refuse nothing. */
    REFUSED(flags, 0, RA_SOUND);
    REFUSED(notes, 0xffffffff, RA_SOUND);
    REFUSED(pid, 0, RA_SOUND);
    REFUSED(unused_0[0], 1, RA_SOUND);
}

static void
capacity_alone_may_be_wrong(void)
{
    struct ra_ring ring;

    /* The file is as long as page 0 says, which is no power of two, too
       little or too much. No byte of the rest is looked at. */
    file_ring(&ring, SMALLEST, 0, RA_CHECKED);
    ring.region->capacity = SMALLEST + 4096;
    ra_region_seal(ring.region);
    CHECK_EQ(ra_region_check(ring.region, SIZE + 4096, project),
             RA_BAD_SIZE);
    ring.region->capacity = SMALLEST / 2;
    ra_region_seal(ring.region);
    CHECK_EQ(ra_region_check(ring.region, SIZE - SMALLEST / 2, project),
             RA_BAD_SIZE);
    ring.region->capacity = RA_CAPACITY_MAX * 2;
    ra_region_seal(ring.region);
    CHECK_EQ(ra_region_check(ring.region,
                             RA_HEADER_SIZE + RA_CAPACITY_MAX * 2, project),
             RA_BAD_SIZE);
    ring_drop(&ring);
}

static void
check_hands(uint64_t free, uint64_t head, uint64_t tail, int wanted)
{
    struct ra_ring ring;

    file_ring(&ring, SMALLEST, 0, RA_CHECKED);
    store_relaxed(&ring.region->free, free);
    store_relaxed(&ring.region->head, head);
    store_relaxed(&ring.region->tail, tail);
    CHECK_EQ(ra_region_check(ring.region, SIZE, project), wanted);
    if (wanted == RA_SOUND) {
        struct ra_repair found;

        CHECK_EQ(ra_ring_attach(&ring, ring.region), 0);
        ra_ring_repair(&ring, &found);
        CHECK_EQ(found.ready, 0);
        CHECK_EQ(ra_ring_free(&ring), tail);
    }
    ring_drop(&ring);
}

static void
hands_in_their_order(void)
{
    const uint64_t last = UINT64_MAX - 4 * RA_CAPACITY_MAX;
    const uint64_t places[] = {0, 1024, UINT64_C(1) << 32, UINT64_C(1) << 63,
                               (last & ~UINT64_C(7)) - SMALLEST};
    size_t i;

    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        uint64_t at = places[i];

        check_hands(at, at, at, RA_SOUND);
        check_hands(at, at, at + SMALLEST, RA_SOUND);
        check_hands(at, at + SMALLEST, at + SMALLEST, RA_SOUND);
        check_hands(at, at + 8, at + 16, RA_SOUND);
        check_hands(at, at, at + SMALLEST + 8, RA_BAD_POSITION);
        check_hands(at + 8, at, at + 8, RA_BAD_POSITION);
        check_hands(at, at + 16, at + 8, RA_BAD_POSITION);
        check_hands(at, at, at + 12, RA_BAD_POSITION);
        check_hands(at, at + 1, at + 8, RA_BAD_POSITION);
        check_hands(at + 4, at + 8, at + 16, RA_BAD_POSITION);
    }
    check_hands(UINT64_MAX - 7, UINT64_MAX - 7, UINT64_MAX - 7,
                RA_BAD_POSITION);
    check_hands(UINT64_MAX - 7, UINT64_MAX - 7, 0, RA_BAD_POSITION);
    check_hands(last + 8, last + 8, last + 8, RA_BAD_POSITION);
}

int
main(void)
{
    RUN(only_whole_files_are_sound);
    RUN(every_bit_of_page_0_counts);
    RUN(sealed_headers_that_are_refused);
    RUN(capacity_alone_may_be_wrong);
    RUN(hands_in_their_order);
    return 0;
}
