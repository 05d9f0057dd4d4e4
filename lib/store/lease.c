#include "store/lease.h"

#include "base/buffer.h"
#include "db/sql_param.h"
#include "store/cache_row.h"

enum { CLAIM_PARAMETERS = 8, PUBLISH_PARAMETERS = 16, FAIL_PARAMETERS = 4 };

enum { CLAIM, PUBLISH, FAIL, REFUSE, LOOK, ASKED, DUE };

/* A lease or a failure may be lost in a crash: it costs one more request to Chartbeat. So these need not wait
 * for the disk, nor for a synchronous standby that is away. */
#define NOT_DURABLE "set_config('synchronous_commit', 'off', true)"

static const struct statement STATEMENTS[] = {
    [CLAIM] = {"upbeat_claim",
               "select outcome, wait_ms, token, claimed_at, digest, sealed, " NOT_DURABLE " from"
               " claim_refresh($1::text, $2::bytea, $3::boolean, $4::integer, $5::integer, $6::integer,"
               " $7::integer, $8::integer)",
               CLAIM_PARAMETERS, true},
    [PUBLISH] = {"upbeat_publish",
                 "select publish_refresh($1::text, $2::uuid, $3::bytea, $4::bytea, $5::timestamptz,"
                 " $6::integer, $7::integer, $8::text, $9::text[], $10::text[], $11::text[], $12::integer[],"
                 " $13::integer[], $14::integer, $15::integer, $16::integer)",
                 PUBLISH_PARAMETERS, true},
    [FAIL] = {"upbeat_fail", "select fail_refresh($1::text, $2::uuid, $3::text, $4::integer), " NOT_DURABLE,
              FAIL_PARAMETERS, true},
    [REFUSE] = {"upbeat_refuse", "select refuse_key($1::text, $2::uuid, $3::bytea, $4::text)", 4, true},
    [LOOK] = {"upbeat_look",
              "select not coalesce(r.lease_until between clock_timestamp()"
              " and clock_timestamp() + $2::integer * interval '1 ms', false)"
              " from unnest($1::text[]) with ordinality q (host, number) left join refreshes r using (host)"
              " order by q.number",
              2, false},
    [ASKED] = {"upbeat_asked",
               "select asked(host), " NOT_DURABLE
               " from unnest($1::text[]) host order by host collate \"C\"" /* as of lease_order() */,
               1, true},
    /* A host whose lease is held is left out: the other fetcher is at it. More are looked at, to leave out
       those. */
    [DUE] = {"upbeat_due",
             "select d.host, case when d.due_at > '-infinity' then"
             " (extract(epoch from clock_timestamp() - d.due_at) * 1000)::bigint else -1 end,"
             " (extract(epoch from d.every) * 1000)::bigint"
             " from due_hosts($2::integer + 512, interval '0', $1::text) d join refreshes r using (host)"
             /* No lease lasts a minute: the clock has jumped back since one that seems to was given. */
             " where not coalesce(r.lease_until between clock_timestamp()"
             " and clock_timestamp() + interval '1 minute', false)"
             " order by d.due_at, d.host limit $2::integer",
             2, false},
};

/* -1 stands for what Chartbeat did not say. */
static struct sql_param integer_or_null(int value, union sql_param_storage *room)
{
    static const struct sql_param absent;
    return value < 0 ? absent : sql_param_int(value, room);
}

static enum status run(struct database *database, int number, const struct sql_param *parameters,
                       size_t count, struct deadline deadline, struct database_rows **rows_r)
{
    return database_run(database, &STATEMENTS[number], parameters, count,
                        deadline_within(deadline, LEASE_STEP_MS), rows_r);
}

static void free_all(struct database_rows **rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        database_rows_free(rows[i]);
}

int lease_order(const char *host, const char *other)
{
    return strcmp(host, other);
}

static enum status read_outcome(const struct database_rows *rows, enum claim_outcome *outcome_r)
{
    static const char *const names[CLAIM_OUTCOMES] = {
        [CLAIM_GRANTED] = "granted", [CLAIM_NOT_NEEDED] = "not_needed",     [CLAIM_HELD] = "held",
        [CLAIM_BACKOFF] = "backoff", [CLAIM_RATE_LIMITED] = "rate_limited", [CLAIM_BAD_KEYS] = "bad_keys",
        [CLAIM_NO_KEY] = "no_key",
    };
    size_t len = 0;
    const char *name = database_bytes(rows, 0, 0, &len);
    for (size_t i = 0; name && i < CLAIM_OUTCOMES; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
            *outcome_r = (enum claim_outcome)i;
            return STATUS_OK;
        }
    }
    return STATUS_FAILED;
}

/* Null is 0 bytes and leaves the room as it is. False: more than there is room for. */
static bool take_bytes(const struct database_rows *rows, int column, void *room, size_t room_bytes,
                       size_t *len_r)
{
    size_t len = 0;
    const char *bytes = database_bytes(rows, 0, column, &len);
    *len_r = bytes ? len : 0;
    if (*len_r > room_bytes)
        return false;
    if (bytes)
        memcpy(room, bytes, len);
    return true;
}

