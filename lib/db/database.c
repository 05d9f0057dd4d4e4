#include "db/database.h"

#include "base/log.h"
#include "base/metrics.h"
#include "db/database_connect.h"

#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>

enum {
    RESULT_BINARY = 1,
    WAIT_MS = 250, /* at a time, for a program that may be stopped */
};

struct database {
    struct database_connect *connect;
    bool prepare;
    PGconn *connection;
    const struct statement *prepared[DATABASE_STATEMENTS_MAX]; /* on this connection */
    size_t prepared_count;
    bool is_away;  /* the last call failed for want of a server, and there has been no connection since */
    bool was_lost; /* the loss has been logged */
    bool was_connected;      /* at some time */
    bool is_unreadable;      /* the connection string */
    bool is_overtaken;       /* the last statement failed as one does under which functions are made anew */
    bool (*must_stop)(void); /* NULL: nobody asks */
    struct deadline stop_by; /* of the statement under way; at_ms 0: nobody has asked meanwhile */
};

enum status database_new(struct database **database_r, const char *conninfo, const char *role, bool prepare)
{
    struct database *database = calloc(1, sizeof *database);
    if (!database)
        return STATUS_NO_MEMORY;
    database->prepare = prepare;
    database->is_unreadable = !database_is_conninfo(conninfo);
    enum status result = database_connect_new(&database->connect, conninfo, role);
    if (result == STATUS_OK)
        *database_r = database;
    else
        free(database);
    return result;
}

static void disconnect(struct database *database)
{
    PQfinish(database->connection);
    database->connection = NULL;
    database->prepared_count = 0;
}

void database_free(struct database *database)
{
    if (!database)
        return;
    disconnect(database);
    database_connect_free(database->connect);
    free(database);
}

void database_be_patient(struct database *database)
{
    database_connect_be_patient(database->connect);
}

void database_stop_when(struct database *database, bool (*must_stop)(void))
{
    database->must_stop = must_stop;
}

/* The deadline, or an earlier one where the program is to stop. */
static struct deadline bound(struct database *database, struct deadline deadline)
{
    if (!database->must_stop || !database->must_stop())
        return deadline;
    if (database->stop_by.at_ms == 0)
        database->stop_by = deadline_in(DATABASE_STOP_MS);
    return database->stop_by.at_ms < deadline.at_ms ? database->stop_by : deadline;
}

/* A signal that comes just before a wait does not end it, so none is long. */
static struct deadline bound_wait(const struct database *database, struct deadline deadline)
{
    return database->must_stop ? deadline_within(deadline, WAIT_MS) : deadline;
}

static enum status await(struct database *database, short events, struct deadline deadline)
{
    struct pollfd fd = {.fd = PQsocket(database->connection), .events = events};
    if (fd.fd < 0)
        return STATUS_UNREACHABLE;
    deadline = bound(database, deadline);
    if (deadline_left_ms(deadline) == 0)
        return STATUS_TIMEOUT;
    /* The caller calls again, and sees a signal or a time-out then. */
    poll(&fd, 1, deadline_left_ms(bound_wait(database, deadline)));
    return STATUS_OK;
}

/* What libpq says of such a string may quote a part of its password. */
static enum status refuse_string(struct database *database)
{
    if (!database->was_lost)
        log_line(LEVEL_ERROR, "database", "no connection: the connection string can't be read (not shown)");
    database->was_lost = true;
    database->is_away = true;
    database_connect_pause(database->connect);
    return STATUS_UNREACHABLE;
}

