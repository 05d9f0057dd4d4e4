/* Whether there is room for the copies that nginx stores. They are in a file system in memory, which other
 * programs use too, and which is small in a container. nginx cuts off an answer whose copy it can not write,
 * so nginx must not be told to copy an answer that may not fit. */
#ifndef UPBEAT_HTTP_COPIES_H
#define UPBEAT_HTTP_COPIES_H

#include <stdbool.h>
#include <stdint.h>

struct copies {
    int64_t look_again_ms; /* monotonic; 0 at first */
    bool has_room;
};

/* Has the file system of `place` room for what is copied until it is looked at again, a tenth of a second
 * later? A place that is no path, as "on", and one that can't be looked at, has. */
bool copies_have_room(struct copies *copies, const char *place, int64_t now_ms);

#endif
