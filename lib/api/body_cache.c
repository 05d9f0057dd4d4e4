#include "api/body_cache.h"

#include "base/cache.h"

#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES_MAX = 64,
    ALL_MAX_BYTES = 4 * 1024 * 1024,
    BODY_MAX_BYTES = 2 * 1024 * 1024, /* so that no body drops all others */
    SUFFIX_MAX_BYTES = 127,
    CACHE_KEY_MAX_BYTES = HOST_MAX_BYTES + 1 + CALLBACK_MAX_BYTES + 1 + SUFFIX_MAX_BYTES + 1 + sizeof(int) +
                          sizeof(enum request_format) + sizeof(unsigned) + sizeof(bool),
};

struct body_cache {
    struct cache *cache;
};

/* The text of the body stands behind it. */
struct stored_body {
    time_us taken_at;
    struct buffer body;
};

static char *append(char *to, const void *bytes, size_t len_bytes)
{
    memcpy(to, bytes, len_bytes);
    return to + len_bytes;
}

/* The parts of a request that decide how its answer looks, each string with its NUL, as one key; its length,
 * or 0 where the request has too long a suffix. */
static size_t key_of(const struct request_params *params, char key[CACHE_KEY_MAX_BYTES])
{
    const char *callback = params->callback ? params->callback : "";
    size_t suffix_bytes = strlen(params->cache_key_suffix) + 1;
    char *end = append(key, &params->limit, sizeof params->limit);
    end = append(end, &params->format, sizeof params->format);
    end = append(end, &params->fields, sizeof params->fields);
    end = append(end, &params->has_rank, sizeof params->has_rank);
    end = append(end, params->host, strlen(params->host) + 1);
    end = append(end, callback, strlen(callback) + 1);
    if (suffix_bytes > SUFFIX_MAX_BYTES + 1)
        return 0;
    return (size_t)(append(end, params->cache_key_suffix, suffix_bytes) - key);
}

struct body_cache *body_cache_new(void)
{
    struct body_cache *cache = calloc(1, sizeof *cache);
    if (cache)
        cache->cache = cache_new(ENTRIES_MAX, ALL_MAX_BYTES);
    if (cache && cache->cache)
        return cache;
    free(cache);
    return NULL;
}

void body_cache_free(struct body_cache *cache)
{
    if (cache)
        cache_free(cache->cache);
    free(cache);
}

const struct buffer *body_cache_find(const struct body_cache *cache, const struct request_params *params,
                                     time_us *taken_at_r)
{
    char key[CACHE_KEY_MAX_BYTES];
    const struct stored_body *stored = cache_find(cache->cache, key, key_of(params, key), NULL);
    if (!stored)
        return NULL;
    *taken_at_r = stored->taken_at;
    return &stored->body;
}

void body_cache_put(struct body_cache *cache, const struct request_params *params, time_us taken_at,
                    const struct buffer *body)
{
    char key[CACHE_KEY_MAX_BYTES];
    size_t key_bytes = key_of(params, key);
    if (key_bytes == 0 || body->status != STATUS_OK || body->len_bytes == 0 ||
        body->len_bytes > BODY_MAX_BYTES)
        return;
    struct stored_body *stored =
        cache_reserve(cache->cache, key, key_bytes, sizeof *stored + body->len_bytes + 1);
    if (!stored)
        return;
    char *text = (char *)(stored + 1);
    memcpy(text, body->data, body->len_bytes + 1);
    stored->taken_at = taken_at;
    stored->body = (struct buffer){.data = text, .len_bytes = body->len_bytes};
}
