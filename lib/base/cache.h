/* A cache with a maximum of entries and of bytes, which drops the least recently used entry first. Keys and
 * values are bytes; the cache owns a copy of each. Entries do not grow old here: a caller that needs to know
 * how old a value is puts a time into it. */
#ifndef UPBEAT_BASE_CACHE_H
#define UPBEAT_BASE_CACHE_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

struct cache;

/* An empty cache of at most max_entries entries, whose keys and values have at most max_bytes bytes together
 * (some 100 bytes of bookkeeping for each entry come on top). NULL: no memory. */
struct cache *cache_new(size_t max_entries, size_t max_bytes) MUST_CHECK;

/* Frees the cache and all that is in it. NULL is allowed. */
void cache_free(struct cache *cache);

/* The value of this key, or NULL. The entry becomes the most recently used one. len_bytes_r may be NULL; it
 * is untouched if there is no such key. The value stays where it is until this key is put or removed, or any
 * other key is put. */
const void *cache_find(struct cache *cache, const void *key, size_t key_bytes, size_t *len_bytes_r);

/* Replaces the value of this key by room for len_bytes bytes, aligned for any type and with undefined
 * contents, for the caller to fill; pointers from the value into itself stay right. Other entries are dropped
 * as the maximum demands. NULL: the entry is too large for the cache, or there is no memory; the key then has
 * no value. `key` must not lie in this cache. */
void *cache_reserve(struct cache *cache, const void *key, size_t key_bytes, size_t len_bytes) MUST_CHECK;

/* Stores a copy of the value, as cache_reserve(); false where that gives NULL. `value` must not lie in this
 * cache; it may be NULL if len_bytes is 0. */
bool cache_put(struct cache *cache, const void *key, size_t key_bytes, const void *value, size_t len_bytes);

/* Drops the entry of this key, if there is one. */
void cache_remove(struct cache *cache, const void *key, size_t key_bytes);

/* Bytes of all keys and values. */
size_t cache_bytes(const struct cache *cache);

#endif
