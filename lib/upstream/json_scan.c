#include "upstream/json_scan.h"

#include <string.h>

static bool is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

const char *json_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at;
}

static const char *skip_string(const char *at, const char *end)
{
    if (at == end || *at != '"')
        return NULL;
    at++;
    while (at < end) {
        if (*at == '"')
            return at + 1;
        at += *at == '\\' && end - at > 1 ? 2 : 1;
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

bool json_is_number(const char *at, const char *end)
{
    return at < end && skip_number(at, end) == end;
}

/* A number, a word, or what other languages write in place of one. */
static const char *skip_token(const char *at, const char *end)
{
    static const bool ends_it[256] = {
        ['"'] = true, ['\''] = true, [','] = true,  [':'] = true, ['['] = true, [']'] = true,
        ['{'] = true, ['}'] = true,  ['\\'] = true, ['<'] = true, ['>'] = true, [0x7f] = true,
    };
    const char *from = at;
    while (at < end && (unsigned char)*at > ' ' && !ends_it[(unsigned char)*at])
        at++;
    return at > from ? at : NULL;
}

/* What is neither object nor array. */
static const char *skip_scalar(const char *at, const char *end)
{
    return at < end && *at == '"' ? skip_string(at, end) : skip_token(at, end);
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

bool json_comes(struct json_cursor *cursor, char c)
{
    cursor->at = json_skip_space(cursor->at, cursor->end);
    return cursor->at < cursor->end && *cursor->at == c;
}

bool json_take(struct json_cursor *cursor, char c)
{
    bool is_next = json_comes(cursor, c);
    cursor->at += is_next;
    return is_next;
}

bool json_take_value(struct json_cursor *cursor, const char **value_r, size_t *len_r)
{
    const char *value = json_skip_space(cursor->at, cursor->end);
    const char *end = json_skip_value(value, cursor->end);
    if (!end)
        return false;
    cursor->at = end;
    *value_r = value;
    *len_r = (size_t)(end - value);
    return true;
}

bool json_take_name(struct json_cursor *cursor, const char **name_r, size_t *len_r)
{
    if (!json_comes(cursor, '"') || !json_take_value(cursor, name_r, len_r))
        return false;
    *name_r += 1;
    *len_r -= 2;
    return json_take(cursor, ':');
}

/* Is it this character's escape, as \u0061 is that of a? */
static bool is_escape_of(char c, const char *at, const char *end)
{
    static const char small[] = "0123456789abcdef";
    static const char large[] = "0123456789ABCDEF";
    unsigned char code = (unsigned char)c;
    return end - at >= 6 && memcmp(at, "\\u00", 4) == 0 && at[4] == small[code >> 4] &&
           (at[5] == small[code & 15] || at[5] == large[code & 15]);
}

bool json_is_name(const char *text, const char *name, size_t len_bytes)
{
    const char *at = name;
    const char *end = name + len_bytes;
    for (; *text != '\0' && at < end; text++) {
        if (*at != *text && !is_escape_of(*text, at, end))
            return false;
        at += *at == *text ? 1 : 6;
    }
    return *text == '\0' && at == end;
}
