/* SPDX-License-Identifier: MIT */
/*
 * CRC32C (Castagnoli), the checksum of file rings.
 */
#ifndef RINGAMP_CRC32C_H
#define RINGAMP_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * ra_crc32c: the checksum of `length` bytes that follow those whose checksum
 * is `crc`; begin with 0.
 *
 * => Any thread. By the processor's own instruction where there is one
 *    (SSE4.2, ARMv8), which is looked up at load time: one binary serves all
 *    processors of an architecture.
 */
uint32_t ra_crc32c(uint32_t crc, const void *bytes, size_t length);

/*
 * ra_crc32c_portable: the same without the instruction, eight bytes a step.
 */
uint32_t ra_crc32c_portable(uint32_t crc, const void *bytes, size_t length);

/*
 * ra_crc32c_is_hardware: whether ra_crc32c() uses the instruction.
 */
int ra_crc32c_is_hardware(void);

#endif
