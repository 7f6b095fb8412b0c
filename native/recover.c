/* SPDX-License-Identifier: MIT */
#include "recover.h"

#include <string.h>

#include "crc32c.h"

static uint32_t
header_crc(const struct ra_region *region)
{
    return ra_crc32c(0, region, offsetof(struct ra_region, header_crc));
}

void
ra_region_seal(struct ra_region *region)
{
    region->header_crc = header_crc(region);
}
