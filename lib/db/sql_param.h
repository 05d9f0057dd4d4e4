/* Makes the parameters of a statement: text as text, everything else in PostgreSQL's binary form. A parameter
 * points to the value or to the storage that it was made from, which must outlive it. */
#ifndef UPBEAT_DB_SQL_PARAM_H
#define UPBEAT_DB_SQL_PARAM_H

#include "db/database.h"

/* The storage of a number in binary form. */
union sql_param_storage {
    uint32_t narrow;
    uint64_t wide;
    unsigned char flag;
};

/* `text` may be NULL, for SQL's null. */
struct sql_param sql_param_text(const char *value);
struct sql_param sql_param_bytes(const void *bytes, size_t len_bytes);

struct sql_param sql_param_int(int value, union sql_param_storage *room);
struct sql_param sql_param_time(time_us at, union sql_param_storage *room);
struct sql_param sql_param_bool(bool value, union sql_param_storage *room);

#endif
