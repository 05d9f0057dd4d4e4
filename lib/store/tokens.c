#include "store/tokens.h"

#include "db/sql_param.h"

enum { COUNT_STEP_MS = 700 }; /* as of all that the fetcher waits for, see lease.h */

enum { ADD, REVOKE, ROTATE, READ, COUNT, REMOVE_KEYS };

static const struct statement STATEMENTS[] = {
    [ADD] = {"upbeat_add_token",
             "select add_token($1::bytea, string_to_array($2::text, ','), $3::text, $4::integer,"
             " string_to_array($5::text, ','), string_to_array($6::text, ','), $7::timestamptz, $8::text)",
             8, true},
    [REVOKE] = {"upbeat_revoke_token", "select revoke_token($1::integer)", 1, true},
    [ROTATE] = {"upbeat_rotate_token",
                "select rotate_token($1::integer, $2::bytea, $3::text::bigint * interval '1 ms')", 3, true},
    [READ] = {"upbeat_tokens",
              "select id::text, state, may, array_to_string(hosts, ','), row_limit::text,"
              " array_to_string(fields, ','), array_to_string(origins, ','),"
              " to_char(created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI\"Z\"'),"
              " to_char(valid_until at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI\"Z\"'),"
              " to_char(revoked_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI\"Z\"'), replaces::text,"
              " to_char(last_used_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI\"Z\"'), requests::text, note"
              " from tokens where id = $1::integer or $1::integer = 0 order by id",
              1, false},
    /* A crash may lose some: it need not wait for the disk. */
    [COUNT] = {"upbeat_count_token",
               "select count_token($1::integer, $2::integer), set_config('synchronous_commit', 'off', true)",
               2, true},
    [REMOVE_KEYS] = {"upbeat_remove_keys", "select remove_keys($1::text)", 1, true},
};

/* A statement that gives one number, which is SQL's null where there is no such token. */
static enum status run(struct database *database, int number, const struct sql_param *parameters,
                       struct deadline deadline, int *number_r)
{
    struct database_rows *rows = NULL;
    size_t unused = 0;
    enum status result = database_run(database, &STATEMENTS[number], parameters, 1, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    if (!database_bytes(rows, 0, 0, &unused))
        result = STATUS_INVALID;
    else if (number_r)
        *number_r = (int)database_int(rows, 0, 0, 0);
    database_rows_free(rows);
    return result;
}

enum status tokens_add(struct database *database, const struct token_grant *grant, struct deadline deadline,
                       int *id_r)
{
    union sql_param_storage row_limit;
    union sql_param_storage until;
    const struct sql_param parameters[] = {
        sql_param_bytes(grant->digest.bytes, DIGEST_BYTES),
        sql_param_text(grant->hosts),
        sql_param_text(grant->may),
        grant->row_limit ? sql_param_int(grant->row_limit, &row_limit) : (struct sql_param){0},
        sql_param_text(grant->fields),
        sql_param_text(grant->origins),
        grant->until ? sql_param_time(grant->until, &until) : (struct sql_param){0},
        sql_param_text(grant->note),
    };
    return run(database, ADD, parameters, deadline, id_r);
}

enum status tokens_revoke(struct database *database, int id, struct deadline deadline)
{
    union sql_param_storage room;
    const struct sql_param parameters[] = {sql_param_int(id, &room)};
    return run(database, REVOKE, parameters, deadline, NULL);
}

enum status tokens_rotate(struct database *database, int id, const struct digest *digest, int64_t overlap_ms,
                          struct deadline deadline, int *id_r)
{
    union sql_param_storage room;
    char overlap[24];
    snprintf(overlap, sizeof overlap, "%lld", (long long)overlap_ms);
    const struct sql_param parameters[] = {
        sql_param_int(id, &room), sql_param_bytes(digest->bytes, DIGEST_BYTES), sql_param_text(overlap)};
    return run(database, ROTATE, parameters, deadline, id_r);
}

enum status tokens_read(struct database *database, int id, struct deadline deadline,
                        struct database_rows **rows_r)
{
    union sql_param_storage room;
    struct database_rows *rows = NULL;
    const struct sql_param parameters[] = {sql_param_int(id, &room)};
    enum status result = database_run(database, &STATEMENTS[READ], parameters, 1, deadline, &rows);
    if (result == STATUS_OK && id != 0 && database_rows_count(rows) == 0) {
        database_rows_free(rows);
        result = STATUS_INVALID;
    }
    if (result == STATUS_OK)
        *rows_r = rows;
    return result;
}

enum status tokens_count(struct database *database, const int *ids, const int *requests, size_t count,
                         struct deadline deadline)
{
    struct sql_param parameters[2 * TOKENS_BATCH];
    union sql_param_storage rooms[2 * TOKENS_BATCH];
    struct database_rows *rows[TOKENS_BATCH] = {0};
    for (size_t i = 0; i < count; i++) {
        parameters[2 * i] = sql_param_int(ids[i], &rooms[2 * i]);
        parameters[2 * i + 1] = sql_param_int(requests[i], &rooms[2 * i + 1]);
    }
    enum status result = database_run(database, &STATEMENTS[COUNT], parameters, count,
                                      deadline_within(deadline, COUNT_STEP_MS), rows);
    for (size_t i = 0; i < count; i++)
        database_rows_free(rows[i]);
    return result;
}

enum status tokens_remove_keys(struct database *database, const char *host, struct deadline deadline,
                               int *removed_r)
{
    const struct sql_param parameters[] = {sql_param_text(host)};
    return run(database, REMOVE_KEYS, parameters, deadline, removed_r);
}
