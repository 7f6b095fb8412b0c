/* SPDX-License-Identifier: MIT */
/*
 * The list is the HTTP V2 API's "device_id and user_id values" that answer
 * 400. The documentation does not say whether letter case matters; an id
 * such as "None" or "NULL" is somebody's missing value in any case, so it
 * does not. A device id of zeros (and hyphens) alone is one that the device
 * has cleared, which the service drops; somebody's user id may be 00000.
 */
#include "idcheck.h"

#include <string.h>

static const char *const refused[] = {
    "anonymous", "nil",  "none", "null",    "n/a", "na", "undefined",
    "unknown",   "\"\"", "{}",   "lmy47d",  "-1",  "0",
    "00000000-0000-0000-0000-000000000000",
};

#define REFUSED_COUNT (sizeof(refused) / sizeof(refused[0]))

static char
lower(uint32_t character)
{
    if (character >= 'A' && character <= 'Z')
        return (char)(character - 'A' + 'a');
    return character < 0x80 ? (char)character : 0;
}

static int
is_zeros(const char *id, size_t length)
{
    return id[0] == '0' && strspn(id, "0-") >= length;
}

int
ra_id_may_be_refused(size_t length, uint32_t first)
{
    static const char firsts[] = "anul\"{-0";
    char character = lower(first);

    return length <= RA_REFUSED_MAX && character != 0 &&
           strchr(firsts, character) != NULL;
}

int
ra_id_is_refused(const char *id, size_t length, int is_device)
{
    char folded[RA_REFUSED_MAX + 1];
    size_t i;

    if (length == 0 || length > RA_REFUSED_MAX)
        return 0;
    for (i = 0; i < length; i++)
        folded[i] = lower((unsigned char)id[i]);
    folded[length] = 0;

    for (i = 0; i < REFUSED_COUNT; i++)
        if (strlen(refused[i]) == length &&
            memcmp(folded, refused[i], length) == 0)
            return 1;
    return is_device && is_zeros(folded, length);
}
