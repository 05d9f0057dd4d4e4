/* Text as JSON and as CSV. */
#ifndef UPBEAT_NOTATION_H
#define UPBEAT_NOTATION_H

#include "buffer.h"
#include <stddef.h>

/* Appends a JSON string (RFC 8259) with its quotes. Text is UTF-8. U+2028 and U+2029 are escaped, since JSONP
 * is JavaScript, and so is "<", since somebody will paste it into a page. */
void notation_json(struct buffer *out, const char *text, size_t len_bytes);

/* Appends a quoted CSV field (RFC 4180). Text that a spreadsheet would take for a formula (it starts with = +
 * - @ tab or CR) gets an apostrophe in front. */
void notation_csv(struct buffer *out, const char *text, size_t len_bytes);

#endif
