#include "http/copies.h"

#include <sys/statvfs.h>

/* Nobody writes 4 MB meanwhile. A copy that does not fit makes nginx close the connection in the middle of
 * the answer. */
enum { LOOK_EVERY_MS = 1 };

static const uint64_t ROOM_BYTES = UINT64_C(4) << 20;

bool copies_have_room(struct copies *copies, const char *place, int64_t now_ms)
{
    struct statvfs room;
    if (copies->look_again_ms > now_ms)
        return copies->has_room;
    copies->look_again_ms = now_ms + LOOK_EVERY_MS;
    copies->has_room = place[0] != '/' || statvfs(place, &room) != 0 ||
                       (uint64_t)room.f_bavail * room.f_frsize >= ROOM_BYTES;
    return copies->has_room;
}
