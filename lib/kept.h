/* Bodies that this worker has written, each to be sent again while the row that it came from is the same, and
 * the lists that such are made of. Whether it is, and whether the key may see it, is asked of the database
 * for every request: nothing in here grows old. */
#ifndef UPBEAT_KEPT_H
#define UPBEAT_KEPT_H

#include "buffer.h"
#include "database.h"
#include "request.h"

#include <stdbool.h>

struct kept;

/* Room for a few dozen bodies, 4 MB, and for the lists of a few hosts, 4 MB. NULL: no memory. */
struct kept *kept_new(void);

/* NULL is allowed. */
void kept_free(struct kept *kept);

/* The body that answers this request from the snapshot *taken_at_r, or NULL. Valid until the next kept_put().
 */
const struct buffer *kept_find(const struct kept *kept, const struct request *request, time_us *taken_at_r);

/* Keeps a copy of a body, in place of another; of one that is too long, or for want of memory, none. */
void kept_put(struct kept *kept, const struct request *request, time_us taken_at, const struct buffer *body);

/* The lists of a host's newest snapshot and of the one before, as in struct store_lookup. */
struct kept_lists {
    const char *pages;
    size_t pages_bytes;
    const char *previous_pages; /* NULL: there was none */
    size_t previous_bytes;
};

/* The lists of a host, for an answer whose body is not kept, and the time of the newer one; false: none.
 * Valid until the next kept_put_lists(). */
bool kept_find_lists(const struct kept *kept, const char *host, struct kept_lists *lists_r,
                     time_us *taken_at_r);

/* Keeps copies of both lists, in place of others; where they are too long, or for want of memory, none. */
void kept_put_lists(struct kept *kept, const char *host, const struct kept_lists *lists, time_us taken_at);

#endif
