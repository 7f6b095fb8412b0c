/* SPDX-License-Identifier: MIT */
/*
 * Arbitrary bytes as a region, by libFuzzer (fuzz.py builds and runs it).
 *
 * The input is a small program: it makes a ring of 64 KiB, pushes, reserves,
 * claims and releases, dies, and then damages what it left: flipped bits,
 * forged headers, wrong hands. What ra_region_check() lets pass is repaired
 * and drained, or, as the ring of a living producer that goes on damaging
 * it, claimed from without a repair. One input in four is the region itself.
 *
 * After a repair: a second one changes nothing; no claim answers
 * RA_CORRUPT, claims follow each other without gap or overlap up to the
 * tail; every record has the right checksum and is spliced. Of a wreck
 * without damage, every record that was committed and not released is there.
 * Of a living ring: nothing outside is read or written, and every call ends.
 */
#include "fuzz_story.h"
#include "splice.h"

#define MOST (CAPACITY / 8)

static unsigned char before[SIZE];
static uint32_t offsets[MOST + 1];
static uint64_t positions[MOST];

/*
 * Splice a claim into a body that is as long as the bound says.
 */
static void
splice(const struct ra_ring *ring, const struct ra_claim *claim, int is_mended)
{
    const struct ra_wrap wrap = {"[", 1, "]", 1, "lib", 3};
    uint64_t bound = ra_splice_bound(claim, &wrap), length;
    unsigned char *body = malloc(bound);
    const struct ra_room room = {body, bound, offsets, positions};

    CHECK(claim->count <= MOST && body != NULL);
    length = ra_splice(ring, claim, &wrap, &room);
    CHECK(length <= bound);
    CHECK(!is_mended || length > claim->bytes);
    free(body);
}

static void
check_claim(const struct ra_ring *ring, const struct ra_claim *claim)
{
    uint64_t at = claim->start, i, bytes = 0;

    for (i = 0; i < claim->count; i++) {
        const struct ra_record *record;
        uint64_t word;

        at = ra_ring_next(ring, at);
        record = record_at(at);
        word = load_relaxed(&record->word);
        CHECK(word == ra_header_word(at, ra_flags(word), RA_READY));
        CHECK(!ring->is_checked ||
              record->crc ==
                  ra_record_crc(record, ra_flags(word), record->length));
        bytes += record->length;
        at += ra_span(record->length);
        CHECK(at <= claim->end);
    }
    CHECK(bytes == claim->bytes);
    CHECK(claim->end <= load_relaxed(&region->tail));
}

static void
drain(struct ra_ring *ring, uint64_t ready)
{
    uint64_t most = take(1) + 1, bytes = take(1) << 8;
    uint64_t last = ra_ring_free(ring);
    struct ra_claim claim;
    int64_t count;

    CHECK(ring->claim == last);
    while ((count = ra_ring_claim(ring, most, bytes, 9, &claim)) > 0) {
        CHECK(claim.start == last && claim.count == (uint64_t)count);
        check_claim(ring, &claim);
        splice(ring, &claim, 1);
        ra_ring_release(ring, claim.end);
        last = claim.end;
        CHECK(claim.count <= ready);
        ready -= claim.count;
    }
    CHECK(count == 0);
    CHECK(ready == 0);
    CHECK(ra_ring_free(ring) == ra_ring_tail(ring));
    CHECK(region->data[0] == 0);
    CHECK(memcmp(region->data, region->data + 1, CAPACITY - 1) == 0);
}

