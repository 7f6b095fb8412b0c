/* SPDX-License-Identifier: MIT */
/*
 * The ids that are always refused, and their neighbours that are not.
 */
#include "check.h"

#include "idcheck.h"

/* From the HTTP V2 documentation, typed again and not included: a list that
   loses an entry must fail here. */
static const char *const listed[] = {
    "anonymous", "nil",     "none", "null", "n/a",    "na", "undefined",
    "unknown",   "\"\"",    "{}",   "-1",   "lmy47d", "0",
    "00000000-0000-0000-0000-000000000000",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int
refuses(const char *id, int is_device)
{
    size_t length = strlen(id);

    /* The quick look must let through whatever the slow one refuses. */
    if (ra_id_is_refused(id, length, is_device))
        CHECK(ra_id_may_be_refused(length, (unsigned char)id[0]));
    return ra_id_is_refused(id, length, is_device);
}

static void
upper(char *to, const char *from, int which)
{
    int i;

    for (i = 0; from[i] != 0; i++) {
        int is_letter = from[i] >= 'a' && from[i] <= 'z';
        /* 0: none, 1: all, 2: the first, 3: every second. */
        int is_chosen = which == 1 || (which == 2 && i == 0) ||
                        (which == 3 && i % 2 == 1);

        to[i] = (char)(is_letter && is_chosen ? from[i] - 32 : from[i]);
    }
    to[i] = 0;
}

static void
whole_list_in_any_case(void)
{
    char text[RA_REFUSED_MAX + 1];
    size_t i;
    int which;

    for (i = 0; i < COUNT(listed); i++)
        for (which = 0; which < 4; which++) {
            upper(text, listed[i], which);
            CHECK(refuses(text, 0));
            CHECK(refuses(text, 1));
        }
}

static void
near_misses_pass(void)
{
    char text[RA_REFUSED_MAX + 2];
    size_t i, length;

    /* One character more, and one less, at either end. */
    for (i = 0; i < COUNT(listed); i++) {
        length = strlen(listed[i]);
        snprintf(text, sizeof(text), "%sx", listed[i]);
        CHECK(!refuses(text, 1));
        snprintf(text, sizeof(text), "x%s", listed[i]);
        CHECK(!refuses(text, 1));
        snprintf(text, sizeof(text), "%.*s", (int)length - 1, listed[i]);
        CHECK(!refuses(text, 0));
        CHECK(!refuses(listed[i] + 1, 0));
    }
    CHECK(!refuses("", 0));
    CHECK(!refuses("", 1));
    CHECK(!refuses("anonymou5", 0));
    CHECK(!refuses("00000000-0000-0000-0000-000000000001", 1));
    CHECK(!refuses("datamonster@gmail.com", 0));
}

static void
zeros_are_refused_of_devices_alone(void)
{
    CHECK(refuses("00000", 1));
    CHECK(!refuses("00000", 0));
    CHECK(refuses("00000000000000000000000000000000", 1));
    CHECK(!refuses("00000000000000000000000000000000", 0));
    CHECK(refuses("0-0", 1));
    CHECK(!refuses("-00", 1));
    CHECK(!refuses("000O0", 1));
    CHECK(!refuses("0000 ", 1));
}

static void
length_is_obeyed_and_not_the_terminator(void)
{
    /* Without one behind it, with one inside it, above the longest. */
    CHECK(ra_id_is_refused("nullify", 4, 0));
    CHECK(!ra_id_is_refused("nil\0", 4, 0));
    CHECK(!ra_id_is_refused("0\0" "000", 5, 1));
    CHECK(!ra_id_is_refused("0000000000000000000000000000000000000", 37, 1));
}

static void
first_looks_at_characters_and_not_bytes(void)
{
    uint32_t first;

    /* U+0130 and U+212A fold to i and k in other tables, not in this. */
    for (first = 0x80; first < 0x11000; first++)
        CHECK(!ra_id_may_be_refused(4, first));
    CHECK(!ra_id_may_be_refused(4, 0x10006e));
    CHECK(!ra_id_may_be_refused(4, 0));
    CHECK(!ra_id_may_be_refused(RA_REFUSED_MAX + 1, 'n'));
    CHECK(ra_id_may_be_refused(RA_REFUSED_MAX, '0'));
    CHECK(ra_id_may_be_refused(4, 'N'));
}

int
main(void)
{
    RUN(whole_list_in_any_case);
    RUN(near_misses_pass);
    RUN(zeros_are_refused_of_devices_alone);
    RUN(length_is_obeyed_and_not_the_terminator);
    RUN(first_looks_at_characters_and_not_bytes);
    return 0;
}
