/* One connection to PostgreSQL. It is made when a statement needs it, and every wait ends by the caller's
 * deadline. How it is made, and of which server of several, is in database_connect.h. No other modules than
 * these two call libpq. */
#ifndef UPBEAT_DB_DATABASE_H
#define UPBEAT_DB_DATABASE_H

#include "base/clock.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DATABASE_STATEMENTS_MAX = 40,
    DATABASE_PARAMETERS_MAX = 16,
    DATABASE_BATCH_MAX = 64,
    DATABASE_STOP_MS = 1000,
};

/* Where PostgreSQL counts from, 2000-01-01 UTC. */
#define DATABASE_EPOCH_US INT64_C(946684800000000)

struct database;
struct database_rows;

/* A statement of the program, in static storage: a connection prepares it once, and knows it by its address.
 * No two statements have the same name. */
struct statement {
    const char *name;
    const char *sql; /* parameters carry casts, so that their types are known */
    int parameters;
    bool is_write; /* it may wait for locks or for a standby, so its time-out does not mean that the server
                      hangs */
};

/* The value of a parameter as text or in PostgreSQL's binary form. Text is NUL-terminated. `bytes` is NULL
 * for SQL's null. */
struct sql_param {
    const char *bytes;
    int len_bytes;
    bool is_binary;
};

/* Makes a database object that has no connection yet. `role`: as which it connects where `conninfo` names no
 * user; NULL: libpq's default. `prepare`: use named prepared statements. `conninfo` and `role` must outlive
 * the object. STATUS_NO_MEMORY: *database_r is untouched. */
enum status database_new(struct database **database_r, const char *conninfo, const char *role,
                         bool prepare) MUST_CHECK;

/* For a program that somebody runs by hand: a server that is slow to answer is waited for longer; see
 * database_connect_be_patient(). */
void database_be_patient(struct database *database);

/* Closes the connection. NULL is allowed. */
void database_free(struct database *database);

/* Runs the statement count times (1 to DATABASE_BATCH_MAX) in one round trip, with parameters[i *
 * statement->parameters]... for the i-th, and puts the rows of each into rows_r[i], which the caller frees.
 * Connects first where there is no connection; a connection that proves to be lost is made again, and the
 * statement run again, once: it must bear that. So it is where functions are made anew under the statement,
 * as a migration does. In a transaction that a statement has begun it is not.
 * STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED (the server refused it: logged), STATUS_NO_MEMORY: rows_r
 * is untouched. */
enum status database_run(struct database *database, const struct statement *statement,
                         const struct sql_param *parameters, size_t count, struct deadline deadline,
                         struct database_rows **rows_r) MUST_CHECK;

/* Could the last statement not be run, for want of a server that answers? Then it is so until a connection
 * was made, which database_tend() and the next database_run() try. */
bool database_is_away(const struct database *database);

/* Goes on with making a connection to a database that is away, without waiting for anything. */
void database_tend(struct database *database);

/* Milliseconds until database_tend() has something to do, at most max_ms. */
int database_tend_timeout_ms(const struct database *database, int max_ms);

/* Gives up the connection, if there is one: the database is away until database_tend() has made another. Of
 * several servers this one is then tried last. */
void database_leave(struct database *database);

/* Has the server said that it is no standby? False where it did not say: PgBouncer does not. */
bool database_is_primary(const struct database *database);

/* From now on a statement has at most DATABASE_STOP_MS once must_stop() is true: those that are under way
 * then, and those that begin later. NULL: as at first. */
void database_stop_when(struct database *database, bool (*must_stop)(void));

/* Can libpq read this connection string or URI, and as it was meant? An empty one it can. False too where a
 * host holds an @ or a port a letter: then a part of the password was taken for them. A database object of
 * such a string never connects, and the log does not quote it. */
bool database_is_conninfo(const char *conninfo);

/* NULL is allowed. */
void database_rows_free(struct database_rows *rows);

size_t database_rows_count(const struct database_rows *rows);

/* A field by its row and column, both counted from 0. SQL's null reads as NULL, `absent` or false. The rows
 * own the bytes. */
const char *database_bytes(const struct database_rows *rows, size_t row, int column, size_t *len_bytes_r);
int64_t database_int(const struct database_rows *rows, size_t row, int column, int64_t absent);
bool database_bool(const struct database_rows *rows, size_t row, int column);
time_us database_time(const struct database_rows *rows, size_t row, int column, time_us absent);

#endif