static enum status take_claim(const struct database_rows *rows, struct lease_claim *claim_r)
{
    struct lease_claim claim = {.claimed_ms = clock_monotonic_ms()};
    size_t token_bytes = 0;
    size_t digest_bytes = 0;
    if (database_rows_count(rows) != 1 || read_outcome(rows, &claim.outcome) != STATUS_OK ||
        !take_bytes(rows, 2, claim.token, LEASE_TOKEN_BYTES, &token_bytes) ||
        !take_bytes(rows, 4, claim.digest.bytes, DIGEST_BYTES, &digest_bytes) ||
        !take_bytes(rows, 5, claim.sealed.bytes, SEALED_MAX_BYTES, &claim.sealed.len_bytes))
        return STATUS_FAILED;
    if (claim.outcome == CLAIM_GRANTED && (token_bytes != LEASE_TOKEN_BYTES || digest_bytes != DIGEST_BYTES))
        return STATUS_FAILED;
    claim.wait_ms = (int)database_int(rows, 0, 1, 0);
    claim.claimed_at = database_time(rows, 0, 3, 0);
    *claim_r = claim;
    return STATUS_OK;
}

/* Computes the burst, and the distance of requests in the long run, so that any 60 seconds hold at most the
 * rate (GCRA). */
static void budget_of(int rate_per_minute, int *step_ms_r, int *burst_ms_r)
{
    const int minute_ms = 60000;
    *burst_ms_r = minute_ms / 10;
    int most = rate_per_minute - 1;
    *step_ms_r = (minute_ms + *burst_ms_r + most - 1) / most + 1;
}

enum status lease_claim(struct database *database, const struct lease_request *requests, size_t count,
                        const struct lease_bounds *bounds, struct deadline deadline,
                        struct lease_claim *claims_r)
{
    struct sql_param parameters[CLAIM_PARAMETERS * LEASE_BATCH] = {{0}};
    union sql_param_storage own[LEASE_BATCH][2];
    union sql_param_storage common[4];
    struct database_rows *rows[LEASE_BATCH] = {0};
    struct lease_claim claims[LEASE_BATCH];
    int step_ms = 0;
    int burst_ms = 0;
    budget_of(bounds->rate_per_minute, &step_ms, &burst_ms);
    for (size_t i = 0; i < count; i++) {
        const struct digest *digest = requests[i].digest;
        struct sql_param *at = parameters + i * CLAIM_PARAMETERS;
        at[0] = sql_param_text(requests[i].host);
        at[1] = digest ? sql_param_bytes(digest->bytes, DIGEST_BYTES) : (struct sql_param){0};
        at[2] = sql_param_bool(requests[i].check, &own[i][0]);
        at[3] = sql_param_int(requests[i].ttl_ms, &own[i][1]);
        at[4] = sql_param_int(bounds->lease_ms, &common[0]);
        at[5] = sql_param_int(step_ms, &common[1]);
        at[6] = sql_param_int(burst_ms, &common[2]);
        at[7] = sql_param_int(REVOCATION_MS, &common[3]);
    }
    enum status result = run(database, CLAIM, parameters, count, deadline, rows);
    for (size_t i = 0; result == STATUS_OK && i < count; i++)
        result = take_claim(rows[i], &claims[i]);
    free_all(rows, count);
    if (result == STATUS_OK)
        memcpy(claims_r, claims, count * sizeof *claims);
    return result;
}

static void set_publication(const struct lease_publication *what, union sql_param_storage *rooms,
                            struct sql_param *at)
{
    const struct lease_claim *claim = what->claim;
    const struct page_columns *columns = what->columns;
    time_us taken_at = claim->claimed_at + (what->answered_ms - claim->claimed_ms) * 1000;
    at[0] = sql_param_text(what->host);
    at[1] = sql_param_bytes(claim->token, LEASE_TOKEN_BYTES);
    at[2] = sql_param_bytes(claim->digest.bytes, DIGEST_BYTES);
    at[3] =
        what->sealed ? sql_param_bytes(what->sealed->bytes, what->sealed->len_bytes) : (struct sql_param){0};
    at[4] = sql_param_time(taken_at, &rooms[0]);
    at[5] = sql_param_int(what->ttl_ms, &rooms[1]);
    at[6] = sql_param_int(what->row_limit, &rooms[2]);
    for (int column = 0; column < COLUMNS; column++)
        at[7 + column] = sql_param_text(columns->of[column].data);
    at[13] = integer_or_null(what->rate_limit, &rooms[3]);
    at[14] = integer_or_null(what->rate_remaining, &rooms[4]);
    at[15] = sql_param_int((int)what->refused_rows, &rooms[5]);
}

