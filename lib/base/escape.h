/* Text as JSON and as CSV. */
#ifndef UPBEAT_BASE_ESCAPE_H
#define UPBEAT_BASE_ESCAPE_H

#include "base/buffer.h"
#include <stddef.h>

/* Appends a JSON string (RFC 8259) with its quotes. Text is UTF-8. U+2028 and U+2029 are escaped, since JSONP
 * is JavaScript, and so is "<", since somebody will paste it into a page. */
void json_escape(struct buffer *out, const char *text, size_t len_bytes);

/* Appends a quoted CSV field (RFC 4180). Text that a spreadsheet would take for a formula (it starts with = +
 * - @ tab or CR) gets an apostrophe in front. */
void csv_escape(struct buffer *out, const char *text, size_t len_bytes);

#endif