/* One step towards a connection; see database_connect_step(). */
static enum status step(struct database *database)
{
    if (database_connect_is_paused(database->connect)) {
        database->is_away = true;
        return STATUS_UNREACHABLE; /* nothing was attempted, so nothing has failed */
    }
    if (database->is_unreadable)
        return refuse_string(database);
    enum status result = database_connect_step(database->connect, &database->connection);
    if (result == STATUS_OK && database->was_lost)
        log_line(LEVEL_INFO, "database", "connected again");
    if (result == STATUS_UNREACHABLE && !database->was_lost)
        log_line(LEVEL_ERROR, "database", "no connection: %s", database_connect_fault(database->connect));
    if (result == STATUS_OK && database->was_connected)
        metrics_count(METRIC_DATABASE_RECONNECTS, metrics_program(), 1);
    if (result == STATUS_UNREACHABLE)
        metrics_count(METRIC_DATABASE_CONNECT_FAILURES, metrics_program(), 1);
    if (result != STATUS_TIMEOUT) {
        database->was_connected |= result == STATUS_OK;
        database->was_lost = result != STATUS_OK;
        database->is_away = result != STATUS_OK;
    }
    return result;
}

/* An attempt that is under way at the deadline is not given up: the next call goes on with it. */
static enum status connect_anew(struct database *database, struct deadline deadline)
{
    enum status result = step(database);
    while (result == STATUS_TIMEOUT && deadline_left_ms(bound(database, deadline)) > 0) {
        database_connect_wait(database->connect, bound_wait(database, deadline));
        result = step(database);
    }
    database->is_away = result != STATUS_OK;
    return result;
}

bool database_is_away(const struct database *database)
{
    return database->is_away;
}

void database_tend(struct database *database)
{
    if (database->is_away && !database->connection)
        (void)step(database);
}

int database_tend_timeout_ms(const struct database *database, int max_ms)
{
    bool is_at_work = database->is_away && !database->connection;
    return is_at_work ? database_connect_timeout_ms(database->connect, max_ms) : max_ms;
}

void database_leave(struct database *database)
{
    if (database->connection)
        database_connect_lost(database->connect, true, false);
    disconnect(database);
    database->is_away = true;
}

bool database_is_primary(const struct database *database)
{
    const char *said =
        database->connection ? PQparameterStatus(database->connection, "in_hot_standby") : NULL;
    return said && strcmp(said, "off") == 0;
}

/* An @ begins the name of an abstract socket, and stands nowhere else in a host. */
static bool is_sound(const PQconninfoOption *option)
{
    if (!option->val)
        return true;
    if (strcmp(option->keyword, "port") == 0)
        return option->val[strspn(option->val, "0123456789,")] == '\0';
    if (strcmp(option->keyword, "host") != 0)
        return true;
    for (const char *at = option->val; (at = strchr(at, '@')); at++) {
        if (at > option->val && at[-1] != ',')
            return false;
    }
    return true;
}

bool database_is_conninfo(const char *conninfo)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    bool is_good = options != NULL;
    for (const PQconninfoOption *one = options; one && one->keyword; one++)
        is_good = is_good && is_sound(one);
    PQconninfoFree(options);
    return is_good;
}

static bool is_prepared(const struct database *database, const struct statement *statement)
{
    for (size_t i = 0; i < database->prepared_count; i++) {
        if (database->prepared[i] == statement)
            return true;
    }
    return false;
}

/* Whether the statement is to be prepared before it is run. A program with more statements than the table
 * holds runs the others unprepared. */
static bool needs_prepare(const struct database *database, const struct statement *statement)
{
    return database->prepare && database->prepared_count < DATABASE_STATEMENTS_MAX &&
           !is_prepared(database, statement);
}

static int send_one(struct database *database, const struct statement *statement, bool is_named,
                    const struct sql_param *parameters)
{
    const char *values[DATABASE_PARAMETERS_MAX];
    int lengths[DATABASE_PARAMETERS_MAX];
    int formats[DATABASE_PARAMETERS_MAX];
    for (int i = 0; i < statement->parameters; i++) {
        values[i] = parameters[i].bytes;
        lengths[i] = parameters[i].len_bytes;
        formats[i] = parameters[i].is_binary;
    }
    if (is_named)
        return PQsendQueryPrepared(database->connection, statement->name, statement->parameters, values,
                                   lengths, formats, RESULT_BINARY);
    return PQsendQueryParams(database->connection, statement->sql, statement->parameters, NULL, values,
                             lengths, formats, RESULT_BINARY);
}

