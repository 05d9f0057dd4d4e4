/* Makes connections to PostgreSQL, and never waits by itself: a program that has nothing else to do waits
 * between two steps, and a worker's loop makes one step a turn.
 *
 * A round tries the hosts of the connection string one after the other, in the order of database_hosts.h. Its
 * steps for each host: look up its name (in a thread of the C library's, since libpq would wait for the
 * resolver), connect to each of its addresses, and, where the last connection was lost without an error, send
 * an empty query and wait for the answer: a proxy takes connections for a server that does not answer. All
 * steps for one host together have CONNECT_HOST_MS. A round in which no host answered at all doubles that, so
 * that a slow network gets through. After a round that failed comes a pause. */
#ifndef UPBEAT_DB_DATABASE_CONNECT_H
#define UPBEAT_DB_DATABASE_CONNECT_H

#include "base/clock.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CONNECT_HOST_MS = 250,
    CONNECT_HOST_MAX_MS = 2000,
};

struct database_connect;
struct pg_conn;

/* Nothing is under way yet. `conninfo` and `role` as in database.h. STATUS_NO_MEMORY: *connect_r is
 * untouched. */
enum status database_connect_new(struct database_connect **connect_r, const char *conninfo,
                                 const char *role) MUST_CHECK;

/* From now on each host has CONNECT_HOST_MAX_MS from the first round on: for a program that has one thing to
 * do, and does it better late than not at all. */
void database_connect_be_patient(struct database_connect *connect);

/* NULL is allowed. */
void database_connect_free(struct database_connect *connect);

/* Does what can be done without waiting. STATUS_OK: *connection_r is a connection, which the caller owns.
 * STATUS_TIMEOUT: it is under way: call again after database_connect_wait(). STATUS_UNREACHABLE: the round
 * has failed (database_connect_fault() says why), or the pause after it is not over. STATUS_NO_MEMORY. */
enum status database_connect_step(struct database_connect *connect, struct pg_conn **connection_r) MUST_CHECK;

/* Waits until there is something to do for the next step, at most until the deadline. */
void database_connect_wait(struct database_connect *connect, struct deadline deadline);

/* Milliseconds until the next step is of use, at most max_ms, for a loop that cannot wait here. */
int database_connect_timeout_ms(const struct database_connect *connect, int max_ms);

/* The connection was lost. is_silent: the server did not answer in time: it is tried last, and has to answer
 * a query before it is used again. is_read_only: it is no longer the primary. Otherwise it is tried first. */
void database_connect_lost(struct database_connect *connect, bool is_silent, bool is_read_only);

/* Starts no new round before a pause is over. */
void database_connect_pause(struct database_connect *connect);

/* Whether a step would only say that the pause is not over. */
bool database_connect_is_paused(const struct database_connect *connect);

/* Why the last attempt failed. Owned by the object. */
const char *database_connect_fault(const struct database_connect *connect);

#endif
