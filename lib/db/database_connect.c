#include "db/database_connect.h"

#include "base/log.h"
#include "db/database_hosts.h"
#include "db/name_look_up.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ADDRESSES_MAX = 4, /* of one name */
    LOOP_STEP_MS = 3,  /* between two steps of a program that does not wait for the socket */
};

enum connect_state {
    CONNECT_IDLE,       /* no round is under way */
    CONNECT_NEXT_HOST,  /* the next host of the round is to be tried */
    CONNECT_NAME,       /* the name of the host is being looked up */
    CONNECT_ADDRESS,    /* the next address of the host is to be tried */
    CONNECT_CONNECTING, /* waits for the server */
    CONNECT_PROBING,    /* waits for the answer to an empty query */
};

/* What is remembered of a host beside its place in the order. */
struct host_memory {
    struct name_look_up *look_up; /* NULL: none is under way */
    char address[NI_MAXHOST];     /* the one that worked last, for when the resolver does not answer */
};

struct database_connect {
    const char *conninfo;
    const char *role;
    struct database_hosts hosts;
    bool is_split;      /* `hosts` is made; if not, libpq has the string as it is */
    bool sets_timeouts; /* the string says nothing of the time limits of TCP */
    bool prefers_standby;
    struct host_memory memory[DATABASE_HOSTS_MAX];
    enum connect_state state;
    unsigned char order[DATABASE_HOSTS_MAX];
    size_t order_count, at; /* the host of the round: order[at] */
    bool is_second_try;     /* prefer-standby: there is no standby, so any server will do */
    bool was_answered;      /* some host answered in this round, if only to refuse */
    bool must_probe;
    size_t current; /* the host of the connection that was made last */
    char addresses[ADDRESSES_MAX][NI_MAXHOST];
    size_t address_count, address_at;
    PGconn *attempt;
    PostgresPollingStatusType wants;
    struct deadline host_deadline;
    int host_least_ms; /* in a round that comes after an answer */
    int host_ms;       /* in this round */
    int failures;      /* rounds in a row */
    int64_t not_before_ms;
    char fault[200];
};

enum status database_connect_new(struct database_connect **connect_r, const char *conninfo, const char *role)
{
    struct database_connect *connect = calloc(1, sizeof *connect);
    if (!connect)
        return STATUS_NO_MEMORY;
    connect->conninfo = conninfo;
    connect->role = role;
    connect->host_least_ms = CONNECT_HOST_MS;
    connect->host_ms = CONNECT_HOST_MS;
    *connect_r = connect;
    return STATUS_OK;
}

void database_connect_be_patient(struct database_connect *connect)
{
    connect->host_least_ms = CONNECT_HOST_MAX_MS;
    connect->host_ms = CONNECT_HOST_MAX_MS;
}

static void drop_attempt(struct database_connect *connect)
{
    PQfinish(connect->attempt);
    connect->attempt = NULL;
}

void database_connect_free(struct database_connect *connect)
{
    if (!connect)
        return;
    drop_attempt(connect);
    for (size_t i = 0; i < DATABASE_HOSTS_MAX; i++)
        name_look_up_free(connect->memory[i].look_up);
    free(connect);
}

const char *database_connect_fault(const struct database_connect *connect)
{
    return connect->fault;
}

static void keep_fault(struct database_connect *connect, const char *host, const char *message)
{
    snprintf(connect->fault, sizeof connect->fault, "%s: %.*s", host ? host : "", (int)strcspn(message, "\n"),
             message);
}

/* Without this function libpq would write notices to standard error in a form that is not the log's. */
static void take_notice(void *context, const char *message)
{
    (void)context;
    log_line(LEVEL_DEBUG, "database", "%.*s", (int)strcspn(message, "\n"), message);
}

/* --- The hosts of the string -------------------------------------------------------------------------------
 */

static const char *option_of(const PQconninfoOption *options, const char *name)
{
    for (; options && options->keyword; options++) {
        if (strcmp(options->keyword, name) == 0 && options->val)
            return options->val;
    }
    return "";
}

