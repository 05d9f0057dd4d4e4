/* Parameters of a statement, in PostgreSQL's binary form but for text. What they point to must outlive them.
 */
#ifndef UPBEAT_PARAMETER_H
#define UPBEAT_PARAMETER_H

#include "database.h"

/* Storage for a number. */
union parameter_room {
    uint32_t narrow;
    uint64_t wide;
    unsigned char flag;
};

/* NULL is null. */
struct parameter parameter_text(const char *value);
struct parameter parameter_bytes(const void *bytes, size_t len_bytes);

struct parameter parameter_int(int value, union parameter_room *room);
struct parameter parameter_time(time_us at, union parameter_room *room);
struct parameter parameter_bool(bool value, union parameter_room *room);

#endif
