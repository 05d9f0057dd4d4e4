#include "api/list_cache.h"

#include "base/cache.h"

#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES_MAX = 16,
    ALL_MAX_BYTES = 4 * 1024 * 1024,
};

struct list_cache {
    struct cache *cache;
};

/* Both lists stand behind it, the newer one first. */
struct stored_lists {
    time_us taken_at;
    struct list_cache_lists lists;
};

struct list_cache *list_cache_new(void)
{
    struct list_cache *cache = calloc(1, sizeof *cache);
    if (cache)
        cache->cache = cache_new(ENTRIES_MAX, ALL_MAX_BYTES);
    if (cache && cache->cache)
        return cache;
    free(cache);
    return NULL;
}

void list_cache_free(struct list_cache *cache)
{
    if (cache)
        cache_free(cache->cache);
    free(cache);
}

bool list_cache_find(const struct list_cache *cache, const char *host, struct list_cache_lists *lists_r,
                     time_us *taken_at_r)
{
    const struct stored_lists *stored = cache_find(cache->cache, host, strlen(host), NULL);
    if (!stored)
        return false;
    *lists_r = stored->lists;
    *taken_at_r = stored->taken_at;
    return true;
}

void list_cache_put(struct list_cache *cache, const char *host, const struct list_cache_lists *lists,
                    time_us taken_at)
{
    const struct stored_lists *old = cache_find(cache->cache, host, strlen(host), NULL);
    if (old && old->taken_at == taken_at)
        return;
    struct stored_lists *stored = cache_reserve(cache->cache, host, strlen(host),
                                                sizeof *stored + lists->pages_bytes + lists->previous_bytes);
    if (!stored)
        return;
    char *pages = (char *)(stored + 1);
    char *previous_pages = pages + lists->pages_bytes;
    if (lists->pages_bytes > 0)
        memcpy(pages, lists->pages, lists->pages_bytes);
    if (lists->previous_bytes > 0)
        memcpy(previous_pages, lists->previous_pages, lists->previous_bytes);
    stored->taken_at = taken_at;
    stored->lists = (struct list_cache_lists){
        pages, lists->pages_bytes, lists->previous_pages ? previous_pages : NULL, lists->previous_bytes};
}