static bool split_hosts(struct database_connect *connect, const PQconninfoOption *options)
{
    const char *attributes = option_of(options, "target_session_attrs");
    connect->sets_timeouts = *option_of(options, "tcp_user_timeout") == '\0';
    connect->prefers_standby = strcmp(attributes, "prefer-standby") == 0;
    return options &&
           database_hosts_split(&connect->hosts, option_of(options, "host"), option_of(options, "hostaddr"),
                                option_of(options, "port")) == STATUS_OK;
}

/* libpq reads the string, the environment and service files; but it tells what it has read only of a
 * connection. So it is asked for one with an option that it refuses before it does anything. Where it can't
 * read the string there is one host, and the attempt to connect to that says what is wrong. */
static void read_hosts(struct database_connect *connect)
{
    static const char *const names[] = {"dbname", "channel_binding", NULL};
    const char *const values[] = {connect->conninfo, "none of these", NULL};
    PGconn *asked = PQconnectStartParams(names, values, 1);
    PQconninfoOption *options = asked ? PQconninfo(asked) : NULL;
    connect->is_split = split_hosts(connect, options);
    if (!connect->is_split)
        connect->hosts = (struct database_hosts){.all = {{"", "", "", HOST_GOOD}}, .count = 1};
    PQconninfoFree(options);
    PQfinish(asked);
}

/* --- The steps of a round ----------------------------------------------------------------------------------
 */

static size_t host_of(const struct database_connect *connect)
{
    return connect->order[connect->at];
}

static void start_round(struct database_connect *connect)
{
    if (connect->hosts.count == 0)
        read_hosts(connect);
    database_hosts_order(&connect->hosts, connect->order);
    connect->order_count = connect->hosts.count;
    connect->at = 0;
    connect->is_second_try = false;
    connect->was_answered = false;
    connect->state = CONNECT_NEXT_HOST;
}

void database_connect_pause(struct database_connect *connect)
{
    connect->failures++;
    connect->not_before_ms =
        clock_monotonic_ms() + database_hosts_back_off_ms(connect->failures, arc4random());
}

static void end_round(struct database_connect *connect)
{
    connect->host_ms = connect->was_answered                        ? connect->host_least_ms
                       : connect->host_ms * 2 < CONNECT_HOST_MAX_MS ? connect->host_ms * 2
                                                                    : CONNECT_HOST_MAX_MS;
    connect->state = CONNECT_IDLE;
    database_connect_pause(connect);
}

/* The host is done with: the next one, or the end of the round. */
static void leave_host(struct database_connect *connect, enum database_host_rank rank)
{
    drop_attempt(connect);
    connect->hosts.all[host_of(connect)].rank = rank;
    connect->was_answered |= rank != HOST_SILENT;
    connect->state = CONNECT_NEXT_HOST;
    if (++connect->at < connect->order_count)
        return;
    if (connect->prefers_standby && !connect->is_second_try) {
        connect->is_second_try = true;
        connect->at = 0;
        return;
    }
    end_round(connect);
}

/* An address has refused: the next address of the host, or else the next host. */
static void leave_address(struct database_connect *connect)
{
    drop_attempt(connect);
    if (++connect->address_at < connect->address_count)
        connect->state = CONNECT_ADDRESS;
    else
        leave_host(connect, HOST_REFUSED);
}

static void use_address(struct database_connect *connect, const char *address)
{
    snprintf(connect->addresses[0], sizeof connect->addresses[0], "%s", address);
    connect->address_count = 1;
    connect->address_at = 0;
    connect->state = CONNECT_ADDRESS;
}

static void try_host(struct database_connect *connect)
{
    size_t number = host_of(connect);
    const struct database_host *host = &connect->hosts.all[number];
    struct host_memory *memory = &connect->memory[number];
    connect->host_deadline = deadline_in(connect->host_ms);
    if (!database_host_needs_look_up(host)) {
        use_address(connect, host->address);
        return;
    }
    connect->state = CONNECT_NAME;
    if (!memory->look_up)
        memory->look_up = name_look_up_new(host->name);
}

