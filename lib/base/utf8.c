#include "base/utf8.h"

#include <stdint.h>

/* The length of the character at `at`; 0 if it is not well-formed (Unicode standard, table 3-7). */
static size_t char_bytes(const unsigned char *at, size_t left)
{
    unsigned char c = at[0];
    size_t n = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (n == 0 || n > left)
        return 0;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

/* Whether the next eight bytes are ASCII without NUL. Most text is, and this reads it eight bytes at a time.
 */
static bool plain_word(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    const uint64_t high = 0x8080808080808080u;
    return ((word | (word - 0x0101010101010101u)) & high) == 0;
}

bool utf8_valid(const char *bytes, size_t len_bytes)
{
    const unsigned char *at = (const unsigned char *)bytes;
    const unsigned char *end = at + len_bytes;
    while (at < end) {
        if (end - at >= 8 && plain_word(at)) {
            at += 8;
            continue;
        }
        if (*at != 0 && *at < 0x80) {
            at++;
            continue;
        }
        size_t n = char_bytes(at, (size_t)(end - at));
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

/* How much of a character that is not well-formed is one broken piece: what could still have become one. */
static size_t broken_bytes(const unsigned char *at, size_t left)
{
    unsigned char c = at[0];
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    size_t needed = c < 0xc2 || c > 0xf4 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    size_t n = 1;
    if (needed > 1 && left > 1 && at[1] >= low && at[1] <= high) {
        n = 2;
        while (n < needed && n < left && (at[n] & 0xc0) == 0x80)
            n++;
    }
    return n;
}

static int hexadecimal(unsigned char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* The digits of a \u escape, at most four; *code_r is their number. */
static size_t read_hexadecimal(const unsigned char *at, const unsigned char *end, unsigned *code_r)
{
    size_t n = 0;
    unsigned code = 0;
    for (; n < 4 && at + n < end && hexadecimal(at[n]) >= 0; n++)
        code = code * 16 + (unsigned)hexadecimal(at[n]);
    *code_r = code;
    return n;
}

/* From a backslash on: the bytes of the escape. */
static size_t escape_bytes(const unsigned char *at, const unsigned char *end, bool *is_good_r)
{
    enum { HIGH_FIRST = 0xd800, LOW_FIRST = 0xdc00, LOW_LAST = 0xdfff };
    unsigned code = 0;
    unsigned second = 0;
    if (end - at < 2 || at[1] != 'u') {
        *is_good_r = end - at >= 2 && at[1] != '\0' && strchr("\"\\/bfnrt", at[1]);
        return *is_good_r ? 2 : 1;
    }
    size_t digits = read_hexadecimal(at + 2, end, &code);
    bool is_high = digits == 4 && code >= HIGH_FIRST && code < LOW_FIRST;
    if (is_high && end - at >= 12 && at[6] == '\\' && at[7] == 'u' &&
        read_hexadecimal(at + 8, end, &second) == 4 && second >= LOW_FIRST && second <= LOW_LAST) {
        *is_good_r = true;
        return 12;
    }
    *is_good_r = digits == 4 && code != 0 && (code < HIGH_FIRST || code > LOW_LAST);
    return 2 + digits;
}

bool utf8_mend_json(struct buffer *out, const char *json, size_t len_bytes)
{
    static const char replacement[] = "\xef\xbf\xbd";
    const unsigned char *at = (const unsigned char *)json;
    const unsigned char *end = at + len_bytes;
    const unsigned char *good = at; /* what is not yet written, and needs no mending */
    bool is_broken = false;
    while (at < end) {
        bool is_good = *at != 0;
        size_t n = 1;
        if (*at == '\\') {
            n = escape_bytes(at, end, &is_good);
        } else if (*at >= 0x80) {
            n = char_bytes(at, (size_t)(end - at));
            is_good = n > 0;
            n = is_good ? n : broken_bytes(at, (size_t)(end - at));
        }
        if (!is_good) {
            buffer_append(out, good, (size_t)(at - good));
            buffer_append(out, replacement, sizeof replacement - 1);
            good = at + n;
            is_broken = true;
        }
        at += n;
    }
    buffer_append(out, good, (size_t)(end - good));
    return is_broken;
}

size_t utf8_cut(const char *bytes, size_t len_bytes, size_t max_bytes)
{
    if (len_bytes <= max_bytes)
        return len_bytes;
    size_t len = max_bytes;
    while (len > 0 && ((unsigned char)bytes[len] & 0xc0) == 0x80)
        len--;
    return len;
}
