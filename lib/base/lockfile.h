/* How many workers of the pool may do a thing at once: files in the run folder, locked with flock(2), which
 * the kernel lets go of when a worker dies, however it dies. */
#ifndef UPBEAT_BASE_LOCKFILE_H
#define UPBEAT_BASE_LOCKFILE_H

#include "base/status.h"
#include <stdbool.h>

struct slots {
    const char *run_dir; /* must outlive the slots */
    const char *name;
    int count;
};

/* Makes the files RUN_DIR/NAME.0 to NAME.COUNT-1 where absent. STATUS_FAILED: the folder can't be written to
 * (errno says why). */
enum status lockfile_init(struct slots *slots, const char *run_dir, const char *name, int count) MUST_CHECK;

/* Takes a free slot without waiting, the lowest: a descriptor for lockfile_release(), with its number, or -1
 * where all are taken, with their count as the number. number_r may be NULL. */
int lockfile_take(const struct slots *slots, int *number_r) MUST_CHECK;

/* Takes this one, or -1 where it is taken. */
int lockfile_take_one(const struct slots *slots, int number) MUST_CHECK;

/* Has somebody taken it? */
bool lockfile_is_taken(const struct slots *slots, int number);

/* Gives a slot back; -1 is allowed. */
void lockfile_release(int slot);

#endif
