#include "store/maintenance.h"

#include "db/sql_param.h"
#include "store/roles.h"

struct maintenance {
    struct database *database;
};

enum { DUE, ROLL_UP, MAINTAIN, FORGET };

static const struct statement STATEMENTS[] = {
    [DUE] = {DUE, "upbeat_due",
             "select host, case when due_at > '-infinity' then"
             " (extract(epoch from clock_timestamp() - due_at) * 1000)::bigint else -1 end,"
             " (extract(epoch from every) * 1000)::bigint from due_hosts(1000000, interval '0', $1::text)",
             1, false},
    [ROLL_UP] = {ROLL_UP, "upbeat_roll_up", "select roll_up($1::integer)", 1, true},
    [MAINTAIN] = {MAINTAIN, "upbeat_maintain",
                  "select maintain_history($1::integer, $2::integer, $3::integer)", 3, true},
    [FORGET] = {FORGET, "upbeat_forget",
                "select forget_pages($1::integer, $2::integer, $3::integer, $4::integer)", 4, true},
};

enum status maintenance_new(struct maintenance **history_r, const char *conninfo, bool prepare)
{
    struct maintenance *history = calloc(1, sizeof *history);
    if (!history)
        return STATUS_NO_MEMORY;
    enum status result = database_new(&history->database, conninfo, ROLE_HISTORY, prepare);
    if (result == STATUS_OK)
        *history_r = history;
    else
        free(history);
    return result;
}

void maintenance_free(struct maintenance *history)
{
    if (!history)
        return;
    database_free(history->database);
    free(history);
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

enum status maintenance_due(struct maintenance *history, const char *host, struct arena *arena,
                            struct deadline deadline, struct due_list *list_r)
{
    struct database_rows *rows = NULL;
    const struct sql_param parameters[] = {sql_param_text(host)};
    enum status result = database_run(history->database, &STATEMENTS[DUE], parameters, 1, deadline, &rows);
    if (result == STATUS_OK)
        result = take_due(rows, arena, list_r);
    database_rows_free(rows);
    return result;
}

static enum status run_count(struct maintenance *history, int number, const struct sql_param *parameters,
                             struct deadline deadline, int *done_r)
{
    struct database_rows *rows = NULL;
    enum status result = database_run(history->database, &STATEMENTS[number], parameters, 1, deadline, &rows);
    if (result == STATUS_OK)
        *done_r = (int)database_int(rows, 0, 0, 0);
    database_rows_free(rows);
    return result;
}

enum status maintenance_roll_up(struct maintenance *history, struct deadline deadline, int *done_r)
{
    union sql_param_storage room;
    const struct sql_param hosts = sql_param_int(HISTORY_ROLL_UP_HOSTS, &room);
    return run_count(history, ROLL_UP, &hosts, deadline, done_r);
}

enum status maintenance_maintain(struct maintenance *history, const struct maintenance_periods *periods,
                                 struct deadline deadline, int *done_r)
{
    union sql_param_storage rooms[3];
    const struct sql_param parameters[] = {
        sql_param_int(periods->raw_hours, &rooms[0]),
        sql_param_int(periods->minute_days, &rooms[1]),
        sql_param_int(periods->quarter_months, &rooms[2]),
    };
    int all = 0;
    int done = 1;
    enum status result = STATUS_OK;
    while (result == STATUS_OK && done > 0) {
        result = run_count(history, MAINTAIN, parameters, deadline, &done);
        all += result == STATUS_OK ? done : 0;
    }
    if (result == STATUS_OK)
        *done_r = all;
    return result;
}

enum status maintenance_forget(struct maintenance *history, const struct maintenance_periods *periods,
                               struct deadline deadline, int *done_r)
{
    union sql_param_storage rooms[4];
    const struct sql_param parameters[] = {
        sql_param_int(periods->raw_hours, &rooms[0]),
        sql_param_int(periods->minute_days, &rooms[1]),
        sql_param_int(periods->quarter_months, &rooms[2]),
        sql_param_int(HISTORY_FORGET_PAGES, &rooms[3]),
    };
    return run_count(history, FORGET, parameters, deadline, done_r);
}
