#include "api/answer_cache.h"

#include "base/cache.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 1024 };

enum { WHO_MAX_BYTES = DIGEST_BYTES + HOST_MAX_BYTES };

struct answer_cache {
    struct cache *cache;
    struct cache *refused; /* tokens, and keys with their hosts */
};

/* The body and the texts stand behind it. */
struct stored_answer {
    struct stored_answer *self; /* the cache gives a constant pointer to all */
    struct cached_answer answer;
};

/* A question as bytes; its length grows to more than KEY_MAX where it is too long. */
struct question {
    char bytes[KEY_MAX];
    size_t len_bytes;
};

static void add(struct question *question, const void *bytes, size_t len_bytes)
{
    if (question->len_bytes + len_bytes > KEY_MAX) {
        question->len_bytes = KEY_MAX + 1;
        return;
    }
    memcpy(question->bytes + question->len_bytes, bytes, len_bytes);
    question->len_bytes += len_bytes;
}

/* A text that is absent is not the same as an empty one. */
static void add_text(struct question *question, const char *text)
{
    if (text)
        add(question, text, strlen(text) + 1);
    else
        add(question, "\1", 2);
}

/* jQuery's time against caches is no part of a question, and the key stands in it as its digest. */
static bool is_part(const char *name)
{
    return strcmp(name, "_") != 0 && strcmp(name, "apikey") != 0;
}

/* Of what the client sent, and not of what a view token makes of it: that is not known while the database is
 * away. */
static size_t make_question(const struct request_head *head, const struct request_params *params,
                            struct question *question)
{
    question->len_bytes = 0;
    add(question, params->digest.bytes, DIGEST_BYTES);
    add(question, &params->format, sizeof params->format);
    add(question, &params->has_bom, sizeof params->has_bom);
    add_text(question, head->path);
    add_text(question, head->origin);
    add_text(question, params->callback);
    for (size_t i = 0; i < params->query.count && question->len_bytes <= KEY_MAX; i++) {
        const struct query_parameter *parameter = &params->query.items[i];
        if (!is_part(parameter->name))
            continue;
        add_text(question, parameter->name);
        add_text(question, parameter->value);
    }
    return question->len_bytes <= KEY_MAX ? question->len_bytes : 0;
}

struct answer_cache *answer_cache_new(void)
{
    struct answer_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->cache = cache_new(ANSWER_CACHE_ENTRIES, ANSWER_CACHE_BYTES);
    cache->refused = cache_new(ANSWER_CACHE_REFUSED, (size_t)ANSWER_CACHE_REFUSED * WHO_MAX_BYTES);
    if (cache->cache && cache->refused)
        return cache;
    answer_cache_free(cache);
    return NULL;
}

void answer_cache_free(struct answer_cache *cache)
{
    if (!cache)
        return;
    cache_free(cache->cache);
    cache_free(cache->refused);
    free(cache);
}

static size_t who_is(const struct request_params *params, char who_r[WHO_MAX_BYTES])
{
    size_t host_bytes = params->is_token ? 0 : strlen(params->host);
    memcpy(who_r, params->digest.bytes, DIGEST_BYTES);
    memcpy(who_r + DIGEST_BYTES, params->host, host_bytes);
    return DIGEST_BYTES + host_bytes;
}

void answer_cache_refuse(struct answer_cache *cache, const struct request_params *params)
{
    char who[WHO_MAX_BYTES];
    (void)cache_put(cache->refused, who, who_is(params, who), "", 0);
}

static bool is_refused(const struct answer_cache *cache, const struct request_params *params)
{
    char who[WHO_MAX_BYTES];
    return cache_find(cache->refused, who, who_is(params, who), NULL) != NULL;
}

static const struct stored_answer *find(const struct answer_cache *cache, const struct question *question)
{
    return cache_find(cache->cache, question->bytes, question->len_bytes, NULL);
}

bool answer_cache_has(const struct answer_cache *cache, const struct request_head *head,
                      const struct request_params *params)
{
    struct question question;
    return make_question(head, params, &question) > 0 && find(cache, &question);
}

bool answer_cache_find(const struct answer_cache *cache, const struct request_head *head,
                       const struct request_params *params, struct cached_answer *answer_r)
{
    struct question question;
    const struct stored_answer *stored =
        make_question(head, params, &question) > 0 ? find(cache, &question) : NULL;
    if (stored && is_refused(cache, params))
        return false;
    if (stored)
        *answer_r = stored->answer;
    return stored != NULL;
}

static bool is_same_answer(const struct cached_answer *a, const struct cached_answer *b)
{
    return a->taken_at == b->taken_at && a->body.len_bytes == b->body.len_bytes && a->limit == b->limit &&
           a->fields == b->fields && a->has_rank == b->has_rank && a->token_id == b->token_id;
}

static char *put_text(char **at, const char *text, size_t len_bytes)
{
    char *copy = *at;
    memcpy(copy, text, len_bytes);
    copy[len_bytes] = '\0';
    *at += len_bytes + 1;
    return copy;
}

void answer_cache_put(struct answer_cache *cache, const struct request_head *head,
                      const struct request_params *params, const struct cached_answer *answer, bool is_same)
{
    struct question question;
    if (make_question(head, params, &question) == 0 || answer->body.status != STATUS_OK)
        return;
    char who[WHO_MAX_BYTES];
    const struct stored_answer *old = find(cache, &question);
    cache_remove(cache->refused, who, who_is(params, who));
    if (old && is_same && is_same_answer(&old->answer, answer)) {
        old->self->answer.view = answer->view;
        old->self->answer.looked_up_ms = answer->looked_up_ms;
        return;
    }
    size_t origin_bytes = strlen(answer->origins);
    size_t suffix_bytes = strlen(answer->cache_key_suffix);
    if (answer->body.len_bytes == 0 || answer->body.len_bytes > ANSWER_CACHE_BODY_BYTES) {
        cache_remove(cache->cache, question.bytes, question.len_bytes);
        return;
    }
    struct stored_answer *stored =
        cache_reserve(cache->cache, question.bytes, question.len_bytes,
                      sizeof *stored + origin_bytes + suffix_bytes + answer->body.len_bytes + 3);
    if (!stored)
        return;
    char *at = (char *)(stored + 1);
    stored->self = stored;
    stored->answer = *answer;
    stored->answer.origins = put_text(&at, answer->origins, origin_bytes);
    stored->answer.cache_key_suffix = put_text(&at, answer->cache_key_suffix, suffix_bytes);
    stored->answer.body = (struct buffer){.len_bytes = answer->body.len_bytes};
    stored->answer.body.data = put_text(&at, answer->body.data, answer->body.len_bytes);
}
