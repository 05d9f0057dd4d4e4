#include "store/store.h"

#include "base/log.h"
#include "db/sql_param.h"

struct store {
    struct database *database;
    int ttl_ms;
};

enum { KNOWN_PARAMETERS = 3, READ_PARAMETERS = 5 };

enum { KNOWN, READ, READ_TOKEN, READY, BEGIN, NEWEST, COMMIT };

/* An accepted key that was refused once is doubted. Answers are still served to it for 65 s (a back-off of a
 * minute, and the 5 s that must lie between two refusals) or until the second refusal; then it has to be
 * checked. So a doubted key counts as checked 65 s less than REVOCATION_MS before the doubt. */
#define CHECKED_AT "greatest(k.checked_at, k.doubted_at - interval '235 s')"

static const struct statement STATEMENTS[] = {
    /* Nearly all that is asked under load; each column more would be felt. */
    [KNOWN] = {"upbeat_known",
               "select clock_timestamp(), c.previous_at, c.rate_limit, c.rate_remaining, " CHECKED_AT
               " from cache c join key_checks k on k.host = c.host and k.digest = $2::bytea"
               " where c.host = $1::text and k.state <> 'refused' and c.taken_at = $3::timestamptz",
               KNOWN_PARAMETERS, false},
    /* The lists are not fetched, which is what costs most, for a key that may not see them, nor for a caller
     * that has them. */
    [READ] = {"upbeat_read",
              "select clock_timestamp(), c.taken_at, c.previous_at, c.rate_limit, c.rate_remaining, "
              "k.state <> 'refused', " CHECKED_AT ","
              " case when refusal_holds(k.refused_until, clock_timestamp()) then k.refused_until end,"
              " case when $5::boolean and k.state <> 'refused' and c.taken_at is distinct from "
              "$4::timestamptz then "
              "c.pages end,"
              " case when $5::boolean and k.state <> 'refused' and c.taken_at is distinct from "
              "$4::timestamptz then "
              "c.previous_pages end,"
              " case when c.taken_at not between clock_timestamp() - $3::integer * interval '1 ms' and "
              "clock_timestamp()"
              " then (select f.failures from refreshes f where f.host = q.host) end"
              " from (select $1::text as host, $2::bytea as digest) q"
              " left join cache c on c.host = q.host"
              " left join key_checks k on k.host = q.host and k.digest = q.digest",
              READ_PARAMETERS, false},
    /* The row of a host that the token does not cover is not read. */
    [READ_TOKEN] = {"upbeat_read_token",
                    "select clock_timestamp(), c.taken_at, c.previous_at, c.rate_limit, c.rate_remaining,"
                    " t.token_id, t.revoked_at is not null, t.valid_until,"
                    " case when $5::boolean and c.taken_at is distinct from $4::timestamptz then c.pages end,"
                    " case when $5::boolean and c.taken_at is distinct from $4::timestamptz then "
                    "c.previous_pages end,"
                    " case when c.taken_at not between clock_timestamp() - $3::integer * interval '1 ms' and "
                    "clock_timestamp()"
                    " then (select f.failures from refreshes f where f.host = q.host) end,"
                    " q.host = any(t.hosts), t.may::text, t.row_limit, array_to_string(t.fields, ','),"
                    " array_to_string(t.hosts, ', '), array_to_string(t.origins, ' ')"
                    " from (select $1::text as host, $2::bytea as digest) q"
                    " left join access_tokens t on t.digest = q.digest"
                    " left join cache c on c.host = q.host and q.host = any(t.hosts) and t.revoked_at is null"
                    " and coalesce(t.valid_until > clock_timestamp(), true)",
                    READ_PARAMETERS, false},
    [READY] = {"upbeat_ready", "select max(version) from schema_migrations", 0, false},
    [BEGIN] = {"upbeat_begin", "begin isolation level repeatable read read only", 0, false},
    [NEWEST] = {"upbeat_newest", "select taken_at from cache where host = $1::text", 1, false},
    [COMMIT] = {"upbeat_commit", "commit", 0, false},
};