/* False: the resolver has not answered yet, and may still. */
static bool hear_name(struct database_connect *connect)
{
    size_t number = host_of(connect);
    struct host_memory *memory = &connect->memory[number];
    int result = memory->look_up ? name_look_up_result(memory->look_up) : EAI_MEMORY;
    bool is_late = deadline_left_ms(connect->host_deadline) <= connect->host_ms / 2;
    if (result == EAI_INPROGRESS && !is_late)
        return false;
    connect->address_count = 0;
    connect->address_at = 0;
    if (result == 0)
        connect->address_count = name_look_up_addresses(memory->look_up, connect->addresses, ADDRESSES_MAX);
    if (result != EAI_INPROGRESS) {
        name_look_up_free(memory->look_up);
        memory->look_up = NULL;
    }
    if (connect->address_count > 0) {
        connect->state = CONNECT_ADDRESS;
    } else if (*memory->address) {
        use_address(connect, memory->address);
    } else {
        keep_fault(connect, connect->hosts.all[number].name,
                   result == EAI_INPROGRESS ? "its name could not be looked up in time"
                                            : gai_strerror(result));
        leave_host(connect, result == EAI_INPROGRESS ? HOST_SILENT : HOST_REFUSED);
    }
    return true;
}

/* What stands before the connection string is overridden by it, and what stands behind overrides it. */
static PGconn *start_attempt(const struct database_connect *connect)
{
    const struct database_host *host = &connect->hosts.all[host_of(connect)];
    const char *address = connect->addresses[connect->address_at];
    const char *names[16] = {"user", "fallback_application_name", "client_encoding"};
    const char *values[16] = {connect->role, "upbeat", "UTF8"};
    size_t count = 3;
#define PUT(option, value) (names[count] = (option), values[count++] = (value))
    if (connect->sets_timeouts) { /* an idle connection to a machine that is gone is found out by them */
        PUT("keepalives_idle", "10");
        PUT("keepalives_interval", "2");
        PUT("keepalives_count", "3");
        PUT("tcp_user_timeout", "5000");
    }
    PUT("dbname", connect->conninfo);
    if (connect->is_split && (*host->name || *address)) {
        PUT("host", host->name);
        PUT("hostaddr", address);
        PUT("port", host->port);
    }
    if (connect->prefers_standby)
        PUT("target_session_attrs", connect->is_second_try ? "any" : "standby");
#undef PUT
    names[count] = values[count] = NULL;
    return PQconnectStartParams(names, values, 1);
}

static enum status try_address(struct database_connect *connect)
{
    connect->attempt = start_attempt(connect);
    if (!connect->attempt)
        return STATUS_NO_MEMORY;
    PQsetNoticeProcessor(connect->attempt, take_notice, NULL);
    connect->wants = PGRES_POLLING_WRITING;
    connect->state = CONNECT_CONNECTING;
    if (PQstatus(connect->attempt) == CONNECTION_BAD) {
        keep_fault(connect, "PostgreSQL", PQerrorMessage(connect->attempt));
        leave_address(connect);
    }
    return STATUS_OK;
}

static short events_of(const struct database_connect *connect)
{
    return connect->wants == PGRES_POLLING_READING ? POLLIN : POLLOUT;
}

static bool is_ready(const struct database_connect *connect)
{
    struct pollfd fd = {.fd = PQsocket(connect->attempt), .events = events_of(connect)};
    return fd.fd < 0 || poll(&fd, 1, 0) > 0;
}

/* The host is the one that works: it is first from now on. */
static void succeed(struct database_connect *connect, PGconn **connection_r)
{
    size_t number = host_of(connect);
    struct host_memory *memory = &connect->memory[number];
    if (database_host_needs_look_up(&connect->hosts.all[number]))
        memcpy(memory->address, connect->addresses[connect->address_at], sizeof memory->address);
    connect->hosts.all[number].rank = HOST_GOOD;
    connect->current = number;
    connect->state = CONNECT_IDLE;
    connect->failures = 0;
    connect->not_before_ms = 0;
    connect->host_ms = connect->host_least_ms;
    connect->must_probe = false;
    *connection_r = connect->attempt;
    connect->attempt = NULL;
}

static bool enter_pipeline(PGconn *connection)
{
    return PQsetnonblocking(connection, 1) == 0 && PQenterPipelineMode(connection);
}

static void refuse(struct database_connect *connect)
{
    keep_fault(connect, "PostgreSQL", PQerrorMessage(connect->attempt));
    leave_address(connect);
}

