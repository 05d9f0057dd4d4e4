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

bool utf8_json_has_nul_escape(const char *json, size_t len_bytes)
{
    const char *at = json;
    const char *end = json + len_bytes;
    while ((at = memchr(at, '\\', (size_t)(end - at)))) {
        if (end - at >= 6 && memcmp(at + 1, "u0000", 5) == 0)
            return true;
        at += 2;
        if (at >= end)
            break;
    }
    return false;
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
