/* Reads recorded samples from TSV: a header line, then a line for each page of each sample. */
#ifndef UPBEAT_PAGES_RECORDING_H
#define UPBEAT_PAGES_RECORDING_H

#include "pages/page_list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORDING_COLUMNS_MAX = 16 };

/* The numbers of the columns, counted from 0; -1: there is no such column. */
struct recording_columns {
    int t_ms, path, visitors, count;
    int title, sections, sources; /* these may be left out */
};

struct recording_row {
    int64_t at_ms;    /* since 1970 */
    const char *path; /* points into the line; 1 to PATH_MAX_BYTES bytes of UTF-8 */
    size_t path_bytes;
    int32_t visitors;
    /* What the other columns have, empty where they are left out: texts into the line, of UTF-8. */
    const char *title, *sections, *sources;
    size_t title_bytes, sections_bytes, sources_bytes;
};

/* Reads the header line (without its end): the names of the columns with tabs between them. The names t_ms,
 * path and visitors each stand there once; title, sections and sources may. Returns NULL, or the error in
 * words (static storage), after which *columns_r is undefined. */
const char *recording_header(const char *line, size_t len_bytes, struct recording_columns *columns_r);

/* Reads any other line. Returns NULL, or the error in words, which leaves *row_r untouched. */
const char *recording_row(const char *line, size_t len_bytes, const struct recording_columns *columns,
                          struct recording_row *row_r);

/* Reads the five numbers of a row's sources: search, social, links, direct, internal, with commas between
 * them; all 0 where it has none. False: they are no such numbers, and `sources_r` is undefined. */
bool recording_sources(const struct recording_row *row, uint32_t sources_r[PAGE_SOURCES]) MUST_CHECK;

#endif
