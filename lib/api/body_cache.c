#include "api/body_cache.h"

#include "base/status.h"

#include <stdlib.h>
#include <string.h>

enum {
    PLACES = 64,                       /* a power of two */
    SMALL_MAX_BYTES = 32 * 1024,       /* of a list of some hundred pages: there is always room for it */
    LARGE_MAX_BYTES = 2 * 1024 * 1024, /* all larger ones together */
    VARIANT_MAX_BYTES = 127,           /* what has a longer one is not kept */
    LISTS_PLACES = 16,
    LISTS_KEEP_BYTES = 64 * 1024,
    LISTS_MAX_BYTES = 4 * 1024 * 1024, /* all of them together */
};

static const uint32_t HASH_START = 2166136261u;

struct place {
    bool is_taken;
    char host[HOST_MAX_BYTES + 1];
    char callback[CALLBACK_MAX_BYTES + 1]; /* empty: none */
    char cache_key_suffix[VARIANT_MAX_BYTES + 1];
    int limit;
    enum request_format format;
    time_us taken_at;
    struct buffer body;
};

struct lists_place {
    char host[HOST_MAX_BYTES + 1]; /* empty: none */
    time_us taken_at;
    struct buffer both; /* the newer one first */
    size_t pages_bytes;
    bool has_previous;
};

struct body_cache {
    size_t large_bytes;
    size_t lists_bytes;
    struct place places[PLACES];
    struct lists_place lists[LISTS_PLACES];
};

/* FNV-1a (Fowler, Noll, Vo); two that fall on one place displace each other. */
static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static size_t place_of(const struct request_params *params)
{
    uint32_t hash = hash_text(HASH_START, params->host);
    hash = hash_text(hash, params->callback);
    hash = hash_text(hash, params->cache_key_suffix);
    hash = (hash ^ (uint32_t)params->limit) * 16777619u;
    hash = (hash ^ (uint32_t)params->format) * 16777619u;
    return (hash ^ hash >> 16) % PLACES;
}

static bool is_for(const struct place *place, const struct request_params *params)
{
    return place->is_taken && place->limit == params->limit && place->format == params->format &&
           strcmp(place->host, params->host) == 0 &&
           strcmp(place->callback, params->callback ? params->callback : "") == 0 &&
           strcmp(place->cache_key_suffix, params->cache_key_suffix) == 0;
}

struct body_cache *body_cache_new(void)
{
    struct body_cache *kept = calloc(1, sizeof *kept);
    for (size_t i = 0; kept && i < PLACES; i++)
        buffer_init(&kept->places[i].body, LARGE_MAX_BYTES);
    for (size_t i = 0; kept && i < LISTS_PLACES; i++)
        buffer_init(&kept->lists[i].both, LISTS_MAX_BYTES);
    return kept;
}

void body_cache_free(struct body_cache *kept)
{
    if (!kept)
        return;
    for (size_t i = 0; i < PLACES; i++)
        buffer_release(&kept->places[i].body);
    for (size_t i = 0; i < LISTS_PLACES; i++)
        buffer_release(&kept->lists[i].both);
    free(kept);
}

const struct buffer *body_cache_find(const struct body_cache *kept, const struct request_params *params,
                                     time_us *taken_at_r)
{
    const struct place *place = &kept->places[place_of(params)];
    if (!is_for(place, params))
        return NULL;
    *taken_at_r = place->taken_at;
    return &place->body;
}

static size_t large_bytes_of(const struct place *place)
{
    return place->body.len_bytes > SMALL_MAX_BYTES ? place->body.len_bytes : 0;
}

static void empty(struct body_cache *kept, struct place *place)
{
    kept->large_bytes -= large_bytes_of(place);
    place->is_taken = false;
    buffer_clear(&place->body, SMALL_MAX_BYTES);
}

/* Whichever comes first: to know which is asked for most is not worth it. */
static void make_room_for(struct body_cache *kept, size_t len_bytes)
{
    for (size_t i = 0; kept->large_bytes + len_bytes > LARGE_MAX_BYTES && i < PLACES; i++) {
        if (large_bytes_of(&kept->places[i]) > 0)
            empty(kept, &kept->places[i]);
    }
}

void body_cache_put(struct body_cache *kept, const struct request_params *params, time_us taken_at,
                    const struct buffer *body)
{
    struct place *place = &kept->places[place_of(params)];
    size_t variant_bytes = strlen(params->cache_key_suffix);
    if (body->status != STATUS_OK || variant_bytes > VARIANT_MAX_BYTES || body->len_bytes == 0 ||
        body->len_bytes > LARGE_MAX_BYTES)
        return;
    empty(kept, place);
    if (body->len_bytes > SMALL_MAX_BYTES)
        make_room_for(kept, body->len_bytes);
    buffer_append(&place->body, body->data, body->len_bytes);
    place->is_taken = place->body.status == STATUS_OK;
    kept->large_bytes += large_bytes_of(place);
    place->limit = params->limit;
    place->format = params->format;
    place->taken_at = taken_at;
    memcpy(place->cache_key_suffix, params->cache_key_suffix, variant_bytes + 1);
    memcpy(place->host, params->host, strlen(params->host) + 1);
    const char *callback = params->callback ? params->callback : "";
    memcpy(place->callback, callback, strlen(callback) + 1);
}

static size_t lists_place_of(const char *host)
{
    uint32_t hash = hash_text(HASH_START, host);
    return (hash ^ hash >> 16) % LISTS_PLACES;
}

bool list_cache_find(const struct body_cache *kept, const char *host, struct list_cache_lists *lists_r,
                     time_us *taken_at_r)
{
    const struct lists_place *place = &kept->lists[lists_place_of(host)];
    if (strcmp(place->host, host) != 0)
        return false;
    const char *previous = place->both.data + place->pages_bytes;
    *taken_at_r = place->taken_at;
    *lists_r = (struct list_cache_lists){
        .pages = place->both.data,
        .pages_bytes = place->pages_bytes,
        .previous_pages = place->has_previous ? previous : NULL,
        .previous_bytes = place->both.len_bytes - place->pages_bytes,
    };
    return true;
}

static void empty_lists(struct body_cache *kept, struct lists_place *place)
{
    kept->lists_bytes -= place->both.len_bytes;
    place->host[0] = '\0';
    buffer_clear(&place->both, LISTS_KEEP_BYTES);
}

void list_cache_put(struct body_cache *kept, const char *host, const struct list_cache_lists *lists,
                    time_us taken_at)
{
    struct lists_place *place = &kept->lists[lists_place_of(host)];
    size_t len_bytes = lists->pages_bytes + lists->previous_bytes;
    if (place->taken_at == taken_at && strcmp(place->host, host) == 0)
        return;
    empty_lists(kept, place);
    if (len_bytes > LISTS_MAX_BYTES)
        return;
    for (size_t i = 0; kept->lists_bytes + len_bytes > LISTS_MAX_BYTES && i < LISTS_PLACES; i++)
        empty_lists(kept, &kept->lists[i]);
    buffer_append(&place->both, lists->pages, lists->pages_bytes);
    buffer_append(&place->both, lists->previous_pages, lists->previous_bytes);
    kept->lists_bytes += place->both.len_bytes;
    if (place->both.status != STATUS_OK) {
        empty_lists(kept, place);
        return;
    }
    place->taken_at = taken_at;
    place->pages_bytes = lists->pages_bytes;
    place->has_previous = lists->previous_pages != NULL;
    memcpy(place->host, host, strlen(host) + 1);
}
