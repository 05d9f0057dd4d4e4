/* The one writer of answers that are lists: the same calls make JSON, JSONP, CSV, and the lines of a program.
 *
 *     writer_begin(&writer, out, WRITE_JSON, callback);
 *     writer_header(&writer, columns, 2);
 *     writer_rows_begin(&writer, NULL);
 *     for each row: writer_row_begin(&writer); writer_text(&writer, "path", …); writer_int(&writer, "n", …);
 *                   writer_row_end(&writer);
 *     writer_rows_end(&writer);
 *     writer_end(&writer);
 *
 * Rows are objects in JSON, and lines in the other formats, which have no names but those of the header.
 * Errors are those of the buffer: look at its status at the end. */
#ifndef UPBEAT_BASE_WRITER_H
#define UPBEAT_BASE_WRITER_H

#include "base/buffer.h"
#include "base/clock.h"

#include <stdbool.h>

enum writer_format {
    WRITE_JSON,       /* or JSONP, where there is a callback */
    WRITE_JSON_LINES, /* an object a line, with nothing around them */
    WRITE_CSV,        /* RFC 4180, safe to open in a spreadsheet: see csv_escape() */
    WRITE_TSV,        /* tabs between the fields, text as it is, truth values as 1 and 0 */
};

/* Fields are the writer's own. */
struct writer {
    struct buffer *out;
    enum writer_format format;
    const char *callback;
    bool has_fields; /* the row or object that is being written has some */
    bool has_rows;
};

/* Begins a document. `callback` is the function of JSONP, checked by the caller, or NULL; other formats than
 * WRITE_JSON take no notice of it. */
void writer_begin(struct writer *writer, struct buffer *out, enum writer_format format, const char *callback);

/* Ends the document. */
void writer_end(struct writer *writer);

/* The line of column names, in CSV and TSV; nothing in the others. */
void writer_header(struct writer *writer, const char *const *names, size_t count);

/* An object around the rows or inside a field; nothing in CSV and TSV. `name` is that of the field, or NULL
 * where the object is not a field. */
void writer_object_begin(struct writer *writer, const char *name);
void writer_object_end(struct writer *writer);

/* The rows; `name` as above. */
void writer_rows_begin(struct writer *writer, const char *name);
void writer_row_begin(struct writer *writer);
void writer_row_end(struct writer *writer);
void writer_rows_end(struct writer *writer);

/* A field of a row or object. writer_raw() writes bytes that are a number, true or false; a NULL as text or
 * as raw bytes is null, which is an empty field in CSV and TSV. */
void writer_text(struct writer *writer, const char *name, const char *text, size_t len_bytes);
void writer_raw(struct writer *writer, const char *name, const char *bytes, size_t len_bytes);
void writer_int(struct writer *writer, const char *name, int64_t number);
void writer_decimal(struct writer *writer, const char *name, double number, int places);
void writer_bool(struct writer *writer, const char *name, bool is_true);
void writer_time(struct writer *writer, const char *name, time_us at);
void writer_null(struct writer *writer, const char *name);

/* Begins a field whose value the caller appends to the buffer. */
void writer_name(struct writer *writer, const char *name);

#endif
