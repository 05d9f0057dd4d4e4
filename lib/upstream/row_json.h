/* A row of Chartbeat's answer as JSON that is small and sound: of its members those that are read, each once,
 * under the name without escapes, with mended texts. What is kept of a row is 5 of its 100 parts, and cJSON
 * sees only this. */
#ifndef UPBEAT_UPSTREAM_ROW_JSON_H
#define UPBEAT_UPSTREAM_ROW_JSON_H

#include "base/buffer.h"
#include "upstream/json_scan.h"
#include <stdbool.h>
#include <stddef.h>

struct row_json {
    struct buffer text;  /* the row; empty where it is no object */
    bool is_path_broken; /* its path had to be mended */
    size_t mended_texts; /* of all rows */
};

void row_json_init(struct row_json *row, size_t max_bytes);

void row_json_release(struct row_json *row);

/* Reads the value that comes next into row->text: path, title, i, visitors, sections, and of stats people,
 * visits, search, social, links, direct and internal. Of a name given twice the first is kept. A text that is
 * no string, a count that is neither a string nor a number as JSON wants it, stats that are no object and
 * sections that are no array become false, unless they are null; sections keep their strings. False: it is no
 * JSON in its shape. See row->text.status. */
bool row_json_read(struct row_json *row, struct json_cursor *cursor) MUST_CHECK;

#endif