static void
repair_and_drain(const struct story *story)
{
    struct ra_ring ring = {0};
    struct ra_repair found, again;

    CHECK(ra_ring_attach(&ring, region) == 0);
    ra_ring_repair(&ring, &found);
    CHECK(ra_region_check(region, SIZE, project) == RA_SOUND);
    memcpy(before, memory, SIZE);
    ra_ring_repair(&ring, &again);
    CHECK(memcmp(before, memory, SIZE) == 0);
    CHECK(again.ready == found.ready && again.oldest_ms == found.oldest_ms);
    CHECK(again.torn + again.holes + again.bad_crc == 0);
    if (!story->is_damaged) {
        CHECK(found.ready == story->ready);
        CHECK(found.torn == story->torn);
        CHECK(found.bad_crc == 0);
    }
    drain(&ring, found.ready);
}

static void
live_with_it(void)
{
    struct ra_ring ring = {0};
    struct ra_claim claim;

    CHECK(ra_ring_attach(&ring, region) == 0);
    ra_ring_resume(&ring);
    do {
        if (ra_ring_claim(&ring, take(1) + 1, UINT64_MAX, 0, &claim) > 0) {
            if (take(1) % 2 == 0)
                damage();
            splice(&ring, &claim, 0);
            ra_ring_release(&ring, claim.end);
        }
        damage();
    } while (input_left > 0);
}

/*
 * The input is a file: as long as it is; then as one of the right length, of
 * which it is the first bytes of page 0, of page 1 and of the records, with
 * more and more of what page 0 must be.
 */
static void
check_raw(void)
{
    const struct story damaged = {.is_damaged = 1};
    const size_t pieces[][2] = {
        {0, 96}, {4096, 300}, {RA_HEADER_SIZE, CAPACITY}};
    struct ra_region *raw = malloc(input_left);
    size_t i;

    CHECK(raw != NULL || input_left == 0);
    memcpy(raw, input, input_left);
    ra_region_check(raw, input_left, project);
    free(raw);

    memset(memory, 0, SIZE);
    for (i = 0; i < 3; i++) {
        size_t most = pieces[i][1];

        most = input_left < most ? input_left : most;
        memcpy(memory + pieces[i][0], input, most);
        input += most;
        input_left -= most;
    }
    ra_region_check(region, SIZE, project);
    region->magic = RA_MAGIC;
    ra_region_check(region, SIZE, project);
    region->version = RA_VERSION;
    ra_region_check(region, SIZE, project);
    ra_region_seal(region);
    if (ra_region_check(region, SIZE, project) != RA_SOUND) {
        region->header_len = RA_HEADER_SIZE;
        region->capacity = CAPACITY;
        region->flags &= RA_CHECKED;
        memcpy(region->project, project, RA_PROJECT_SIZE);
        ra_region_seal(region);
    }
    if (ra_region_check(region, SIZE, project) == RA_SOUND)
        repair_and_drain(&damaged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t starts[] = {
        0,
        CAPACITY - 512,
        (UINT64_C(1) << 35) - 1024,
        (UINT64_C(1) << 63) - 1024,
        UINT64_MAX - 5 * RA_CAPACITY_MAX + 1,
    };
    static const unsigned char ring_id[RA_RING_ID_SIZE] = "fuzz";
    struct story story = {0};
    unsigned mode;
    uint64_t start;

    input = data;
    input_left = size;
    mode = (unsigned)take(1);
    if (mode % 4 == 0) {
        check_raw();
        return 0;
    }
    memset(memory, 0, SIZE);
    start = starts[take(1) % 5];
    start += take(1) * 8;
    CHECK(ra_ring_format(region, CAPACITY, ring_id, start) == 0);
    ra_region_describe(region, project, 1, 2, 3,
                       mode & 16 ? 0 : RA_CHECKED);
    ra_region_seal(region);
    CHECK(ra_ring_attach(&story.ring, region) == 0);
    run_program(&story);
    while (story.is_damaged && input_left > 0 && take(1) % 8 != 0)
        damage();
    if (ra_region_check(region, SIZE, project) != RA_SOUND) {
        CHECK(story.is_damaged);
        return 0;
    }
    if (mode & 32)
        live_with_it();
    else
        repair_and_drain(&story);
    return 0;
}
