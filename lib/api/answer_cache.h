/* What this worker last answered to each question, for the time when the database can't be had: then nobody
 * can be looked up, and the last answer is repeated, marked as stale. An answer is found only by the same
 * question with the same key or view token from the same origin, so nobody is told more than he was told
 * before. How long it may be repeated is the policy's to say: up to UPBEAT_STALE_ERROR_MS of the snapshot's
 * age, and REVOCATION_MS after the key was checked or the view token looked up. Whoever loses a right loses
 * it by a write to the database, so what was known when the database was lost is the newest that there is to
 * know, but for what changed between the last look-up here and that moment. */
#ifndef UPBEAT_API_ANSWER_CACHE_H
#define UPBEAT_API_ANSWER_CACHE_H

#include "base/buffer.h"
#include "http/params.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ANSWER_CACHE_REFUSED = 1024, /* tokens, and keys with their hosts */
    ANSWER_CACHE_ENTRIES = 1024,
    ANSWER_CACHE_BYTES = 16 * 1024 * 1024,
    ANSWER_CACHE_BODY_BYTES = 1024 * 1024
};

struct answer_cache;

/* An answer as it was given. The cache owns all that it points to, until the next answer_cache_put(). */
struct cached_answer {
    time_us taken_at;
    time_us previous_at;
    int rate_limit;
    int rate_remaining;
    struct cache_row_state view; /* at looked_up_ms */
    int64_t looked_up_ms;        /* of the monotonic clock */
    int token_id;                /* 0: it was a key */
    int limit;                   /* these as the view token has narrowed them */
    unsigned fields;
    bool has_rank;
    const char *origins;          /* of the view token; "": not bound to any */
    const char *cache_key_suffix; /* which the ETag was made of */
    struct buffer body;
};

/* An empty cache of at most ANSWER_CACHE_ENTRIES answers and ANSWER_CACHE_BYTES. NULL: no memory. */
struct answer_cache *answer_cache_new(void) MUST_CHECK;

/* NULL is allowed. */
void answer_cache_free(struct answer_cache *cache);

/* Is there an answer to this question? */
bool answer_cache_has(const struct answer_cache *cache, const struct request_head *head,
                      const struct request_params *params);

/* The answer to this question; false: there is none, and *answer_r is untouched. */
bool answer_cache_find(const struct answer_cache *cache, const struct request_head *head,
                       const struct request_params *params, struct cached_answer *answer_r);

/* Stores a copy of the answer; one with a body of over ANSWER_CACHE_BODY_BYTES, and one to a question that is
 * very long, is not stored. What it points to must not lie in the cache. is_same: the body of an answer out
 * of the same snapshot is the same, and need not be copied again. */
void answer_cache_put(struct answer_cache *cache, const struct request_head *head,
                      const struct request_params *params, const struct cached_answer *answer, bool is_same);

/* Nothing is repeated to this view token or key, for any question or for those about its host, until it is
 * answered again. */
void answer_cache_refuse(struct answer_cache *cache, const struct request_params *params);

#endif
