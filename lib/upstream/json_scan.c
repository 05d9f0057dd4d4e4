#include "upstream/json_scan.h"

#include <stdbool.h>
#include <string.h>

static bool is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static bool is_hexadecimal(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

const char *json_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at;
}

/* From behind a backslash. */
static const char *skip_escape(const char *at, const char *end)
{
    if (at == end || *at == '\0' || !strchr("\"\\/bfnrtu", *at))
        return NULL;
    if (*at != 'u')
        return at + 1;
    if (end - at < 5)
        return NULL;
    for (int i = 1; i < 5; i++) {
        if (!is_hexadecimal(at[i]))
            return NULL;
    }
    return at + 5;
}

static const char *skip_string(const char *at, const char *end)
{
    if (at == end || *at != '"')
        return NULL;
    at++;
    while (at && at < end) {
        if (*at == '"')
            return at + 1;
        at = *at == '\\' ? skip_escape(at + 1, end) : at + 1;
    }
    return NULL;
}

/* At least one. */
static const char *skip_digits(const char *at, const char *end)
{
    if (!is_digit(at, end))
        return NULL;
    while (is_digit(at, end))
        at++;
    return at;
}

static const char *skip_number(const char *at, const char *end)
{
    at += *at == '-';
    at = at < end && *at == '0' ? at + 1 : skip_digits(at, end);
    if (at && at < end && *at == '.')
        at = skip_digits(at + 1, end);
    if (at && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        at = skip_digits(at, end);
    }
    return at;
}

static const char *skip_word(const char *at, const char *end)
{
    static const char *const words[] = {"null", "true", "false"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(end - at) >= len && memcmp(at, words[i], len) == 0)
            return at + len;
    }
    return NULL;
}

/* What is neither object nor array. */
static const char *skip_scalar(const char *at, const char *end)
{
    if (at == end)
        return NULL;
    if (*at == '"')
        return skip_string(at, end);
    return *at == '-' || is_digit(at, end) ? skip_number(at, end) : skip_word(at, end);
}

/* A name and the colon behind it, with space around. */
static const char *skip_name(const char *at, const char *end)
{
    at = skip_string(json_skip_space(at, end), end);
    if (at)
        at = json_skip_space(at, end);
    return at && at < end && *at == ':' ? json_skip_space(at + 1, end) : NULL;
}

const char *json_skip_value(const char *at, const char *end)
{
    char open[JSON_DEPTH_MAX]; /* what closes the innermost, and those around it */
    size_t depth = 0;
    while (at) {
        at = json_skip_space(at, end);
        if (at < end && (*at == '{' || *at == '[') && depth < JSON_DEPTH_MAX) {
            open[depth++] = *at == '{' ? '}' : ']';
            at = json_skip_space(at + 1, end);
            if (at == end || *at != open[depth - 1]) {
                at = open[depth - 1] == '}' ? skip_name(at, end) : at;
                continue;
            }
        } else {
            at = skip_scalar(at, end);
        }
        /* A value has ended, or an empty object or array stands to be closed. */
        while (at && depth > 0) {
            at = json_skip_space(at, end);
            if (at == end || *at != open[depth - 1])
                break;
            depth--;
            at++;
        }
        if (!at || depth == 0)
            return at;
        if (at == end || *at != ',')
            return NULL;
        at = open[depth - 1] == '}' ? skip_name(at + 1, end) : at + 1;
    }
    return NULL;
}
