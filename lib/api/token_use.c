#include "api/token_use.h"

#include <limits.h>
#include <stdlib.h>
#include <uthash.h>

struct used {
    int token_id;
    int requests;
    int64_t since_ms;
    UT_hash_handle hh;
};

struct token_use {
    struct used *all; /* first counted first */
};

struct token_use *token_use_new(void)
{
    return calloc(1, sizeof(struct token_use));
}

static void forget(struct token_use *use, struct used *used)
{
    /* uthash frees its table with the last entry, which the analyzer does not see.
     * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    HASH_DEL(use->all, used);
    free(used);
}

void token_use_free(struct token_use *use)
{
    struct used *used;
    struct used *next;
    if (!use)
        return;
    HASH_ITER(hh, use->all, used, next)
    forget(use, used);
    free(use);
}

void token_use_count(struct token_use *use, int token_id, int requests, int64_t now_ms)
{
    struct used *used = NULL;
    HASH_FIND_INT(use->all, &token_id, used);
    if (used) {
        used->requests = used->requests < INT_MAX - requests ? used->requests + requests : INT_MAX;
        return;
    }
    used = HASH_COUNT(use->all) < TOKEN_USE_MAX ? calloc(1, sizeof *used) : NULL;
    if (!used)
        return;
    used->token_id = token_id;
    used->requests = requests;
    used->since_ms = now_ms;
    HASH_ADD_INT(use->all, token_id, used);
    if (!used->hh.tbl) /* uthash found no memory */
        free(used);
}

bool token_use_next(struct token_use *use, int64_t now_ms, int *token_id_r, int *requests_r)
{
    struct used *first = use->all;
    if (!first || now_ms - first->since_ms < TOKEN_USE_TELL_MS)
        return false;
    *token_id_r = first->token_id;
    *requests_r = first->requests;
    forget(use, first);
    return true;
}

int token_use_timeout_ms(const struct token_use *use, int64_t now_ms, int max_ms)
{
    int64_t left_ms = use->all ? use->all->since_ms + TOKEN_USE_TELL_MS - now_ms : max_ms;
    return left_ms < 0 ? 0 : left_ms < max_ms ? (int)left_ms : max_ms;
}
