#include "http/copies.h"

#include <sys/statvfs.h>

enum { LOOK_EVERY_MS = 100 };

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
