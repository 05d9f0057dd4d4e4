/* Counts what the processes of one installation do, in memory that they share, so that whoever is asked can
 * tell the sum. The metrics are those of base/metric_table.h.
 *
 * The memory is a file in the folder `metrics` of UPBEAT_RUN_DIR, with a slot for each process. A process
 * writes only into its own slot, so nothing is locked while it counts: a count is a load and a store of 8
 * bytes, which a process that is killed has made or has not. A slot belongs to whoever holds the lock on its
 * byte of the file, which the kernel releases when the process ends in any way. The next process that needs a
 * slot takes over one that nobody holds, with the counts in it, and goes on counting there: so nothing is
 * lost, and no counter of the sum ever goes back. The sum takes counters and histograms from all slots, and
 * gauges from those that are held.
 *
 * The name of the file holds a fingerprint of all metrics and of the layout: another version with other
 * metrics has a file of its own, and neither reads the other's. Users that are to share the file need a
 * folder that both can write to (mode 0770 or 2770); a file in a folder that is closed to others is made with
 * mode 0666, and otherwise 0660. A process that can write to the file can stop the others by cutting it
 * short, so the folder is not for strangers.
 *
 * Where there is no memory to share (the folder can't be written, the disk is full, all slots are taken), a
 * process counts in memory of its own, and the sum that it tells is its own alone. */
#ifndef UPBEAT_BASE_METRICS_H
#define UPBEAT_BASE_METRICS_H

#include "base/metric_table.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    METRICS_SLOTS = 640,      /* two pools of the largest size, and what is beside them */
    METRICS_CELLS_MAX = 2048, /* of one slot: 16 kB */
};

/* The sum over all processes, of each cell: see metrics_value(). */
struct metrics_sum {
    uint64_t cells[METRICS_CELLS_MAX];
};

/* Takes a slot for this process, of the folder `metrics` in run_dir, which is made where it is absent. If
 * that fails, the log says so in one line, and the process counts for itself. Call it once, before any thread
 * or child. */
void metrics_open(const char *run_dir, enum metric_program program);

/* Gives the slot back; what was counted stays in it. For the end of a program, and for tests. */
void metrics_close(void);

/* The program of this process, as metrics_open() was told. */
enum metric_program metrics_program(void);

/* Count n more of a counter; set a gauge; count a length of time in a histogram. `series` is 0 where the
 * family has no labels, and less than metric_series_count(). */
void metrics_count(enum metric metric, unsigned series, uint64_t n);
void metrics_set(enum metric metric, unsigned series, uint64_t value);
void metrics_observe(enum metric metric, unsigned series, int64_t took_us);

/* Adds up what all processes have counted. */
void metrics_add_up(struct metrics_sum *sum_r);

/* Of a sum: the value of a counter or gauge; of a histogram the number in a bucket (0 to METRIC_BUCKETS, not
 * cumulated; the last is that of +Inf), and the sum of all lengths. */
uint64_t metrics_value(const struct metrics_sum *sum, enum metric metric, unsigned series);
uint64_t metrics_bucket(const struct metrics_sum *sum, enum metric metric, unsigned series, unsigned bucket);
uint64_t metrics_total_us(const struct metrics_sum *sum, enum metric metric, unsigned series);

/* How many cells all metrics take, which is at most METRICS_CELLS_MAX. */
size_t metrics_cells(void);

#endif
