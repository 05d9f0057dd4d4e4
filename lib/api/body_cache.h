/* Bodies that this worker has written, each to be sent again while the row that it came from is the same, and
 * the lists that such are made of. Whether it is, and whether the key may see it, is asked of the database
 * for every request: nothing in here grows old. */
#ifndef UPBEAT_API_BODY_CACHE_H
#define UPBEAT_API_BODY_CACHE_H

#include "base/buffer.h"
#include "db/database.h"
#include "http/params.h"

#include <stdbool.h>

struct body_cache;

/* Room for a few dozen bodies, 4 MB, and for the lists of a few hosts, 4 MB. NULL: no memory. */
struct body_cache *body_cache_new(void);

/* NULL is allowed. */
void body_cache_free(struct body_cache *kept);

/* The body that answers this request from the snapshot *taken_at_r, or NULL. Valid until the next
 * body_cache_put().
 */
const struct buffer *body_cache_find(const struct body_cache *kept, const struct request_params *params,
                                     time_us *taken_at_r);

/* Keeps a copy of a body, in place of another; of one that is too long, or for want of memory, none. */
void body_cache_put(struct body_cache *kept, const struct request_params *params, time_us taken_at,
                    const struct buffer *body);

/* The lists of a host's newest snapshot and of the one before, as in struct store_lookup. */
struct list_cache_lists {
    const char *pages;
    size_t pages_bytes;
    const char *previous_pages; /* NULL: there was none */
    size_t previous_bytes;
};

/* The lists of a host, for an answer whose body is not kept, and the time of the newer one; false: none.
 * Valid until the next list_cache_put(). */
bool list_cache_find(const struct body_cache *kept, const char *host, struct list_cache_lists *lists_r,
                     time_us *taken_at_r);

/* Keeps copies of both lists, in place of others; where they are too long, or for want of memory, none. */
void list_cache_put(struct body_cache *kept, const char *host, const struct list_cache_lists *lists,
                    time_us taken_at);

#endif
