/* The addresses of a host's name, from the resolver of the C library, without waiting for it. */
#ifndef UPBEAT_DB_NAME_LOOK_UP_H
#define UPBEAT_DB_NAME_LOOK_UP_H

#include <netdb.h>
#include <stddef.h>

struct name_look_up;

/* Starts the look-up of a name, of which 255 bytes count; the name is copied. NULL where memory is missing or
 * the C library can't start it. The caller frees it with name_look_up_free. */
struct name_look_up *name_look_up_new(const char *name);

/* Takes the look-up back if it is still under way. Where the C library can't be stopped any more, the memory
 * is freed by a later name_look_up_new(). NULL is allowed. */
void name_look_up_free(struct name_look_up *look_up);

/* 0: it has found addresses; EAI_INPROGRESS: it is under way; else why there are none, for gai_strerror(). */
int name_look_up_result(struct name_look_up *look_up);

/* Writes the first addresses that were found, as numbers, and returns how many: at most `max`, and none
 * unless the result is 0. */
size_t name_look_up_addresses(struct name_look_up *look_up, char (*addresses_r)[NI_MAXHOST], size_t max);

/* Waits for the result, at most `timeout_ms` (under 1000). */
void name_look_up_wait(const struct name_look_up *look_up, int timeout_ms);

#endif
