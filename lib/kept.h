/* Bodies that this worker has written, each to be sent again while the row that it came from is the same.
 * Whether it is, and whether the key may see it, is asked of the database for every request: nothing in here
 * grows old. */
#ifndef UPBEAT_KEPT_H
#define UPBEAT_KEPT_H

#include "buffer.h"
#include "database.h"
#include "request.h"

struct kept;

/* Room for a few dozen bodies, of which 4 MB are all that it ever takes. NULL: no memory. */
struct kept *kept_new(void);

/* NULL is allowed. */
void kept_free(struct kept *kept);

/* The body that answers this request from the snapshot *taken_at_r, or NULL. Valid until the next kept_put().
 */
const struct buffer *kept_find(const struct kept *kept, const struct request *request, time_us *taken_at_r);

/* Keeps a copy of a body, in place of another; of one that is too long, or for want of memory, none. */
void kept_put(struct kept *kept, const struct request *request, time_us taken_at, const struct buffer *body);

#endif