static enum status send_all(struct database *database, const struct statement *statement,
                            const struct sql_param *parameters, size_t count)
{
    PGconn *connection = database->connection;
    bool is_new = needs_prepare(database, statement);
    bool is_named = is_new || is_prepared(database, statement);
    if (is_new && !PQsendPrepare(connection, statement->name, statement->sql, 0, NULL))
        return STATUS_UNREACHABLE;
    for (size_t i = 0; i < count; i++) {
        if (!send_one(database, statement, is_named, parameters + i * (size_t)statement->parameters))
            return STATUS_UNREACHABLE;
    }
    return PQpipelineSync(connection) ? STATUS_OK : STATUS_UNREACHABLE;
}

/* Waits for the next result of the pipeline; NULL stands between the results of two statements. */
static enum status next_result(struct database *database, struct deadline deadline, PGresult **result_r)
{
    PGconn *connection = database->connection;
    for (;;) {
        int unsent = PQflush(connection);
        if (unsent < 0)
            return STATUS_UNREACHABLE;
        if (unsent == 0 && !PQisBusy(connection))
            break;
        enum status result = await(database, (short)(unsent ? POLLIN | POLLOUT : POLLIN), deadline);
        if (result != STATUS_OK)
            return result;
        if (!PQconsumeInput(connection))
            return STATUS_UNREACHABLE;
    }
    *result_r = PQgetResult(connection);
    return STATUS_OK;
}

/* A write that came to a server which is the primary no longer. */
#define READ_ONLY_STATE "25006"

/* A migration drops all functions and creates them anew, and PostgreSQL locks none for the queries that call
 * them: one may find a function that is gone when it comes to its turn. */
static bool is_overtaken(const char *state)
{
    return strcmp(state, "XX000") == 0 /* cache lookup failed for function */ ||
           strcmp(state, "42883") == 0 /* undefined_function */;
}

static enum status result_of_error(struct database *database, const struct statement *statement,
                                   const PGresult *answer)
{
    const char *state = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    if (PQstatus(database->connection) == CONNECTION_BAD || !state || strncmp(state, "57P", 3) == 0 ||
        strncmp(state, "08", 2) == 0)
        return STATUS_UNREACHABLE;
    if (strcmp(state, READ_ONLY_STATE) == 0) {
        database_connect_lost(database->connect, false, true);
        return STATUS_UNREACHABLE;
    }
    database->is_overtaken = is_overtaken(state);
    const char *message = PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY);
    log_line(LEVEL_ERROR, "database", "%s: %s %s", statement->name, state, message ? message : "");
    return STATUS_FAILED;
}

/* Reads the answer to one statement: its result, and the NULL that ends it. */
static enum status take_answer(struct database *database, const struct statement *statement,
                               struct deadline deadline, PGresult **answer_r)
{
    PGresult *answer = NULL;
    PGresult *end = NULL;
    enum status result = next_result(database, deadline, &answer);
    if (result != STATUS_OK)
        return result;
    ExecStatusType status = PQresultStatus(answer);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        result = result_of_error(database, statement, answer);
    else
        result = next_result(database, deadline, &end);
    PQclear(end);
    if (result == STATUS_OK)
        *answer_r = answer;
    else
        PQclear(answer);
    return result;
}

static enum status take_all(struct database *database, const struct statement *statement, size_t count,
                            struct deadline deadline, PGresult **answers)
{
    PGresult *answer = NULL;
    enum status result = STATUS_OK;
    if (needs_prepare(database, statement)) {
        result = take_answer(database, statement, deadline, &answer);
        if (result != STATUS_OK)
            return result;
        PQclear(answer);
        database->prepared[database->prepared_count++] = statement;
    }
    for (size_t i = 0; i < count; i++) {
        result = take_answer(database, statement, deadline, &answers[i]);
        if (result != STATUS_OK)
            return result;
    }
    result = next_result(database, deadline, &answer); /* the result of the sync at the end of the pipeline */
    if (result == STATUS_OK)
        PQclear(answer);
    return result;
}

