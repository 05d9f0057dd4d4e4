/* The page lists of the hosts that this worker answered for last, so that a look-up needs to read them only
 * when they have changed. As with body_cache.h, every request asks the database whether they have. */
#ifndef UPBEAT_API_LIST_CACHE_H
#define UPBEAT_API_LIST_CACHE_H

#include "base/clock.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct list_cache;

/* The lists of a host's newest snapshot and of the snapshot before it, as in struct store_lookup. */
struct list_cache_lists {
    const char *pages;
    size_t pages_bytes;
    const char *previous_pages; /* NULL: there was no snapshot before */
    size_t previous_bytes;
};

/* An empty cache of at most 16 hosts and 4 MB. NULL: no memory. */
struct list_cache *list_cache_new(void) MUST_CHECK;

/* NULL is allowed. */
void list_cache_free(struct list_cache *cache);

/* The lists of this host and the time of the newer one; false where there are none, which leaves the outputs
 * untouched. The cache owns the lists, until the next list_cache_put(). */
bool list_cache_find(const struct list_cache *cache, const char *host, struct list_cache_lists *lists_r,
                     time_us *taken_at_r);

/* Stores copies of both lists in place of those of another time. Where they are longer than 4 MB, or memory
 * ends, the host has no lists in the cache afterwards. */
void list_cache_put(struct list_cache *cache, const char *host, const struct list_cache_lists *lists,
                    time_us taken_at);

#endif
