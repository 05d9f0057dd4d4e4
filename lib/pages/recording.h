/* Recorded samples as people keep them: TSV, a header line, then a line for each page and sample. */
#ifndef UPBEAT_PAGES_RECORDING_H
#define UPBEAT_PAGES_RECORDING_H

#include <stddef.h>
#include <stdint.h>

enum { RECORDING_COLUMNS_MAX = 16 };

/* Where the columns stand, from 0. */
struct recording_columns {
    int t_ms, path, visitors, count;
};

struct recording_row {
    int64_t at_ms;    /* since 1970 */
    const char *path; /* points into the line; 1 to PATH_MAX_BYTES bytes of UTF-8 */
    size_t path_bytes;
    int32_t visitors;
};

/* The header: names of columns with tabs between them, t_ms, path and visitors among them, each once. NULL;
 * or what is wrong, in words (static storage), and *columns_r is undefined. The line is without its end. */
const char *recording_header(const char *line, size_t len_bytes, struct recording_columns *columns_r);

/* Another line. NULL; or what is wrong, and *row_r is untouched. */
const char *recording_row(const char *line, size_t len_bytes, const struct recording_columns *columns,
                          struct recording_row *row_r);

#endif
