/* SPDX-License-Identifier: MIT */
/*
 * Places where a test kills the process: at each step of the protocol after
 * which the ring's bytes are in another state. In every other build they are
 * nothing at all.
 *
 * A test build defines RA_FAILPOINTS and the function, which may never
 * return.
 */
#ifndef RINGAMP_FAILPOINT_H
#define RINGAMP_FAILPOINT_H

#ifdef RA_FAILPOINTS
void ra_failpoint(const char *name);
#define RA_FAILPOINT(name) ra_failpoint(name)
#else
#define RA_FAILPOINT(name) ((void)0)
#endif

#endif
