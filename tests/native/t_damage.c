/* SPDX-License-Identifier: MIT */
/*
 * Files that are no rings, or rings whose bytes have changed: what is
 * refused, and that damage costs the record it hit and no other.
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
    ring.region->capacity = SMALLEST - 4096;
    ra_region_seal(ring.region);
    CHECK_EQ(ra_region_check(ring.region, SIZE - 4096, project),
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

/* Five records around the end of a lap, with a pad of 24. */
#define START (5 * SMALLEST - 24 - 2 * 48)
#define PAD (5 * SMALLEST - 24)

static void
five_records(struct ra_ring *ring, uint32_t flags)
{
    unsigned i;

    file_ring(ring, SMALLEST, START, flags);
    for (i = 0; i < 5; i++)
        CHECK(push_letters(ring, (char)('a' + i), 20 + i % 4) >= 0);
    CHECK_EQ(word_of(ring, PAD), ra_header_word(PAD, 0, RA_PAD));
    CHECK_EQ(ra_ring_tail(ring), START + 24 + 5 * 48);
}

static void
one_flipped_bit_costs_one_record_at_most(void)
{
    uint64_t at;
    unsigned bit;

    for (at = START; at < START + 24 + 5 * 48; at++)
        for (bit = 0; bit < 8; bit++) {
            const uint64_t behind = at < PAD + 24 ? at : at - 24;
            const unsigned hit = (unsigned)((behind - START) / 48);
            const int is_pad = at >= PAD && at < PAD + 24;
            /* The bytes that fill up to a multiple of 8 are nobody's. */
            const int is_filler =
                !is_pad && (behind - START) % 48 >= 24 + 20 + hit % 4;
            char wanted[6] = "abcde", *from = wanted + hit;
            struct ra_ring ring;
            struct ra_repair found;

            five_records(&ring, RA_CHECKED);
            ring.region->data[at & ring.mask] ^= (unsigned char)(1 << bit);
            found = mend(&ring);
            if (!is_pad && !is_filler)
                memmove(from, from + 1, strlen(from));
            CHECK_EQ(found.ready, strlen(wanted));
            CHECK_EQ(found.ready + found.bad_crc + found.torn,
                     5 + (unsigned)is_pad);
            drain(&ring, UINT64_MAX, wanted);
            ring_drop(&ring);
        }
}

static void
one_flipped_bit_of_a_hand(void)
{
    unsigned i, bit;

    /* The file is refused, or what is handed out is whole. */
    for (i = 0; i < 3; i++)
        for (bit = 0; bit < 64; bit++) {
            struct ra_ring ring;
            ra_word *hands[3];

            five_records(&ring, RA_CHECKED);
            hands[0] = &ring.region->free;
            hands[1] = &ring.region->head;
            hands[2] = &ring.region->tail;
            store_relaxed(hands[i],
                          load_relaxed(hands[i]) ^ UINT64_C(1) << bit);
            if (is_sound(&ring)) {
                struct ra_claim claim;

                CHECK_EQ(ra_ring_attach(&ring, ring.region), 0);
                CHECK(mend(&ring).ready <= 5);
                CHECK(claim_all(&ring, &claim) >= 0);
            }
            ring_drop(&ring);
        }
}

static void
wrong_length_hides_no_other_record(void)
{
    static const uint32_t lengths[] = {0,   1,   28,  44,    68,
                                       164, 165, 188, 65512, UINT32_MAX};
    struct ra_ring ring;
    size_t i;

    /* The third of five: shorter, over the next, up to the tail, beyond. */
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        five_records(&ring, RA_CHECKED);
        record_of(&ring, 5 * SMALLEST)->length = lengths[i];
        CHECK_EQ(mend(&ring).bad_crc, 1);
        check_survivors(&ring, "abde");
    }
}

static void
without_checksums_only_headers_count(void)
{
    struct ra_ring ring;

    five_records(&ring, 0);
    record_of(&ring, START + 48)->word ^= UINT64_C(1) << 40;
    record_of(&ring, 5 * SMALLEST)->length = UINT32_MAX;
    record_of(&ring, 5 * SMALLEST + 48)->crc = 1;
    CHECK_EQ(mend(&ring).bad_crc, 2);
    check_survivors(&ring, "ade");
}

/*
 * The header of the second record is overwritten by `word`.
 */
static void
header_is_void(uint64_t word, uint64_t holes)
{
    struct ra_ring ring;
    struct ra_repair found;

    five_records(&ring, RA_CHECKED);
    set_word(&ring, START + 48, word);
    found = mend(&ring);
    CHECK_EQ(found.holes, holes);
    CHECK_EQ(found.bad_crc, 1 - holes);
    check_survivors(&ring, "acde");
}