enum status store_new(struct store **store_r, const struct store_config *config)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return STATUS_NO_MEMORY;
    enum status result = database_new(&store->database, config->conninfo, config->role, config->prepare);
    store->ttl_ms = config->ttl_ms;
    if (result == STATUS_OK)
        *store_r = store;
    else
        free(store);
    return result;
}

struct database *store_database(struct store *store)
{
    return store->database;
}

bool store_is_away(const struct store *store)
{
    return database_is_away(store->database);
}

void store_tend(struct store *store)
{
    database_tend(store->database);
}

int store_tend_timeout_ms(const struct store *store, int max_ms)
{
    return database_tend_timeout_ms(store->database, max_ms);
}

void store_free(struct store *store)
{
    if (!store)
        return;
    database_free(store->database);
    free(store);
}

static enum status run(struct store *store, int number, const struct sql_param *parameters,
                       struct deadline deadline, struct database_rows **rows_r)
{
    return database_run(store->database, &STATEMENTS[number], parameters, 1,
                        deadline_within(deadline, STORE_STEP_MS), rows_r);
}

enum status store_ready(struct store *store, struct deadline deadline)
{
    struct database_rows *rows = NULL;
    enum status result = run(store, READY, NULL, deadline, &rows);
    if (result == STATUS_OK && database_int(rows, 0, 0, 0) < STORE_SCHEMA_VERSION)
        result = STATUS_INVALID;
    database_rows_free(rows);
    return result;
}

