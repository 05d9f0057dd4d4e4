#include "store/store.h"

#include "base/log.h"
#include "db/array_encode.h"
#include "db/sql_param.h"

struct store {
    struct database *database;
    int ttl_ms;
};

enum { KNOWN_PARAMETERS = 3, READ_PARAMETERS = 4 };

enum { KNOWN, READ, CLAIM, PUBLISH, FAIL, REFUSE, READY, KEYS, RESEAL };

/* A lease or a failure may be lost in a crash: it costs one more request to Chartbeat. So these need not wait
 * for the disk, nor for a synchronous standby that is away. */
#define NOT_DURABLE "set_config('synchronous_commit', 'off', true)"

static const struct statement STATEMENTS[] = {
    /* Nearly all that is asked under load; each column more would be felt. */
    [KNOWN] = {KNOWN, "upbeat_known",
               "select clock_timestamp(), c.previous_at, c.rate_limit, c.rate_remaining, k.checked_at"
               " from cache c join key_checks k on k.host = c.host and k.digest = $2::bytea"
               " where c.host = $1::text and k.state <> 'refused' and c.taken_at = $3::timestamptz",
               KNOWN_PARAMETERS, false},
    /* The lists are not fetched, which is what costs most, for a key that may not see them, nor for a caller
     * that has them. */
    [READ] =
        {READ, "upbeat_read",
         "select clock_timestamp(), c.taken_at, c.previous_at, c.rate_limit, c.rate_remaining, "
         "k.state <> 'refused', k.checked_at,"
         " case when refusal_holds(k.refused_until, clock_timestamp()) then k.refused_until end,"
         " case when k.state <> 'refused' and c.taken_at is distinct from $4::timestamptz then c.pages end,"
         " case when k.state <> 'refused' and c.taken_at is distinct from $4::timestamptz"
         " then c.previous_pages end,"
         " case when c.taken_at not between clock_timestamp() - $3::integer * interval '1 ms' and "
         "clock_timestamp()"
         " then (select f.failures from refreshes f where f.host = q.host) end"
         " from (select $1::text as host, $2::bytea as digest) q"
         " left join cache c on c.host = q.host"
         " left join key_checks k on k.host = q.host and k.digest = q.digest",
         READ_PARAMETERS, false},
    [CLAIM] = {CLAIM, "upbeat_claim",
               "select outcome, wait_ms, token, claimed_at, digest, sealed, " NOT_DURABLE " from"
               " claim_refresh($1::text, $2::bytea, $3::boolean, $4::integer, $5::integer, $6::integer, "
               "$7::integer, $8::integer)",
               8, true},
    [PUBLISH] = {PUBLISH, "upbeat_publish",
                 "select publish_refresh($1::text, $2::uuid, $3::bytea, $4::bytea, $5::timestamptz, "
                 "$6::integer, $7::integer,"
                 " $8::text, $9::text[], $10::text[], $11::text[], $12::integer[], $13::integer[], "
                 "$14::integer, $15::integer,"
                 " $16::integer)",
                 16, true},
    [FAIL] = {FAIL, "upbeat_fail",
              "select fail_refresh($1::text, $2::uuid, $3::text, $4::integer), " NOT_DURABLE, 4, true},
    [REFUSE] = {REFUSE, "upbeat_refuse", "select refuse_key($1::text, $2::uuid, $3::bytea, $4::text)", 4,
                true},
    [KEYS] = {KEYS, "upbeat_keys", "select digest, sealed from apikeys order by digest", 0, false},
    [RESEAL] = {RESEAL, "upbeat_reseal",
                "update apikeys set sealed = $2::bytea where digest = $1::bytea and sealed = $3::bytea", 3,
                true},
    [READY] = {READY, "upbeat_ready", "select max(version) from schema_migrations", 0, false},
};

