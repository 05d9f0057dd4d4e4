#include "base/escape.h"

#include <stdbool.h>

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != 0x7f && c != 0xe2;
}

/* The escape that replaces the character at `at`, or NULL where the character stands for itself. *taken_r is
 * the length of the character. */
static const char *escape_of(const unsigned char *at, size_t left, char *room, size_t *taken_r)
{
    *taken_r = 1;
    switch (*at) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case 0xe2:
        if (left < 3 || at[1] != 0x80 || (at[2] != 0xa8 && at[2] != 0xa9))
            return NULL;
        *taken_r = 3;
        return at[2] == 0xa8 ? "\\u2028" : "\\u2029";
    default:
        snprintf(room, 7, "\\u%04x", *at);
        return room;
    }
}

void json_escape(struct buffer *out, const char *text, size_t len_bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + len_bytes;
    const unsigned char *start = at;
    buffer_append_char(out, '"');
    while (at < end) {
        char room[8];
        size_t taken = 1;
        const char *escape = is_plain(*at) ? NULL : escape_of(at, (size_t)(end - at), room, &taken);
        if (escape) {
            buffer_append(out, start, (size_t)(at - start));
            buffer_append_text(out, escape);
            start = at + taken;
        }
        at += taken;
    }
    buffer_append(out, start, (size_t)(end - start));
    buffer_append_char(out, '"');
}

void csv_escape(struct buffer *out, const char *text, size_t len_bytes)
{
    const char *at = text;
    const char *end = text + len_bytes;
    buffer_append_char(out, '"');
    if (len_bytes > 0 && *text != '\0' && strchr("=+-@\t\r", *text))
        buffer_append_char(out, '\'');
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        size_t run = quote ? (size_t)(quote + 1 - at) : (size_t)(end - at);
        buffer_append(out, at, run);
        if (quote)
            buffer_append_char(out, '"');
        at += run;
    }
    buffer_append_char(out, '"');
}

void xml_escape(struct buffer *out, const char *text, size_t len_bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    for (size_t i = 0; i < len_bytes; i++) {
        bool is_noncharacter = at[i] == 0xef && len_bytes - i >= 3 && at[i + 1] == 0xbf && at[i + 2] >= 0xbe;
        if (is_noncharacter)
            i += 2;
        else if (at[i] == '&')
            buffer_append_text(out, "&amp;");
        else if (at[i] == '<')
            buffer_append_text(out, "&lt;");
        else if (at[i] == '>')
            buffer_append_text(out, "&gt;");
        else if (at[i] == '"')
            buffer_append_text(out, "&quot;");
        else if (at[i] >= 0x20 || at[i] == '\t' || at[i] == '\n' || at[i] == '\r')
            buffer_append_char(out, (char)at[i]);
    }
}
