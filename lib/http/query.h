/* A query string taken apart: names and values, percent-decoded, each name at most once. */
#ifndef UPBEAT_HTTP_QUERY_H
#define UPBEAT_HTTP_QUERY_H

#include "base/arena.h"
#include "base/status.h"
#include <stddef.h>

enum { QUERY_MAX_BYTES = 8192, QUERY_MAX_PARAMETERS = 32 };

struct query_parameter {
    const char *name;
    const char *value; /* NUL-terminated, and no NUL inside */
    size_t value_bytes;
};

struct query {
    struct query_parameter items[QUERY_MAX_PARAMETERS];
    size_t count;
};

/* Takes text apart ("a=1&b=%20x", "+" is a space; an empty part is passed over). The arena owns names and
 * values. On an error the query is empty and *why_r says what was wrong (static storage), without any value:
 * STATUS_INVALID: a bad percent escape, a NUL, bytes that are not UTF-8, a name given twice;
 * STATUS_TOO_LARGE: over QUERY_MAX_BYTES bytes or QUERY_MAX_PARAMETERS parameters; STATUS_NO_MEMORY. */
enum status query_parse(const char *text, struct arena *arena, struct query *query_r,
                        const char **why_r) MUST_CHECK;

/* The parameter of that name, or NULL. Owned by the query. */
const struct query_parameter *query_find(const struct query *query, const char *name);

#endif