enum status lease_publish(struct database *database, const struct lease_publication *publications,
                          size_t count, struct deadline deadline, bool *stored_r)
{
    struct sql_param parameters[PUBLISH_PARAMETERS * LEASE_BATCH] = {{0}};
    union sql_param_storage rooms[LEASE_BATCH][6];
    struct database_rows *rows[LEASE_BATCH] = {0};
    for (size_t i = 0; i < count; i++)
        set_publication(&publications[i], rooms[i], parameters + i * PUBLISH_PARAMETERS);
    enum status result = run(database, PUBLISH, parameters, count, deadline, rows);
    for (size_t i = 0; result == STATUS_OK && i < count; i++)
        stored_r[i] = database_bool(rows[i], 0, 0);
    free_all(rows, count);
    return result;
}

enum status lease_fail(struct database *database, const struct lease_failure *failures, size_t count,
                       struct deadline deadline, int *back_off_ms_r)
{
    struct sql_param parameters[FAIL_PARAMETERS * LEASE_BATCH] = {{0}};
    union sql_param_storage rooms[LEASE_BATCH];
    struct database_rows *rows[LEASE_BATCH] = {0};
    for (size_t i = 0; i < count; i++) {
        struct sql_param *at = parameters + i * FAIL_PARAMETERS;
        at[0] = sql_param_text(failures[i].host);
        at[1] = sql_param_bytes(failures[i].claim->token, LEASE_TOKEN_BYTES);
        at[2] = sql_param_text(failures[i].reason);
        at[3] = sql_param_int(failures[i].retry_after_s * 1000, &rooms[i]);
    }
    enum status result = run(database, FAIL, parameters, count, deadline, rows);
    for (size_t i = 0; result == STATUS_OK && i < count; i++)
        back_off_ms_r[i] = (int)database_int(rows[i], 0, 0, 0);
    free_all(rows, count);
    return result;
}

enum status lease_refuse(struct database *database, const char *host, const struct lease_claim *claim,
                         const char *reason, struct deadline deadline)
{
    struct database_rows *rows = NULL;
    const struct sql_param parameters[] = {
        sql_param_text(host),
        sql_param_bytes(claim->token, LEASE_TOKEN_BYTES),
        sql_param_bytes(claim->digest.bytes, DIGEST_BYTES),
        sql_param_text(reason),
    };
    enum status result = run(database, REFUSE, parameters, 1, deadline, &rows);
    database_rows_free(rows);
    return result;
}

/* Hosts are checked names, so nothing in them has to be escaped. */
static enum status write_hosts(struct buffer *text, const char *const *hosts, size_t count)
{
    buffer_init(text, (size_t)LEASE_BATCH * (HOST_MAX_BYTES + 1) + 2);
    buffer_append_char(text, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_char(text, ',');
        buffer_append_text(text, hosts[i]);
    }
    buffer_append_char(text, '}');
    return text->status;
}

enum status lease_look(struct database *database, const char *const *hosts, size_t count, int lease_ms,
                       struct deadline deadline, bool *is_free_r)
{
    struct buffer text;
    union sql_param_storage room;
    struct database_rows *rows = NULL;
    enum status result = write_hosts(&text, hosts, count);
    const struct sql_param parameters[] = {sql_param_text(text.data), sql_param_int(lease_ms, &room)};
    if (result == STATUS_OK)
        result = run(database, LOOK, parameters, 1, deadline, &rows);
    if (result == STATUS_OK && database_rows_count(rows) != count)
        result = STATUS_FAILED;
    for (size_t i = 0; result == STATUS_OK && i < count; i++)
        is_free_r[i] = database_bool(rows, i, 0);
    database_rows_free(rows);
    buffer_release(&text);
    return result;
}

enum status lease_asked(struct database *database, const char *const *hosts, size_t count,
                        struct deadline deadline)
{
    struct buffer text;
    struct database_rows *rows = NULL;
    enum status result = write_hosts(&text, hosts, count);
    const struct sql_param parameters[] = {sql_param_text(text.data)};
    if (result == STATUS_OK)
        result = run(database, ASKED, parameters, 1, deadline, &rows);
    database_rows_free(rows);
    buffer_release(&text);
    return result;
}

static enum status take_due(const struct database_rows *rows, struct arena *arena, struct due_list *list_r)
{
    size_t count = database_rows_count(rows);
    struct due_host *items = arena_alloc(arena, (count + 1) * sizeof *items);
    if (!items)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        const char *host = database_bytes(rows, i, 0, &len);
        if (!host || len > HOST_MAX_BYTES)
            return STATUS_FAILED;
        memcpy(items[i].host, host, len);
        items[i].host[len] = '\0';
        items[i].late_ms = database_int(rows, i, 1, -1);
        items[i].every_ms = database_int(rows, i, 2, 0);
    }
    *list_r = (struct due_list){items, count};
    return STATUS_OK;
}

enum status lease_due(struct database *database, const char *host, int limit, struct arena *arena,
                      struct deadline deadline, struct due_list *list_r)
{
    union sql_param_storage room;
    struct database_rows *rows = NULL;
    const struct sql_param parameters[] = {sql_param_text(host), sql_param_int(limit, &room)};
    enum status result = run(database, DUE, parameters, 1, deadline, &rows);
    if (result == STATUS_OK)
        result = take_due(rows, arena, list_r);
    database_rows_free(rows);
    return result;
}
