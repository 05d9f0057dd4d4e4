/* Checks on text from outside, made before anything parses it. */
#ifndef UPBEAT_BASE_UTF8_H
#define UPBEAT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the bytes are well-formed UTF-8 (RFC 3629: shortest forms, no surrogates, at most U+10FFFF) without
 * NUL. */
bool utf8_valid(const char *bytes, size_t len_bytes);

/* Whether JSON text contains the escape \u0000: cJSON would cut the string there, and PostgreSQL refuses it.
 * An escaped backslash followed by "u0000" is not that escape. */
bool utf8_json_has_nul_escape(const char *json, size_t len_bytes);

/* The largest length not above max_bytes that does not cut a character of well-formed UTF-8 in two. */
size_t utf8_cut(const char *bytes, size_t len_bytes, size_t max_bytes);

#endif
