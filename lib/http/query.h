/* Parses a query string into names and values, percent-decoded, each name once at most. */
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
    const char *twice; /* the first name that was given twice; NULL: none. Owned by the arena. */
};

/* Takes text apart ("a=1&b=%20x", "+" is a space; an empty part is passed over). The arena owns names and
 * values. On an error *why_r says what was wrong first (static storage), without any value, and the query has
 * the parameters that are good, of a name given twice the first:
 * STATUS_INVALID: a bad percent escape, a NUL, bytes that are not UTF-8, a name given twice;
 * STATUS_TOO_LARGE: over QUERY_MAX_BYTES bytes, and the query is empty, or over QUERY_MAX_PARAMETERS
 * parameters; STATUS_NO_MEMORY, and the query is empty. */
enum status query_parse(const char *text, struct arena *arena, struct query *query_r,
                        const char **why_r) MUST_CHECK;

/* The parameter of that name, or NULL. Owned by the query. */
const struct query_parameter *query_find(const struct query *query, const char *name);

#endif
