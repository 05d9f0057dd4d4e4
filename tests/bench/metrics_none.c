/* In place of base/metrics.c: a worker that counts nothing, for tests/bench/metrics. */
#include "base/metrics.h"

#include <stdio.h>

void metrics_open(const char *run_dir, enum metric_program program)
{
    (void)run_dir;
    (void)program;
}

void metrics_close(void)
{
}

enum metric_program metrics_program(void)
{
    return PROGRAM_WORKER;
}

void metrics_count(enum metric metric, unsigned series, uint64_t n)
{
    (void)metric;
    (void)series;
    (void)n;
}

void metrics_set(enum metric metric, unsigned series, uint64_t value)
{
    (void)metric;
    (void)series;
    (void)value;
}

void metrics_observe(enum metric metric, unsigned series, int64_t took_us)
{
    (void)metric;
    (void)series;
    (void)took_us;
}

void metrics_add_up(struct metrics_sum *sum_r)
{
    *sum_r = (struct metrics_sum){{0}};
}

uint64_t metrics_value(const struct metrics_sum *sum, enum metric metric, unsigned series)
{
    (void)metric;
    return sum->cells[series];
}

uint64_t metrics_bucket(const struct metrics_sum *sum, enum metric metric, unsigned series, unsigned bucket)
{
    (void)metric;
    (void)series;
    return sum->cells[bucket];
}

uint64_t metrics_total_us(const struct metrics_sum *sum, enum metric metric, unsigned series)
{
    (void)metric;
    return sum->cells[series];
}

size_t metrics_cells(void)
{
    return 0;
}
