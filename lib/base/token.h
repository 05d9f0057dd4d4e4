/* View tokens: their text, and what each may do. Pure.
 *
 *     ubt_4GsEv8pHy6Zd0nqLkX2cTbR9mWa8Kx3QzP
 *     \__/\_________________________/\____/
 *     mark  160 random bits, base62   checksum
 *
 * The digits of base62 are 0-9, A-Z, a-z. The 27 digits in the middle are the random bytes as one number, the
 * highest byte first. The checksum is the FNV-1a hash of all that stands before it, modulo 62^6, in 6 digits:
 * it tells a typo from a token that is unknown, without a look-up, and keeps nothing secret. */
#ifndef UPBEAT_BASE_TOKEN_H
#define UPBEAT_BASE_TOKEN_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    TOKEN_RANDOM_BYTES = 20,
    TOKEN_BYTES = 4 + 27 + 6,
};

/* What a token may ask for; see struct route for which endpoints that is. */
enum token_may {
    TOKEN_LIST,  /* the list, and the pages of a minute */
    TOKEN_BOARD, /* all that the board asks for */
    TOKEN_BOX,   /* the list for readers: titles and paths without numbers */
    TOKEN_ALL,
    TOKEN_MAYS /* how many there are; not one of them */
};

/* Fields of a row that a token may be bound to, as bits. */
enum token_field {
    TOKEN_FIELD_TITLE = 1, /* "i" */
    TOKEN_FIELD_PATH = 2,
    TOKEN_FIELD_VISITORS = 4,
    TOKEN_FIELD_CHANGE = 8,
};

/* Has the text the mark of a token? Such a text is never a key of Chartbeat. */
bool token_has_mark(const char *text);

/* Checks the form of a text with the mark. STATUS_INVALID: *why_r says in words what is wrong, without the
 * token (static storage). */
enum status token_check(const char *text, size_t len_bytes, const char **why_r) MUST_CHECK;

/* Writes the token of these random bytes, NUL-terminated. */
void token_write(const unsigned char random[TOKEN_RANDOM_BYTES], char text_r[TOKEN_BYTES + 1]);

/* "list", "board", "box" or "all". STATUS_INVALID: another word; *may_r is untouched. */
enum status token_may_parse(const char *word, enum token_may *may_r) MUST_CHECK;

/* Reads names of fields with commas between them: i, path, visitors, change. STATUS_INVALID: another name, or
 * none; *fields_r is untouched. */
enum status token_fields_parse(const char *text, unsigned *fields_r) MUST_CHECK;

/* The bit of a field of this name, or 0. */
unsigned token_field_of(const char *name, size_t len_bytes);

#endif