static enum status run_once(struct database *database, const struct statement *statement,
                            const struct sql_param *parameters, size_t count, struct deadline deadline,
                            PGresult **answers)
{
    if (deadline_left_ms(deadline) == 0)
        return STATUS_TIMEOUT; /* the caller was too late, so nothing is wrong with the connection */
    enum status result = database->connection ? STATUS_OK : connect_anew(database, deadline);
    if (result != STATUS_OK)
        return result;
    result = send_all(database, statement, parameters, count);
    if (result == STATUS_OK)
        result = take_all(database, statement, count, deadline, answers);
    if (result == STATUS_TIMEOUT && !statement->is_write && database->stop_by.at_ms == 0) {
        database_connect_lost(database->connect, true, false);
        database_connect_pause(database->connect); /* or each request behind this one would wait, too */
        if (!database->was_lost)
            log_line(LEVEL_ERROR, "database", "%s: no answer in time", statement->name);
        database->was_lost = true;
        database->is_away = true;
    }
    if (result != STATUS_OK) {
        disconnect(database); /* it may be in the middle of a pipeline */
        for (size_t i = 0; i < count; i++) {
            PQclear(answers[i]);
            answers[i] = NULL;
        }
    }
    return result;
}

enum status database_run(struct database *database, const struct statement *statement,
                         const struct sql_param *parameters, size_t count, struct deadline deadline,
                         struct database_rows **rows_r)
{
    PGresult *answers[DATABASE_BATCH_MAX] = {0};
    database->stop_by.at_ms = 0;
    database->is_overtaken = false;
    /* What a transaction has read so far cannot be read again elsewhere. */
    bool was_connected = database->connection != NULL;
    bool may_repeat = !was_connected || PQtransactionStatus(database->connection) != PQTRANS_INTRANS;
    enum status result = run_once(database, statement, parameters, count, deadline, answers);
    bool was_lost = result == STATUS_UNREACHABLE && was_connected;
    if (may_repeat && (was_lost || database->is_overtaken))
        result = run_once(database, statement, parameters, count, deadline, answers);
    if (result != STATUS_OK)
        return result;
    for (size_t i = 0; i < count; i++)
        rows_r[i] = (struct database_rows *)
            answers[i]; /* a PGresult under another name, so that no other module needs libpq's header */
    return STATUS_OK;
}

static const PGresult *unwrap(const struct database_rows *rows)
{
    return (const PGresult *)rows;
}

void database_rows_free(struct database_rows *rows)
{
    PQclear((PGresult *)rows);
}

size_t database_rows_count(const struct database_rows *rows)
{
    return (size_t)PQntuples(unwrap(rows));
}

const char *database_bytes(const struct database_rows *rows, size_t row, int column, size_t *len_bytes_r)
{
    if (PQgetisnull(unwrap(rows), (int)row, column))
        return NULL;
    *len_bytes_r = (size_t)PQgetlength(unwrap(rows), (int)row, column);
    return PQgetvalue(unwrap(rows), (int)row, column);
}

int64_t database_int(const struct database_rows *rows, size_t row, int column, int64_t absent)
{
    size_t len = 0;
    const char *bytes = database_bytes(rows, row, column, &len);
    uint32_t narrow = 0;
    uint64_t wide = 0;
    if (bytes && len == sizeof narrow) {
        memcpy(&narrow, bytes, sizeof narrow);
        return (int32_t)be32toh(narrow);
    }
    if (bytes && len == sizeof wide) {
        memcpy(&wide, bytes, sizeof wide);
        return (int64_t)be64toh(wide);
    }
    return absent;
}

bool database_bool(const struct database_rows *rows, size_t row, int column)
{
    size_t len = 0;
    const char *bytes = database_bytes(rows, row, column, &len);
    return bytes && len == 1 && *bytes;
}

time_us database_time(const struct database_rows *rows, size_t row, int column, time_us absent)
{
    size_t len = 0;
    const char *bytes = database_bytes(rows, row, column, &len);
    return bytes ? database_int(rows, row, column, 0) + DATABASE_EPOCH_US : absent;
}
