/* Text as JSON, as CSV and as XML. */
#ifndef UPBEAT_BASE_ESCAPE_H
#define UPBEAT_BASE_ESCAPE_H

#include "base/buffer.h"
#include <stddef.h>

/* Appends a JSON string (RFC 8259) with its quotes. The text is UTF-8. U+2028 and U+2029 are escaped because
 * JSONP is JavaScript, and "<" is escaped because people paste JSON into HTML. */
void json_escape(struct buffer *out, const char *text, size_t len_bytes);

/* Appends a quoted CSV field (RFC 4180). A spreadsheet takes text that starts with = + - @ tab or CR for a
 * formula, so such text gets an apostrophe in front. */
void csv_escape(struct buffer *out, const char *text, size_t len_bytes);

/* Appends text for an element or a quoted attribute of XML 1.0. The text is UTF-8. Characters that XML 1.0
 * does not allow, not even as references (controls but tab, LF and CR; U+FFFE and U+FFFF), are left out. */
void xml_escape(struct buffer *out, const char *text, size_t len_bytes);

#endif
