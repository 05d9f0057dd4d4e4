/* Numbered lock files, by which the processes of a pool share a limited number of places. Each place is a
 * file in the run folder, locked with flock(2): the kernel drops the lock when the process ends, however it
 * ends. */
#ifndef UPBEAT_BASE_LOCKFILE_H
#define UPBEAT_BASE_LOCKFILE_H

#include "base/status.h"
#include <stdbool.h>

struct slots {
    const char *run_dir; /* must outlive the slots */
    const char *name;
    int count;
};

/* Creates the files RUN_DIR/NAME.0 to NAME.COUNT-1 that do not exist yet. STATUS_FAILED: the folder can't be
 * written to (errno says why). */
enum status lockfile_init(struct slots *slots, const char *run_dir, const char *name, int count) MUST_CHECK;

/* Takes the free place with the lowest number, without waiting. Returns a descriptor for lockfile_release(),
 * and the number in *number_r; or -1 where all places are taken, and `count` in *number_r. number_r may be
 * NULL. */
int lockfile_take(const struct slots *slots, int *number_r) MUST_CHECK;

/* Takes the place of this number; -1 where it is taken. */
int lockfile_take_one(const struct slots *slots, int number) MUST_CHECK;

/* Whether some process has taken the place of this number. */
bool lockfile_is_taken(const struct slots *slots, int number);

/* Gives a place back. `slot` is the descriptor; -1 is allowed. */
void lockfile_release(int slot);

#endif
