/* Reads recorded samples from TSV: a header line, then a line for each page of each sample. */
#ifndef UPBEAT_PAGES_RECORDING_H
#define UPBEAT_PAGES_RECORDING_H

#include "pages/page_list.h"
#include <stddef.h>
#include <stdint.h>

enum { RECORDING_COLUMNS_MAX = 16 };

/* The numbers of the columns, counted from 0. */
struct recording_columns {
    int t_ms, path, visitors, count;
    int sources[PAGE_SOURCES]; /* -1, all of them: there are none */
};

struct recording_row {
    int64_t at_ms;    /* since 1970 */
    const char *path; /* points into the line; 1 to PATH_MAX_BYTES bytes of UTF-8 */
    size_t path_bytes;
    int32_t visitors;
    uint32_t sources[PAGE_SOURCES]; /* all 0 where there are none */
};

/* Reads the header line (without its end): the names of the columns with tabs between them. The names t_ms,
 * path and visitors each stand there once; search, social, links, direct and internal all or none. Returns
 * NULL, or the error in words (static storage), after which *columns_r is undefined. */
const char *recording_header(const char *line, size_t len_bytes, struct recording_columns *columns_r);

/* Reads any other line. Returns NULL, or the error in words, which leaves *row_r untouched. */
const char *recording_row(const char *line, size_t len_bytes, const struct recording_columns *columns,
                          struct recording_row *row_r);

#endif