/* Both return whether there is a connection. */
static bool hear_server(struct database_connect *connect, PGconn **connection_r)
{
    connect->wants = PQconnectPoll(connect->attempt);
    if (connect->wants == PGRES_POLLING_FAILED) {
        refuse(connect);
    } else if (connect->wants == PGRES_POLLING_OK && connect->must_probe) {
        connect->wants = PGRES_POLLING_READING;
        connect->state = CONNECT_PROBING;
        if (!PQsendQuery(connect->attempt, ""))
            refuse(connect);
    } else if (connect->wants == PGRES_POLLING_OK) {
        if (enter_pipeline(connect->attempt)) {
            succeed(connect, connection_r);
            return true;
        }
        refuse(connect);
    }
    return false;
}

static bool hear_probe(struct database_connect *connect, PGconn **connection_r)
{
    bool is_well = PQconsumeInput(connect->attempt);
    while (is_well && !PQisBusy(connect->attempt)) {
        PGresult *answer = PQgetResult(connect->attempt);
        if (!answer && enter_pipeline(connect->attempt)) {
            succeed(connect, connection_r);
            return true;
        }
        is_well = answer && PQresultStatus(answer) == PGRES_EMPTY_QUERY;
        PQclear(answer);
    }
    if (!is_well)
        refuse(connect);
    return false;
}

/* True: the server had its time, and the next host is to be tried. */
static bool leave_late(struct database_connect *connect)
{
    if (deadline_left_ms(connect->host_deadline) > 0)
        return false;
    keep_fault(connect, connect->hosts.all[host_of(connect)].name, "it did not answer in time");
    leave_host(connect, HOST_SILENT);
    return true;
}

bool database_connect_is_paused(const struct database_connect *connect)
{
    return connect->state == CONNECT_IDLE && clock_monotonic_ms() < connect->not_before_ms;
}

enum status database_connect_step(struct database_connect *connect, PGconn **connection_r)
{
    enum status status = STATUS_OK;
    if (database_connect_is_paused(connect))
        return STATUS_UNREACHABLE;
    if (connect->state == CONNECT_IDLE)
        start_round(connect);
    while (status == STATUS_OK) {
        switch (connect->state) {
        case CONNECT_IDLE:
            return STATUS_UNREACHABLE;
        case CONNECT_NEXT_HOST:
            try_host(connect);
            break;
        case CONNECT_NAME:
            if (!hear_name(connect))
                return STATUS_TIMEOUT;
            break;
        case CONNECT_ADDRESS:
            status = try_address(connect);
            break;
        case CONNECT_CONNECTING:
        case CONNECT_PROBING:
            if (!is_ready(connect)) {
                if (!leave_late(connect))
                    return STATUS_TIMEOUT;
            } else if (connect->state == CONNECT_CONNECTING ? hear_server(connect, connection_r)
                                                            : hear_probe(connect, connection_r)) {
                return STATUS_OK;
            }
            break;
        }
    }
    connect->state = CONNECT_IDLE;
    return status;
}

void database_connect_wait(struct database_connect *connect, struct deadline deadline)
{
    struct deadline until = connect->host_deadline.at_ms < deadline.at_ms ? connect->host_deadline : deadline;
    int left_ms = deadline_left_ms(until);
    if (connect->state == CONNECT_NAME) {
        name_look_up_wait(connect->memory[host_of(connect)].look_up, LOOP_STEP_MS);
    } else if (connect->attempt && left_ms > 0) {
        struct pollfd fd = {.fd = PQsocket(connect->attempt), .events = events_of(connect)};
        (void)poll(&fd, 1, left_ms);
    }
}

int database_connect_timeout_ms(const struct database_connect *connect, int max_ms)
{
    int64_t left_ms = connect->not_before_ms - clock_monotonic_ms();
    if (connect->state != CONNECT_IDLE)
        left_ms = LOOP_STEP_MS;
    return left_ms < 0 ? 0 : left_ms < max_ms ? (int)left_ms : max_ms;
}

void database_connect_lost(struct database_connect *connect, bool is_silent, bool is_read_only)
{
    if (connect->hosts.count > 0)
        connect->hosts.all[connect->current].rank = is_silent      ? HOST_SILENT
                                                    : is_read_only ? HOST_REFUSED
                                                                   : HOST_GOOD;
    connect->must_probe |= is_silent;
}