/* -1 stands for what Chartbeat did not say. */
static struct sql_param integer_or_null(int value, union sql_param_storage *room)
{
    static const struct sql_param absent;
    return value < 0 ? absent : sql_param_int(value, room);
}

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
        .key_status = key_status_of(rows, now),
        .check_age_ms = (now - database_time(rows, 0, 6, 0)) / 1000,
        .failures = (int)database_int(rows, 0, 10, 0),
    };
    enum status result = copy_text(rows, 8, arena, &lookup->pages, &lookup->pages_bytes);
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
        if (!lookups[i].if_changed_since || !may_be_fresh(store, lookups[i].if_changed_since)) {
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

static enum status read_all(struct store *store, struct store_lookup **lookups, size_t count,
                            struct arena *arena, struct deadline deadline)
{
    struct sql_param parameters[READ_PARAMETERS * STORE_BATCH];
    union sql_param_storage ttl_ms;
    union sql_param_storage if_changed_since[STORE_BATCH];
    struct database_rows *rows[STORE_BATCH] = {0};
    for (size_t i = 0; i < count; i++) {
        struct sql_param *at = parameters + i * READ_PARAMETERS;
        at[0] = sql_param_text(lookups[i]->host);
        at[1] = sql_param_bytes(lookups[i]->digest->bytes, DIGEST_BYTES);
        at[2] = sql_param_int(store->ttl_ms, &ttl_ms);
        at[3] = lookups[i]->if_changed_since
                    ? sql_param_time(lookups[i]->if_changed_since, &if_changed_since[i])
                    : (struct sql_param){0};
    }
    enum status result = database_run(store->database, &STATEMENTS[READ], parameters, count,
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
    enum status result = read_known(store, lookups, count, deadline, left, &left_count);
    if (result == STATUS_OK && left_count > 0)
        result = read_all(store, left, left_count, arena, deadline);
    return result;
}

static enum status read_outcome(const struct database_rows *rows, enum claim_outcome *outcome_r)
{
    static const char *const names[] = {
        [CLAIM_GRANTED] = "granted", [CLAIM_NOT_NEEDED] = "not_needed",     [CLAIM_HELD] = "held",
        [CLAIM_BACKOFF] = "backoff", [CLAIM_RATE_LIMITED] = "rate_limited", [CLAIM_BAD_KEYS] = "bad_keys",
        [CLAIM_NO_KEY] = "no_key",
    };
    size_t len = 0;
    const char *name = database_bytes(rows, 0, 0, &len);
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
            *outcome_r = (enum claim_outcome)i;
            return STATUS_OK;
        }
    }
    return STATUS_FAILED;
}

/* Bytes of exactly, or up to, the room there is; false where they do not fit. Null leaves the room as it is.
 */
static bool take_bytes(const struct database_rows *rows, size_t row, int column, void *room,
                       size_t room_bytes, size_t *len_r)
{
    size_t len = 0;
    const char *bytes = database_bytes(rows, row, column, &len);
    if (!bytes)
        len = 0;
    if (len > room_bytes)
        return false;
    if (bytes)
        memcpy(room, bytes, len);
    *len_r = len;
    return true;
}

static enum status take_claim(const struct database_rows *rows, struct store_claim *claim_r)
{
    struct store_claim claim = {0};
    size_t token_bytes = 0;
    size_t digest_bytes = 0;
    if (database_rows_count(rows) != 1 || read_outcome(rows, &claim.outcome) != STATUS_OK ||
        !take_bytes(rows, 0, 2, claim.token, sizeof claim.token, &token_bytes) ||
        !take_bytes(rows, 0, 4, claim.digest.bytes, DIGEST_BYTES, &digest_bytes) ||
        !take_bytes(rows, 0, 5, claim.sealed.bytes, SEALED_MAX_BYTES, &claim.sealed.len_bytes))
        return STATUS_FAILED;
    claim.wait_ms = (int)database_int(rows, 0, 1, 0);
    claim.claimed_at = database_time(rows, 0, 3, 0);
    claim.claimed_ms = clock_monotonic_ms();
    *claim_r = claim;
    return STATUS_OK;
}

/* What may pass in a burst, and how far apart requests are in the long run, so that any 60 seconds hold at
 * most the rate. */
static void budget_of(int rate_per_minute, int *step_ms_r, int *burst_ms_r)
{
    const int minute_ms = 60000;
    *burst_ms_r = minute_ms / 10;
    int most = rate_per_minute - 1;
    *step_ms_r = (minute_ms + *burst_ms_r + most - 1) / most + 1;
}

enum status store_claim(struct store *store, const char *host, const struct digest *digest, bool check,
                        const struct store_bounds *bounds, struct deadline deadline,
                        struct store_claim *claim_r)
{
    union sql_param_storage rooms[6];
    struct database_rows *rows = NULL;
    int step_ms = 0;
    int burst_ms = 0;
    budget_of(bounds->rate_per_minute, &step_ms, &burst_ms);
    const struct sql_param parameters[] = {
        sql_param_text(host),
        digest ? sql_param_bytes(digest->bytes, DIGEST_BYTES) : (struct sql_param){0},
        sql_param_bool(check, &rooms[0]),
        sql_param_int(bounds->ttl_ms, &rooms[1]),
        sql_param_int(bounds->lease_ms, &rooms[2]),
        sql_param_int(step_ms, &rooms[3]),
        sql_param_int(burst_ms, &rooms[4]),
        sql_param_int(REVOCATION_MS, &rooms[5]),
    };
    enum status result = run(store, CLAIM, parameters, deadline, &rows);
    if (result == STATUS_OK)
        result = take_claim(rows, claim_r);
    database_rows_free(rows);
    return result;
}