enum status store_begin_read(struct store *store, const char *host, struct deadline deadline,
                             time_us *taken_at_r)
{
    const struct sql_param parameter = sql_param_text(host);
    struct database_rows *rows = NULL;
    enum status result = run(store, BEGIN, NULL, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    database_rows_free(rows);
    result = run(store, NEWEST, &parameter, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    *taken_at_r = database_rows_count(rows) > 0 ? database_time(rows, 0, 0, 0) : 0;
    database_rows_free(rows);
    return STATUS_OK;
}

/* What was read is good even if this fails. */
void store_end_read(struct store *store, struct deadline deadline)
{
    struct database_rows *rows = NULL;
    if (run(store, COMMIT, NULL, deadline, &rows) == STATUS_OK)
        database_rows_free(rows);
}

static enum status copy_text(const struct database_rows *rows, int column, struct arena *arena,
                             const char **text_r, size_t *len_r)
{
    size_t len = 0;
    const char *bytes = database_bytes(rows, 0, column, &len);
    *text_r = NULL;
    *len_r = 0;
    if (!bytes)
        return STATUS_OK;
    *text_r = arena_copy(arena, bytes, len);
    *len_r = len;
    return *text_r ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum key_status key_status_of(const struct database_rows *rows, time_us now)
{
    if (database_bool(rows, 0, 5))
        return KEY_ACCEPTED;
    time_us until = database_time(rows, 0, 7, 0);
    return until > now ? KEY_REFUSED : KEY_UNKNOWN;
}

static enum status copy_word(const struct database_rows *rows, int column, struct arena *arena,
                             const char **text_r)
{
    size_t len = 0;
    enum status result = copy_text(rows, column, arena, text_r, &len);
    if (result == STATUS_OK && !*text_r)
        *text_r = "";
    return result;
}

static enum token_state token_state_of(const struct database_rows *rows, time_us now, time_us until)
{
    if (database_int(rows, 0, 5, 0) == 0)
        return TOKEN_UNKNOWN;
    if (database_bool(rows, 0, 6))
        return TOKEN_REVOKED;
    return until && until <= now ? TOKEN_EXPIRED : TOKEN_VALID;
}

/* STATUS_FAILED: the database knows words that this program does not. */
static enum status take_token(const struct database_rows *rows, struct arena *arena,
                              struct store_lookup *lookup)
{
    struct store_token *token = &lookup->token;
    const char *may = "";
    const char *fields = "";
    time_us now = database_time(rows, 0, 0, 0);
    time_us until = database_time(rows, 0, 7, 0);
    *token = (struct store_token){
        .state = token_state_of(rows, now, until),
        .id = (int)database_int(rows, 0, 5, 0),
        .covers_host = database_bool(rows, 0, 11),
        .row_limit = (int)database_int(rows, 0, 13, 0),
        .hosts = "",
        .origins = "",
    };
    lookup->view.key_status = KEY_ACCEPTED;
    lookup->view.check_age_ms = 0;
    if (until && until - now < INT64_C(1000) * REVOCATION_MS)
        lookup->view.check_age_ms = REVOCATION_MS - (until - now) / 1000;
    if (token->state == TOKEN_UNKNOWN)
        return STATUS_OK;
    enum status result = copy_word(rows, 12, arena, &may);
    if (result == STATUS_OK)
        result = copy_word(rows, 14, arena, &fields);
    if (result == STATUS_OK)
        result = copy_word(rows, 15, arena, &token->hosts);
    if (result == STATUS_OK)
        result = copy_word(rows, 16, arena, &token->origins);
    if (result == STATUS_OK && (token_may_parse(may, &token->may) != STATUS_OK ||
                                (*fields && token_fields_parse(fields, &token->fields) != STATUS_OK)))
        result = STATUS_FAILED;
    return result;
}

static enum status take_lookup(const struct database_rows *rows, struct arena *arena,
                               struct store_lookup *lookup)
{
    if (database_rows_count(rows) != 1)
        return STATUS_FAILED;
    time_us now = database_time(rows, 0, 0, 0);
    lookup->taken_at = database_time(rows, 0, 1, 0);
    lookup->previous_at = database_time(rows, 0, 2, 0);
    lookup->rate_limit = (int)database_int(rows, 0, 3, -1);
    lookup->rate_remaining = (int)database_int(rows, 0, 4, -1);
    lookup->view = (struct cache_row_state){
        .has_snapshot = lookup->taken_at != 0,
        .age_ms = (now - lookup->taken_at) / 1000,
        .failures = (int)database_int(rows, 0, 10, 0),
    };
    enum status result = STATUS_OK;
    if (lookup->is_token) {
        result = take_token(rows, arena, lookup);
    } else {
        lookup->view.key_status = key_status_of(rows, now);
        lookup->view.check_age_ms = (now - database_time(rows, 0, 6, 0)) / 1000;
    }
    if (result == STATUS_OK)
        result = copy_text(rows, 8, arena, &lookup->pages, &lookup->pages_bytes);
    if (result == STATUS_OK)
        result = copy_text(rows, 9, arena, &lookup->previous_pages, &lookup->previous_pages_bytes);
    return result;
}

/* False: there is more to know about this row than was asked. */
static bool take_known(const struct store *store, const struct database_rows *rows,
                       struct store_lookup *lookup)
{
    if (database_rows_count(rows) != 1)
        return false;
    time_us now = database_time(rows, 0, 0, 0);
    int64_t age_ms = (now - lookup->if_changed_since) / 1000;
    if (age_ms < 0 || age_ms > store->ttl_ms)
        return false;
    lookup->taken_at = lookup->if_changed_since;
    lookup->previous_at = database_time(rows, 0, 1, 0);
    lookup->rate_limit = (int)database_int(rows, 0, 2, -1);
    lookup->rate_remaining = (int)database_int(rows, 0, 3, -1);
    lookup->view = (struct cache_row_state){
        .has_snapshot = true,
        .age_ms = age_ms,
        .key_status = KEY_ACCEPTED,
        .check_age_ms = (now - database_time(rows, 0, 4, 0)) / 1000,
    };
    return true;
}

/* By our own clock, which need not be right: it only decides what is asked first. */
static bool may_be_fresh(const struct store *store, time_us if_changed_since)
{
    return clock_wall_ms() - if_changed_since / 1000 <= store->ttl_ms;
}

/* Fills in those of which the caller knows the snapshot, as long as it is still the newest, and fresh;
 * *left_r are the others. */
static enum status read_known(struct store *store, struct store_lookup *lookups, size_t count,
                              struct deadline deadline, struct store_lookup **left, size_t *left_r)
{
    struct sql_param parameters[KNOWN_PARAMETERS * STORE_BATCH];
    union sql_param_storage if_changed_since[STORE_BATCH];
    struct store_lookup *known[STORE_BATCH];
    struct database_rows *rows[STORE_BATCH] = {0};
    size_t known_count = 0;
    *left_r = 0;
    for (size_t i = 0; i < count; i++) {
        if (lookups[i].is_token || !lookups[i].if_changed_since ||
            !may_be_fresh(store, lookups[i].if_changed_since)) {
            left[(*left_r)++] = &lookups[i];
            continue;
        }
        struct sql_param *at = parameters + known_count * KNOWN_PARAMETERS;
        at[0] = sql_param_text(lookups[i].host);
        at[1] = sql_param_bytes(lookups[i].digest->bytes, DIGEST_BYTES);
        at[2] = sql_param_time(lookups[i].if_changed_since, &if_changed_since[known_count]);
        known[known_count++] = &lookups[i];
    }
    if (known_count == 0)
        return STATUS_OK;
    enum status result = database_run(store->database, &STATEMENTS[KNOWN], parameters, known_count,
                                      deadline_within(deadline, STORE_STEP_MS), rows);
    for (size_t i = 0; i < known_count && result == STATUS_OK; i++) {
        if (!take_known(store, rows[i], known[i]))
            left[(*left_r)++] = known[i];
        database_rows_free(rows[i]);
    }
    return result;
}

/* With one statement for all of them: READ or READ_TOKEN. */
static enum status read_all(struct store *store, int statement, struct store_lookup **lookups, size_t count,
                            struct arena *arena, struct deadline deadline)
{
    struct sql_param parameters[READ_PARAMETERS * STORE_BATCH];
    union sql_param_storage ttl_ms;
    union sql_param_storage if_changed_since[STORE_BATCH];
    union sql_param_storage needs_lists[STORE_BATCH];
    struct database_rows *rows[STORE_BATCH] = {0};
    for (size_t i = 0; i < count; i++) {
        struct sql_param *at = parameters + i * READ_PARAMETERS;
        at[0] = sql_param_text(lookups[i]->host);
        at[1] = sql_param_bytes(lookups[i]->digest->bytes, DIGEST_BYTES);
        at[2] = sql_param_int(store->ttl_ms, &ttl_ms);
        at[3] = lookups[i]->if_changed_since
                    ? sql_param_time(lookups[i]->if_changed_since, &if_changed_since[i])
                    : (struct sql_param){0};
        at[4] = sql_param_bool(lookups[i]->needs_lists, &needs_lists[i]);
    }
    if (count == 0)
        return STATUS_OK;
    enum status result = database_run(store->database, &STATEMENTS[statement], parameters, count,
                                      deadline_within(deadline, STORE_STEP_MS), rows);
    for (size_t i = 0; i < count; i++) {
        if (result == STATUS_OK)
            result = take_lookup(rows[i], arena, lookups[i]);
        database_rows_free(rows[i]);
    }
    return result;
}

enum status store_read(struct store *store, struct store_lookup *lookups, size_t count, struct arena *arena,
                       struct deadline deadline)
{
    struct store_lookup *left[STORE_BATCH];
    size_t left_count = 0;
    struct store_lookup *tokens[STORE_BATCH];
    size_t token_count = 0;
    size_t key_count = 0;
    enum status result = read_known(store, lookups, count, deadline, left, &left_count);
    for (size_t i = 0; i < left_count; i++) {
        if (left[i]->is_token)
            tokens[token_count++] = left[i];
        else
            left[key_count++] = left[i];
    }
    if (result == STATUS_OK)
        result = read_all(store, READ, left, key_count, arena, deadline);
    if (result == STATUS_OK)
        result = read_all(store, READ_TOKEN, tokens, token_count, arena, deadline);
    return result;
}