static void
headers_of_others_are_no_headers(void)
{
    const uint64_t at = START + 48;
    unsigned state;

    for (state = RA_WRITING; state <= RA_VOID; state++) {
        header_is_void(ra_header_word(at - SMALLEST, 0, state), 0);
        header_is_void(ra_header_word(at + 8, 0, state), 0);
    }
    header_is_void(ra_header_word(at, 0, 5), 0);
    header_is_void(ra_header_word(at, 0, 255), 0);
    header_is_void(UINT64_MAX, 0);
    header_is_void(ra_header_word(at, 1, RA_WRITING), 0);
    header_is_void(ra_header_word(at, 1 << 8, RA_READY), 0);

    /* Pads with something behind them; a void of nothing, and those that
       cross the lap's end. */
    header_is_void(ra_header_word(at, 0, RA_PAD), 0);
    header_is_void(ra_header_word(at, 1, RA_PAD), 0);
    header_is_void(ra_header_word(at, 0, RA_VOID), 0);
    header_is_void(ra_void_word(at, 80), 0);
    header_is_void(ra_void_word(at, RA_VOID_MAX), 0);
    header_is_void(ra_void_word(at, 48) | 1 << 8, 0);

    /* FREE before the rest of a record: the page of its header is lost. */
    header_is_void(0, 1);
}

static void
headers_where_there_is_no_room(void)
{
    struct ra_ring ring;
    unsigned state;

    /* 16 bytes before the tail; and before the lap's end, of which the word
       of a pad is gone. */
    for (state = RA_WRITING; state <= RA_PAD; state++) {
        five_records(&ring, RA_CHECKED);
        set_word(&ring, ra_ring_tail(&ring),
                 ra_header_word(ra_ring_tail(&ring), 0, state));
        hole(&ring, 16);
        set_word(&ring, PAD, 0);
        set_word(&ring, PAD + 8, ra_header_word(PAD + 8, 0, state));
        CHECK_EQ(mend(&ring).ready, 5);
        check_survivors(&ring, "abcde");
    }

    /* A pad up to the tail and no record behind it. */
    file_ring(&ring, SMALLEST, START, RA_CHECKED);
    push_letters(&ring, 'a', 24);
    set_word(&ring, START + 48, ra_header_word(START + 48, 0, RA_PAD));
    hole(&ring, 48 + 24);
    CHECK_EQ(mend(&ring).ready, 1);
    check_survivors(&ring, "a");
}

static void
bytes_outside_are_zeroed(void)
{
    struct ra_ring ring;
    uint64_t i, used;

    /* Behind the tail lies a whole record that nobody reserved, and more. */
    five_records(&ring, RA_CHECKED);
    used = ra_ring_tail(&ring) - START;
    for (i = used - 48; i < SMALLEST; i++)
        ring.region->data[(START + i) & ring.mask] |= i >= used;
    add_relaxed(&ring.region->tail, (uint64_t)0 - 48);
    CHECK_EQ(mend(&ring).ready, 4);
    check_survivors(&ring, "abcd");
}

static void
repair_of_a_hostile_file_ends(void)
{
    const uint64_t capacity = 16 * 1024 * 1024;
    struct ra_ring ring;
    struct ra_repair found;
    uint64_t at;

    /* Every word heads a record that reaches to the lap's end: to read each
       would be to read 8 TiB. */
    file_ring(&ring, capacity, 0, RA_CHECKED);
    store_relaxed(&ring.region->tail, capacity);
    for (at = 0; at < capacity; at += 8)
        set_word(&ring, at, ra_header_word(at, 0, RA_READY));
    for (at = 0; at + 40 <= capacity; at += 16)
        record_of(&ring, at)->length = (uint32_t)(capacity - at - 24);
    ra_ring_repair(&ring, &found);
    CHECK_EQ(found.ready, 0);
    CHECK_EQ(ra_ring_free(&ring), capacity);
    ring_drop(&ring);

    /* The same with pads, each of which needs zeros up to the lap's end. */
    file_ring(&ring, capacity, 0, RA_CHECKED);
    store_relaxed(&ring.region->tail, capacity);
    for (at = 0; at < capacity; at += 8)
        set_word(&ring, at, ra_header_word(at, 0, RA_PAD));
    ra_ring_repair(&ring, &found);
    CHECK_EQ(ra_ring_free(&ring), capacity);
    ring_drop(&ring);
}

int
main(void)
{
    RUN(only_whole_files_are_sound);
    RUN(every_bit_of_page_0_counts);
    RUN(sealed_headers_that_are_refused);
    RUN(capacity_alone_may_be_wrong);
    RUN(hands_in_their_order);
    RUN(one_flipped_bit_costs_one_record_at_most);
    RUN(one_flipped_bit_of_a_hand);
    RUN(wrong_length_hides_no_other_record);
    RUN(without_checksums_only_headers_count);
    RUN(headers_of_others_are_no_headers);
    RUN(headers_where_there_is_no_room);
    RUN(bytes_outside_are_zeroed);
    RUN(repair_of_a_hostile_file_ends);
    return 0;
}