static enum status send_publication(struct store *store, const struct store_publication *what,
                                    const struct columns *columns, struct deadline deadline,
                                    struct database_rows **rows_r)
{
    union sql_param_storage rooms[6];
    const struct store_claim *claim = what->claim;
    time_us taken_at = claim->claimed_at + (clock_monotonic_ms() - claim->claimed_ms) * 1000;
    const struct sql_param parameters[] = {
        sql_param_text(what->host),
        sql_param_bytes(claim->token, STORE_TOKEN_BYTES),
        sql_param_bytes(claim->digest.bytes, DIGEST_BYTES),
        what->sealed ? sql_param_bytes(what->sealed->bytes, what->sealed->len_bytes) : (struct sql_param){0},
        sql_param_time(taken_at, &rooms[0]),
        sql_param_int(what->ttl_ms, &rooms[1]),
        sql_param_int(what->row_limit, &rooms[2]),
        sql_param_text(columns->of[COLUMN_TEXT].data),
        sql_param_text(columns->of[COLUMN_PATHS].data),
        sql_param_text(columns->of[COLUMN_TITLES].data),
        sql_param_text(columns->of[COLUMN_SECTIONS].data),
        sql_param_text(columns->of[COLUMN_VISITORS].data),
        sql_param_text(columns->of[COLUMN_SOURCES].data),
        integer_or_null(what->rate_limit, &rooms[3]),
        integer_or_null(what->rate_remaining, &rooms[4]),
        sql_param_int((int)what->refused_rows, &rooms[5]),
    };
    return run(store, PUBLISH, parameters, deadline, rows_r);
}

enum status store_publish(struct store *store, const struct store_publication *publication,
                          struct deadline deadline, bool *stored_r)
{
    struct columns columns;
    struct database_rows *rows = NULL;
    enum status result = array_encode(publication->pages, &columns);
    if (result == STATUS_OK)
        result = send_publication(store, publication, &columns, deadline, &rows);
    if (result == STATUS_OK)
        *stored_r = database_bool(rows, 0, 0);
    database_rows_free(rows);
    array_encode_release(&columns);
    return result;
}

enum status store_fail(struct store *store, const char *host, const struct store_claim *claim,
                       const char *reason, int retry_after_s, struct deadline deadline, int *back_off_ms_r)
{
    union sql_param_storage room;
    struct database_rows *rows = NULL;
    const struct sql_param parameters[] = {
        sql_param_text(host),
        sql_param_bytes(claim->token, STORE_TOKEN_BYTES),
        sql_param_text(reason),
        sql_param_int(retry_after_s * 1000, &room),
    };
    enum status result = run(store, FAIL, parameters, deadline, &rows);
    if (result == STATUS_OK)
        *back_off_ms_r = (int)database_int(rows, 0, 0, 0);
    database_rows_free(rows);
    return result;
}

enum status store_refuse(struct store *store, const char *host, const struct store_claim *claim,
                         const char *reason, struct deadline deadline)
{
    struct database_rows *rows = NULL;
    const struct sql_param parameters[] = {
        sql_param_text(host),
        sql_param_bytes(claim->token, STORE_TOKEN_BYTES),
        sql_param_bytes(claim->digest.bytes, DIGEST_BYTES),
        sql_param_text(reason),
    };
    enum status result = run(store, REFUSE, parameters, deadline, &rows);
    database_rows_free(rows);
    return result;
}

static enum status reseal_one(struct store *store, const struct digest *digest, const struct sealed *old,
                              const struct secret_box *from, const struct secret_box *to,
                              struct deadline deadline, bool *done_r)
{
    char key[KEY_MAX_BYTES + 1];
    struct sealed fresh;
    struct database_rows *rows = NULL;
    *done_r = secret_box_open(from, old, digest, key) == STATUS_OK;
    if (!*done_r)
        return STATUS_OK;
    enum status result = secret_box_seal(to, key, strlen(key), digest, &fresh);
    secret_box_wipe(key, sizeof key);
    const struct sql_param parameters[] = {
        sql_param_bytes(digest->bytes, DIGEST_BYTES),
        sql_param_bytes(fresh.bytes, fresh.len_bytes),
        sql_param_bytes(old->bytes, old->len_bytes),
    };
    if (result == STATUS_OK)
        result = run(store, RESEAL, parameters, deadline, &rows);
    database_rows_free(rows);
    return result;
}

enum status store_reseal(struct store *store, const struct secret_box *from, const struct secret_box *to,
                         struct deadline deadline, size_t *resealed_r, size_t *left_r)
{
    struct database_rows *rows = NULL;
    size_t resealed = 0;
    size_t left = 0;
    enum status result = run(store, KEYS, NULL, deadline, &rows);
    for (size_t i = 0; result == STATUS_OK && i < database_rows_count(rows); i++) {
        struct digest digest;
        struct sealed sealed;
        size_t digest_bytes = 0;
        bool done = false;
        if (!take_bytes(rows, i, 0, digest.bytes, DIGEST_BYTES, &digest_bytes) ||
            digest_bytes != DIGEST_BYTES ||
            !take_bytes(rows, i, 1, sealed.bytes, SEALED_MAX_BYTES, &sealed.len_bytes)) {
            left++;
            continue;
        }
        result = reseal_one(store, &digest, &sealed, from, to, deadline, &done);
        resealed += done;
        left += !done;
    }
    database_rows_free(rows);
    if (result == STATUS_OK) {
        *resealed_r = resealed;
        *left_r = left;
    }
    return result;
}
