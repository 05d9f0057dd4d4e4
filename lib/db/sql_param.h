/* Parameters of a statement, in PostgreSQL's binary form but for text. What they point to must outlive them.
 */
#ifndef UPBEAT_DB_SQL_PARAM_H
#define UPBEAT_DB_SQL_PARAM_H

#include "db/database.h"

/* Storage for a number. */
union sql_param_storage {
    uint32_t narrow;
    uint64_t wide;
    unsigned char flag;
};

/* NULL is null. */
struct sql_param sql_param_text(const char *value);
struct sql_param sql_param_bytes(const void *bytes, size_t len_bytes);

struct sql_param sql_param_int(int value, union sql_param_storage *room);
struct sql_param sql_param_time(time_us at, union sql_param_storage *room);
struct sql_param sql_param_bool(bool value, union sql_param_storage *room);

#endif
