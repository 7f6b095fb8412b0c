/* SPDX-License-Identifier: MIT */
/*
 * Leases in one process: locks on bytes, which files are opened, and tables
 * that are full.
 */
#include "holding.h"

#include <sys/resource.h>
#include <sys/stat.h>

#define TABLE 4096 /* RA_LEASES_MAX of lease.c */

static void
open_files_exclude_each_other_byte_by_byte(void)
{
    int one = ra_lease_open(directory, "a", 1);
    int two = ra_lease_open(directory, "a", 0);

    CHECK(one >= 0 && two >= 0);
    CHECK_EQ(ra_lease_take(one, RA_LEASE_PRODUCER), 0);
    CHECK_EQ(ra_lease_take(one, RA_LEASE_PRODUCER), 0);
    CHECK_EQ(ra_lease_take(two, RA_LEASE_PRODUCER), EAGAIN);
    CHECK_EQ(ra_lease_take(two, RA_LEASE_CONSUMER), 0);
    CHECK_EQ(ra_lease_take(one, RA_LEASE_CONSUMER), EAGAIN);

    CHECK_EQ(ra_lease_give(two, RA_LEASE_PRODUCER), 0); /* not its own */
    CHECK_EQ(ra_lease_take(two, RA_LEASE_PRODUCER), EAGAIN);
    CHECK_EQ(ra_lease_give(one, RA_LEASE_PRODUCER), 0);
    CHECK_EQ(ra_lease_take(two, RA_LEASE_PRODUCER), 0);

    /* What POSIX locks get wrong: any other close of the file. */
    close(openat(directory, "a", O_RDWR));
    CHECK(!are_free("a"));
    ra_lease_close(two);
    CHECK(are_free("a"));
    ra_lease_close(one);
    unlinkat(directory, "a", 0);
}

static void
only_plain_files_are_opened(void)
{
    struct stat about;
    int descriptor = ra_lease_open(directory, "a", 1);

    CHECK(descriptor >= 0);
    CHECK_EQ(fstat(descriptor, &about), 0);
    CHECK_EQ(about.st_mode & 07777, 0600);
    CHECK_EQ(fcntl(descriptor, F_GETFD), FD_CLOEXEC);
    ra_lease_close(descriptor);

    CHECK_EQ(ra_lease_open(directory, "a", 1), -EEXIST);
    CHECK_EQ(ra_lease_open(directory, "none", 0), -ENOENT);
    CHECK_EQ(symlinkat("a", directory, "link"), 0);
    CHECK_EQ(ra_lease_open(directory, "link", 0), -ELOOP);
    CHECK_EQ(ra_lease_open(directory, "link", 1), -EEXIST);
    CHECK_EQ(symlinkat("none", directory, "dangling"), 0);
    CHECK_EQ(ra_lease_open(directory, "dangling", 1), -EEXIST);
    CHECK_EQ(mkdirat(directory, "folder", 0700), 0);
    CHECK_EQ(ra_lease_open(directory, "folder", 0), -EISDIR);

    /* Opens at once, and is no memory. */
    CHECK_EQ(mkfifoat(directory, "fifo", 0600), 0);
    descriptor = ra_lease_open(directory, "fifo", 0);
    if (descriptor >= 0) {
        CHECK(ra_map(descriptor, SIZE) == NULL);
        ra_lease_close(descriptor);
    }
    unlinkat(directory, "a", 0);
    unlinkat(directory, "link", 0);
    unlinkat(directory, "dangling", 0);
    unlinkat(directory, "fifo", 0);
    unlinkat(directory, "folder", AT_REMOVEDIR);
}

static void
full_table_answers_and_leaks_nothing(void)
{
    static int held[TABLE];
    struct rlimit limit;
    int before = open_count(), count = 0;

    /* Where the limit cannot be so high the kernel answers instead. */
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    printf("  %d descriptors are allowed\n", (int)limit.rlim_cur);

    held[count++] = ra_lease_open(directory, "a", 1);
    while (count < TABLE &&
           (held[count] = ra_lease_open(directory, "a", 0)) >= 0)
        count++;
    if (limit.rlim_cur > TABLE + 100)
        CHECK_EQ(count, TABLE);
    CHECK_EQ(ra_lease_open(directory, "a", 0), -EMFILE);
    ra_lease_close(held[--count]);
    CHECK_EQ(open_count(), before + count);
    held[count] = ra_lease_open(directory, "a", 0);
    CHECK(held[count++] >= 0);
    CHECK_EQ(ra_lease_open(directory, "a", 0), -EMFILE);

    while (count > 0)
        ra_lease_close(held[--count]);
    CHECK_EQ(open_count(), before);
    unlinkat(directory, "a", 0);
}

static void
full_table_of_maps_answers(void)
{
    static void *held[TABLE];
    int plain = ra_lease_open(directory, "a", 1);
    int gate[2], i;

    CHECK_EQ(ftruncate(plain, SIZE), 0);
    CHECK_EQ(pipe2(gate, O_CLOEXEC), 0);
    /* What cannot be mapped takes no place. */
    for (i = 0; i < 2 * TABLE; i++)
        CHECK(ra_map(gate[0], SIZE) == NULL);
    for (i = 0; i < TABLE; i++) {
        held[i] = ra_map(plain, SIZE);
        CHECK(held[i] != NULL);
    }
    CHECK(ra_map(plain, SIZE) == NULL);
    ra_unmap(held[0], SIZE);
    held[0] = ra_map(plain, SIZE);
    CHECK(held[0] != NULL);
    for (i = 0; i < TABLE; i++)
        ra_unmap(held[i], SIZE);
    CHECK(!is_any_mapped());
    ra_lease_close(plain);
    close(gate[0]);
    close(gate[1]);
    unlinkat(directory, "a", 0);
}

int
main(int argc, char **argv)
{
    (void)argc;
    holding_setup(argv[0]);
    RUN(open_files_exclude_each_other_byte_by_byte);
    RUN(only_plain_files_are_opened);
    RUN(full_table_answers_and_leaks_nothing);
    RUN(full_table_of_maps_answers);
    CHECK_EQ(rmdir(folder), 0);
    return 0;
}
