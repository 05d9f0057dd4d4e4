#include "base/cache.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

struct entry {
    struct entry *prev, *next; /* the list from the least to the most recently used entry */
    UT_hash_handle hh;
    size_t key_bytes;
    size_t value_bytes;
    alignas(max_align_t) char bytes[]; /* the value, then the key */
};

struct cache {
    struct entry *table;
    struct entry *list;
    size_t max_entries;
    size_t max_bytes;
    size_t count;
    size_t bytes;
};

struct cache *cache_new(size_t max_entries, size_t max_bytes)
{
    struct cache *cache = calloc(1, sizeof *cache);
    if (cache) {
        cache->max_entries = max_entries;
        cache->max_bytes = max_bytes;
    }
    return cache;
}

static void drop(struct cache *cache, struct entry *entry)
{
    /* The analyzer does not know that an entry of the list is in the table too. */
    HASH_DEL(cache->table, entry); /* NOLINT(clang-analyzer-core.NullDereference) */
    DL_DELETE(cache->list, entry);
    cache->count--;
    cache->bytes -= entry->key_bytes + entry->value_bytes;
    free(entry);
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    while (cache->list)
        drop(cache, cache->list);
    free(cache);
}

static struct entry *find(const struct cache *cache, const void *key, size_t key_bytes)
{
    struct entry *entry = NULL;
    HASH_FIND(hh, cache->table, key, key_bytes, entry);
    return entry;
}

const void *cache_find(struct cache *cache, const void *key, size_t key_bytes, size_t *len_bytes_r)
{
    struct entry *entry = find(cache, key, key_bytes);
    if (!entry)
        return NULL;
    DL_DELETE(cache->list, entry);
    DL_APPEND(cache->list, entry);
    if (len_bytes_r)
        *len_bytes_r = entry->value_bytes;
    return entry->bytes;
}

static bool insert(struct cache *cache, struct entry *entry)
{
    char *key = entry->bytes + entry->value_bytes;
    HASH_ADD_KEYPTR(hh, cache->table, key, entry->key_bytes, entry);
    if (!entry->hh.tbl) /* HASH_NONFATAL_OOM */
        return false;
    DL_APPEND(cache->list, entry);
    cache->count++;
    cache->bytes += entry->key_bytes + entry->value_bytes;
    return true;
}

void *cache_reserve(struct cache *cache, const void *key, size_t key_bytes, size_t len_bytes)
{
    cache_remove(cache, key, key_bytes);
    if (cache->max_entries == 0 || key_bytes > cache->max_bytes || len_bytes > cache->max_bytes - key_bytes)
        return NULL;
    while (cache->count >= cache->max_entries || cache->bytes > cache->max_bytes - key_bytes - len_bytes)
        drop(cache, cache->list);
    struct entry *entry = malloc(sizeof *entry + len_bytes + key_bytes);
    if (!entry)
        return NULL;
    entry->key_bytes = key_bytes;
    entry->value_bytes = len_bytes;
    memcpy(entry->bytes + len_bytes, key, key_bytes);
    if (insert(cache, entry))
        return entry->bytes;
    free(entry);
    return NULL;
}

bool cache_put(struct cache *cache, const void *key, size_t key_bytes, const void *value, size_t len_bytes)
{
    void *room = cache_reserve(cache, key, key_bytes, len_bytes);
    if (room && len_bytes > 0)
        memcpy(room, value, len_bytes);
    return room != NULL;
}

void cache_remove(struct cache *cache, const void *key, size_t key_bytes)
{
    struct entry *entry = find(cache, key, key_bytes);
    if (entry)
        drop(cache, entry);
}

size_t cache_bytes(const struct cache *cache)
{
    return cache->bytes;
}
