/* The stored samples of a host, in order, for programs that read all of them. */
#ifndef UPBEAT_STORE_SAMPLES_H
#define UPBEAT_STORE_SAMPLES_H

#include "base/clock.h"
#include "base/status.h"
#include "db/database.h"
#include "pages/page_list.h"
#include <stdbool.h>

/* One page of one sample. */
struct sample_row {
    int64_t at_ms;    /* since 1970 */
    const char *path; /* owned by the rows; not NUL-terminated */
    size_t path_bytes;
    int64_t visitors;
    bool has_sources;
    uint32_t sources[PAGE_SOURCES];
};

/* The times of the oldest and the newest sample; -1 and -1 where the host has none. Errors as of
 * database_run(); they leave the outputs untouched. */
enum status samples_span(struct database *database, const char *host, struct deadline deadline,
                         int64_t *first_ms_r, int64_t *last_ms_r) MUST_CHECK;

/* Reads the samples from from_ms to before to_ms, ordered by time, then by visitors descending, then by path.
 * The caller frees *rows_r with database_rows_free(). Errors as of database_run(). */
enum status samples_read(struct database *database, const char *host, int64_t from_ms, int64_t to_ms,
                         struct deadline deadline, struct database_rows **rows_r) MUST_CHECK;

/* A row of samples_read(), by its number from 0. */
struct sample_row samples_row(const struct database_rows *rows, size_t number);

#endif
