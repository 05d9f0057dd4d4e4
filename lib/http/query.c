#include "http/query.h"

#include "base/utf8.h"

#include <stdbool.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place: the text never gets longer. Returns the new length, or -1 at a bad escape. */
static long decode(char *text, size_t len_bytes)
{
    size_t to = 0;
    for (size_t at = 0; at < len_bytes; at++) {
        char c = text[at];
        if (c == '+')
            c = ' ';
        if (c == '%') {
            if (at + 2 >= len_bytes)
                return -1;
            int high = hex_value(text[at + 1]);
            int low = hex_value(text[at + 2]);
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high * 16 + low);
            at += 2;
        }
        text[to++] = c;
    }
    text[to] = '\0';
    return (long)to;
}

static const char TOO_MANY[] = "has more than 32 parameters";

static const char *add_part(struct query *query, char *part, size_t len_bytes)
{
    char *equals = memchr(part, '=', len_bytes);
    size_t name_bytes = equals ? (size_t)(equals - part) : len_bytes;
    char *value = equals ? equals + 1 : part + len_bytes;
    size_t value_bytes = equals ? len_bytes - name_bytes - 1 : 0;
    /* The value is decoded first, because the NUL after the decoded name may overwrite the '='. */
    long value_len = decode(value, value_bytes);
    long name_len = decode(part, name_bytes);
    if (value_len < 0 || name_len < 0)
        return "has a percent sign that two hex digits do not follow";
    if (!utf8_valid(part, (size_t)name_len) || !utf8_valid(value, (size_t)value_len))
        return "has bytes that are not UTF-8, or a NUL";
    if (query_find(query, part)) {
        if (!query->twice)
            query->twice = part;
        return "has a parameter twice";
    }
    if (query->count == QUERY_MAX_PARAMETERS)
        return TOO_MANY;
    query->items[query->count++] = (struct query_parameter){part, value, (size_t)value_len};
    return NULL;
}

enum status query_parse(const char *text, struct arena *arena, struct query *query_r, const char **why_r)
{
    const char *fault = NULL;
    query_r->count = 0;
    query_r->twice = NULL;
    size_t len_bytes = strnlen(text, QUERY_MAX_BYTES + 1);
    if (len_bytes > QUERY_MAX_BYTES) {
        *why_r = "is longer than 8192 bytes";
        return STATUS_TOO_LARGE;
    }
    char *copy = arena_copy(arena, text, len_bytes);
    if (!copy)
        return STATUS_NO_MEMORY;
    for (char *part = copy, *next = NULL; part; part = next) {
        size_t part_bytes = strcspn(part, "&");
        next = part[part_bytes] ? part + part_bytes + 1 : NULL;
        part[part_bytes] = '\0';
        if (part_bytes == 0)
            continue;
        const char *fault_of_part = add_part(query_r, part, part_bytes);
        fault = fault ? fault : fault_of_part;
    }
    if (!fault)
        return STATUS_OK;
    *why_r = fault;
    return fault == TOO_MANY ? STATUS_TOO_LARGE : STATUS_INVALID;
}

const struct query_parameter *query_find(const struct query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++) {
        if (strcmp(query->items[i].name, name) == 0)
            return &query->items[i];
    }
    return NULL;
}
