/* Bodies that this worker has written. Each is sent again while the cache row that it was made from is still
 * the newest. Every request asks the database whether the row is, and whether the key may see it, so bodies
 * have no time limit of their own. */
#ifndef UPBEAT_API_BODY_CACHE_H
#define UPBEAT_API_BODY_CACHE_H

#include "base/buffer.h"
#include "base/clock.h"
#include "http/params.h"

struct body_cache;

/* An empty cache of at most 64 bodies and 4 MB. NULL: no memory. */
struct body_cache *body_cache_new(void) MUST_CHECK;

/* NULL is allowed. */
void body_cache_free(struct body_cache *cache);

/* The body that answers this request from the snapshot of *taken_at_r, or NULL, which leaves *taken_at_r
 * untouched. The cache owns the body, until the next body_cache_put(). */
const struct buffer *body_cache_find(const struct body_cache *cache, const struct request_params *params,
                                     time_us *taken_at_r);

/* Stores a copy of a body that answers this request. Nothing is stored of a body that is empty, incomplete or
 * longer than 2 MB, of a request whose cache_key_suffix is longer than 127 bytes, or where memory ends. */
void body_cache_put(struct body_cache *cache, const struct request_params *params, time_us taken_at,
                    const struct buffer *body);

#endif
