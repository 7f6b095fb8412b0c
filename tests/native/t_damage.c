/* SPDX-License-Identifier: MIT */
/*
 * Rings whose bytes have changed: damage costs the record that it hit and no
 * other.
 */
#include "wreck.h"

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
    for (i = 0; i < 5; i++)
        for (bit = 0; bit < 64; bit++) {
            struct ra_ring ring;
            ra_word *hands[5];

            five_records(&ring, RA_CHECKED);
            hands[0] = &ring.region->free;
            hands[1] = &ring.region->head;
            hands[2] = &ring.region->tail;
            hands[3] = &ring.region->free_cache;
            hands[4] = &ring.region->pushed;
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
    header_is_void(ra_void_word(at - SMALLEST, 48), 0);
    header_is_void(ra_void_word(at + 8, 48), 0);
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
event_of_no_bytes_is_none(void)
{
    struct ra_ring ring;

    /* Its checksum is right; but the splice knows no such event. */
    file_ring(&ring, SMALLEST, START, RA_CHECKED);
    push_letters(&ring, 'a', 8);
    push_letters(&ring, 'b', 0);
    push_letters(&ring, 'c', 8);
    CHECK_EQ(mend(&ring).bad_crc, 1);
    check_survivors(&ring, "ac");
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
    alarm(20); /* No repair takes long, whatever it is given. */
    RUN(one_flipped_bit_costs_one_record_at_most);
    RUN(one_flipped_bit_of_a_hand);
    RUN(wrong_length_hides_no_other_record);
    RUN(without_checksums_only_headers_count);
    RUN(headers_of_others_are_no_headers);
    RUN(headers_where_there_is_no_room);
    RUN(event_of_no_bytes_is_none);
    RUN(bytes_outside_are_zeroed);
    RUN(repair_of_a_hostile_file_ends);
    return 0;
}
