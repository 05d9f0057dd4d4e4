#include "base/token.h"

#include "base/hash.h"

#include <stdint.h>
#include <string.h>

enum { MARK_BYTES = 4, RANDOM_DIGITS = 27, SUM_DIGITS = 6, BASE = 62 };

static const char MARK[] = "ubt_";
static const char DIGITS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

bool token_has_mark(const char *text)
{
    return strncmp(text, MARK, MARK_BYTES) == 0;
}

static void write_checksum(const char *before, char digits_r[SUM_DIGITS])
{
    uint64_t hash = hash_bytes(HASH_START, before, MARK_BYTES + RANDOM_DIGITS);
    for (int i = SUM_DIGITS - 1; i >= 0; i--) {
        digits_r[i] = DIGITS[hash % BASE];
        hash /= BASE;
    }
}

enum status token_check(const char *text, size_t len_bytes, const char **why_r)
{
    char checksum[SUM_DIGITS];
    if (len_bytes != TOKEN_BYTES) {
        *why_r = len_bytes < TOKEN_BYTES ? "is a view token that was cut off: it must have 37 characters"
                                         : "is longer than a view token, which has 37 characters";
        return STATUS_INVALID;
    }
    for (size_t i = MARK_BYTES; i < len_bytes; i++) {
        if (text[i] == '\0' || !strchr(DIGITS, text[i])) {
            *why_r = "is a view token with a character that is neither a letter nor a digit";
            return STATUS_INVALID;
        }
    }
    write_checksum(text, checksum);
    if (!token_has_mark(text) || memcmp(checksum, text + MARK_BYTES + RANDOM_DIGITS, SUM_DIGITS) != 0) {
        *why_r = "is a view token with a typing error: its checksum is wrong";
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

/* Divides the number by 62 in place, and returns the rest. */
static unsigned divide(unsigned char number[TOKEN_RANDOM_BYTES])
{
    unsigned rest = 0;
    for (size_t i = 0; i < TOKEN_RANDOM_BYTES; i++) {
        unsigned part = rest * 256 + number[i];
        number[i] = (unsigned char)(part / BASE);
        rest = part % BASE;
    }
    return rest;
}

void token_write(const unsigned char random[TOKEN_RANDOM_BYTES], char text_r[TOKEN_BYTES + 1])
{
    unsigned char number[TOKEN_RANDOM_BYTES];
    memcpy(number, random, sizeof number);
    memcpy(text_r, MARK, MARK_BYTES);
    for (int i = RANDOM_DIGITS - 1; i >= 0; i--)
        text_r[MARK_BYTES + i] = DIGITS[divide(number)];
    write_checksum(text_r, text_r + MARK_BYTES + RANDOM_DIGITS);
    text_r[TOKEN_BYTES] = '\0';
}

enum status token_may_parse(const char *word, enum token_may *may_r)
{
    static const char *const words[TOKEN_MAYS] = {"list", "board", "box", "all"};
    for (int i = 0; i < TOKEN_MAYS; i++) {
        if (strcmp(words[i], word) == 0) {
            *may_r = (enum token_may)i;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

unsigned token_field_of(const char *name, size_t len_bytes)
{
    static const struct {
        const char *name;
        unsigned bit;
    } fields[] = {{"i", TOKEN_FIELD_TITLE},
                  {"path", TOKEN_FIELD_PATH},
                  {"visitors", TOKEN_FIELD_VISITORS},
                  {"change", TOKEN_FIELD_CHANGE}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strlen(fields[i].name) == len_bytes && memcmp(fields[i].name, name, len_bytes) == 0)
            return fields[i].bit;
    }
    return 0;
}

enum status token_fields_parse(const char *text, unsigned *fields_r)
{
    unsigned fields = 0;
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        unsigned bit = token_field_of(at, len);
        if (!bit)
            return STATUS_INVALID;
        fields |= bit;
        at += len;
        if (!*at)
            break;
    }
    *fields_r = fields;
    return STATUS_OK;
}
