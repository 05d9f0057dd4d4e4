/* How often each view token was used since the fetcher was last told: workers write nothing. Pure. */
#ifndef UPBEAT_API_TOKEN_USE_H
#define UPBEAT_API_TOKEN_USE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { TOKEN_USE_TELL_MS = 5000, TOKEN_USE_MAX = 4096 };

struct token_use;

/* NULL: no memory. */
struct token_use *token_use_new(void) MUST_CHECK;

/* NULL is allowed. */
void token_use_free(struct token_use *use);

/* Counts `requests` (at least 1) with a token. What finds no room is not counted. */
void token_use_count(struct token_use *use, int token_id, int requests, int64_t now_ms);

/* The next token of which the fetcher is to be told, TOKEN_USE_TELL_MS after it was first counted; it is then
 * forgotten. False: there is none, and the outputs are untouched. */
bool token_use_next(struct token_use *use, int64_t now_ms, int *token_id_r, int *requests_r);

/* Milliseconds until there is one, at most max_ms. */
int token_use_timeout_ms(const struct token_use *use, int64_t now_ms, int max_ms);

#endif
