/* Memory for one piece of work (a request, say), which is freed as a whole when the work ends. */
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

/* Like arena_release(), but keeps the first block for the next piece of work. */
void arena_clear(struct arena *arena);

/* Storage of len_bytes, aligned for any type, with undefined contents; NULL where the maximum would be passed
 * or memory has run out. The arena owns it. */
void *arena_alloc(struct arena *arena, size_t len_bytes) MUST_CHECK;

/* A NUL-terminated copy of len_bytes bytes, or NULL as above. The arena owns it. */
char *arena_copy(struct arena *arena, const char *bytes, size_t len_bytes) MUST_CHECK;

#endif
