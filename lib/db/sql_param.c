#include "db/sql_param.h"

#include <endian.h>

struct sql_param sql_param_text(const char *value)
{
    return (struct sql_param){.bytes = value};
}

struct sql_param sql_param_bytes(const void *bytes, size_t len_bytes)
{
    return (struct sql_param){bytes, (int)len_bytes, true};
}

struct sql_param sql_param_int(int value, union sql_param_storage *room)
{
    room->narrow = htobe32((uint32_t)value);
    return sql_param_bytes(room, sizeof room->narrow);
}

struct sql_param sql_param_time(time_us at, union sql_param_storage *room)
{
    room->wide = htobe64((uint64_t)(at - DATABASE_EPOCH_US));
    return sql_param_bytes(room, sizeof room->wide);
}

struct sql_param sql_param_bool(bool value, union sql_param_storage *room)
{
    room->flag = value;
    return sql_param_bytes(room, 1);
}
