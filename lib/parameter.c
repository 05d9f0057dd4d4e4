#include "parameter.h"

#include <endian.h>

struct parameter parameter_text(const char *value)
{
    return (struct parameter){.bytes = value};
}

struct parameter parameter_bytes(const void *bytes, size_t len_bytes)
{
    return (struct parameter){bytes, (int)len_bytes, true};
}

struct parameter parameter_int(int value, union parameter_room *room)
{
    room->narrow = htobe32((uint32_t)value);
    return parameter_bytes(room, sizeof room->narrow);
}

struct parameter parameter_time(time_us at, union parameter_room *room)
{
    room->wide = htobe64((uint64_t)(at - DATABASE_EPOCH_US));
    return parameter_bytes(room, sizeof room->wide);
}

struct parameter parameter_bool(bool value, union parameter_room *room)
{
    room->flag = value;
    return parameter_bytes(room, 1);
}
