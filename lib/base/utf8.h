/* Text that comes from outside: is it UTF-8, and how is it mended where it isn't. */
#ifndef UPBEAT_BASE_UTF8_H
#define UPBEAT_BASE_UTF8_H

#include "base/buffer.h"
#include <stdbool.h>
#include <stddef.h>

/* Whether the bytes are well-formed UTF-8 (RFC 3629: shortest forms, no surrogates, at most U+10FFFF) without
 * NUL. */
bool utf8_valid(const char *bytes, size_t len_bytes);

/* Appends what stands between the quotes of a JSON string, with each broken piece replaced by U+FFFD, so that
 * it is JSON, UTF-8, and without NUL, raw or escaped, once it is decoded. A broken piece is a NUL; the
 * longest start of a character that is not well-formed, or else one byte (as the Unicode standard advises
 * in 3.9, and Python and browsers do); the escape \u0000; half of a surrogate pair as an escape; \u with
 * fewer than four hexadecimal digits; and a backslash before any other character that JSON does not let it
 * escape. Returns whether anything was broken. Linear in len_bytes; see out->status. */
bool utf8_mend_json(struct buffer *out, const char *json, size_t len_bytes);

/* The largest length not above max_bytes that does not cut a character of well-formed UTF-8 in two. */
size_t utf8_cut(const char *bytes, size_t len_bytes, size_t max_bytes);

#endif
