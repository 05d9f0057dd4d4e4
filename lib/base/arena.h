/* Memory that lives as long as one round of work and is dropped in one go. */
#ifndef UPBEAT_BASE_ARENA_H
#define UPBEAT_BASE_ARENA_H

#include "base/status.h"
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used_bytes;          /* in the newest block */
    size_t total_bytes;         /* of all blocks */
    size_t max_bytes;
};

/* An empty arena that never takes more than max_bytes from malloc. Allocates nothing. */
void arena_init(struct arena *arena, size_t max_bytes);

/* Frees everything; all that arena_alloc() gave out is gone. The arena can be used again. */
void arena_release(struct arena *arena);

/* As arena_release(), but keeps the first block for the next round. */
void arena_clear(struct arena *arena);

/* len_bytes of storage aligned for any type, contents undefined; NULL where the maximum or memory is reached.
 * The arena owns it. */
void *arena_alloc(struct arena *arena, size_t len_bytes) MUST_CHECK;

/* A NUL-terminated copy of len_bytes bytes, or NULL as above. The arena owns it. */
char *arena_copy(struct arena *arena, const char *bytes, size_t len_bytes) MUST_CHECK;

#endif
