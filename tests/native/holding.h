/* SPDX-License-Identifier: MIT */
/*
 * What the tests of leases share: a folder of their own, a file that is held
 * as the owner of a ring holds it, and looks from outside.
 */
#ifndef RINGAMP_HOLDING_H
#define RINGAMP_HOLDING_H

#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "generation.h"
#include "lease.h"

#define SIZE 8192u

static char folder[256];
static int directory;

/*
 * holding_setup: make the folder, beside the program so that whoever removes
 * that removes this, whatever happens in between.
 */
static inline void
holding_setup(const char *program)
{
    alarm(30); /* What blocks has failed. */
    CHECK_EQ(ra_generation_setup(), 0);
    snprintf(folder, sizeof(folder), "%s-XXXXXX", program);
    CHECK(mkdtemp(folder) != NULL);
    directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(directory >= 0);
}

/* A file with both locks and a map. */
struct holding {
    int descriptor;
    unsigned char *map;
};

static inline struct holding
hold(const char *name)
{
    struct holding it = {ra_lease_open(directory, name, 1), NULL};

    CHECK(it.descriptor >= 0);
    CHECK_EQ(ftruncate(it.descriptor, SIZE), 0);
    CHECK_EQ(ra_lease_take(it.descriptor, RA_LEASE_PRODUCER), 0);
    CHECK_EQ(ra_lease_take(it.descriptor, RA_LEASE_CONSUMER), 0);
    it.map = ra_map(it.descriptor, SIZE);
    CHECK(it.map != NULL);
    memset(it.map, 'x', SIZE);
    return it;
}

static inline void
let_go(struct holding it, const char *name)
{
    ra_unmap(it.map, SIZE);
    ra_lease_close(it.descriptor);
    CHECK_EQ(unlinkat(directory, name, 0), 0);
}

/* Whether somebody who opens the file anew gets the lock. */
static inline int
is_free(const char *name, int byte)
{
    int other = openat(directory, name, O_RDWR | O_CLOEXEC), failed;

    CHECK(other >= 0);
    failed = ra_lease_take(other, byte);
    CHECK(failed == 0 || failed == EAGAIN);
    close(other);
    return failed == 0;
}

static inline int
are_free(const char *name)
{
    int producer = is_free(name, RA_LEASE_PRODUCER);

    CHECK_EQ(is_free(name, RA_LEASE_CONSUMER), producer);
    return producer;
}

/* How many descriptors this process has. */
static inline int
open_count(void)
{
    DIR *list = opendir("/proc/self/fd");
    int count = 0;

    CHECK(list != NULL);
    while (readdir(list) != NULL)
        count++;
    closedir(list);
    return count;
}

/* Whether a file of the folder is mapped into this process. */
static inline int
is_any_mapped(void)
{
    static char text[1 << 18];
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t got;

    CHECK(maps >= 0);
    while ((got = read(maps, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)got;
    close(maps);
    text[length] = '\0';
    return strstr(text, folder) != NULL;
}

static inline void
wait_for_success(pid_t child)
{
    int status = 0;

    CHECK(child > 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* Whether this process has a file of the folder open. */
static inline int
is_any_open(void)
{
    DIR *list = opendir("/proc/self/fd");
    size_t length = strlen(folder);
    struct dirent *entry;
    int found = 0;

    CHECK(list != NULL);
    while ((entry = readdir(list)) != NULL) {
        char path[256] = "";

        if (readlinkat(dirfd(list), entry->d_name, path, 255) > 0 &&
            strncmp(path, folder, length) == 0 && path[length] == '/')
            found = 1;
    }
    closedir(list);
    return found;
}

#endif
