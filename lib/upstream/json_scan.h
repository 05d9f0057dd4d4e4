/* JSON (RFC 8259) that is only to be stepped over: most of what Chartbeat answers is histograms that nobody
 * here reads, and cJSON makes a node of each number. What is read is read by cJSON, see toppages.c. The shape
 * is strict (braces, commas, colons, quotes); the leaves are not, so that one number that is none, as NaN, or
 * one broken character does not cost what stands beside it. */
#ifndef UPBEAT_UPSTREAM_JSON_SCAN_H
#define UPBEAT_UPSTREAM_JSON_SCAN_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

enum { JSON_DEPTH_MAX = 500 };

/* The first byte from `at` on, before `end`, that is no space. */
const char *json_skip_space(const char *at, const char *end);

/* The end of the value that begins at `at`; NULL: there is none, or it is nested deeper than JSON_DEPTH_MAX.
 * A string may hold any bytes, and any character behind a backslash. In place of a number, true, false or
 * null may stand whatever has neither space nor controls nor a character with which JSON builds ("',:[]{}\<>
 * in it: NaN, -Infinity, 01, +1, .5, 0x10, undefined, None, nan(ind). Linear. */
const char *json_skip_value(const char *at, const char *end) MUST_CHECK;

/* Is this text a number as JSON wants it, and nothing else? */
bool json_is_number(const char *at, const char *end);

/* What is left to be read. */
struct json_cursor {
    const char *at;
    const char *end;
};

/* Does this character come next, with space before it? Steps over the space. */
bool json_comes(struct json_cursor *cursor, char c);

/* Steps over it too, if it does. */
bool json_take(struct json_cursor *cursor, char c);

/* Steps over the value that comes next, with space before it; *value_r points at its first byte. False: there
 * is none, and the outputs are untouched. */
bool json_take_value(struct json_cursor *cursor, const char **value_r, size_t *len_r) MUST_CHECK;

/* Steps over the name of a member and the colon behind it; *name_r points behind its quote, *len_r is without
 * the quotes. False: there is none. */
bool json_take_name(struct json_cursor *cursor, const char **name_r, size_t *len_r) MUST_CHECK;

/* Is that name, with the escapes that it may have, this text? `text` is ASCII of which JSON has no short
 * escape. */
bool json_is_name(const char *text, const char *name, size_t len_bytes);

#endif
