/* Is there room for the copies that nginx keeps? Its file system in memory is shared with others, and in a
 * container small. When the write of a copy fails, nginx closes the connection in the middle of the answer,
 * so no copy is asked for where it may not fit. */
#ifndef UPBEAT_HTTP_COPIES_H
#define UPBEAT_HTTP_COPIES_H

#include <stdbool.h>
#include <stdint.h>

struct copies {
    int64_t look_again_ms; /* monotonic; 0 at first */
    bool has_room;
};

/* Has the file system of `place` room for what is copied until it is looked at again, a millisecond
 * later? A place that is no path, as "on", and one that can't be looked at, has. */
bool copies_have_room(struct copies *copies, const char *place, int64_t now_ms);

#endif
