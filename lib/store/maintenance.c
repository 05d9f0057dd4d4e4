#include "store/maintenance.h"

#include "db/sql_param.h"
#include "store/roles.h"

struct maintenance {
    struct database *database;
};

enum { ROLL_UP, MAINTAIN, FORGET };

static const struct statement STATEMENTS[] = {
    [ROLL_UP] = {"upbeat_roll_up", "select roll_up($1::integer)", 1, true},
    [MAINTAIN] = {"upbeat_maintain", "select maintain_history($1::integer, $2::integer, $3::integer)", 3,
                  true},
    [FORGET] = {"upbeat_forget", "select forget_pages($1::integer, $2::integer, $3::integer, $4::integer)", 4,
                true},
};

enum status maintenance_new(struct maintenance **maintenance_r, const char *conninfo, bool prepare)
{
    struct maintenance *maintenance = calloc(1, sizeof *maintenance);
    if (!maintenance)
        return STATUS_NO_MEMORY;
    enum status result = database_new(&maintenance->database, conninfo, ROLE_HISTORY, prepare);
    if (result == STATUS_OK)
        *maintenance_r = maintenance;
    else
        free(maintenance);
    return result;
}

void maintenance_free(struct maintenance *maintenance)
{
    if (!maintenance)
        return;
    database_free(maintenance->database);
    free(maintenance);
}

static enum status run_count(struct maintenance *maintenance, int number, const struct sql_param *parameters,
                             struct deadline deadline, int *done_r)
{
    struct database_rows *rows = NULL;
    enum status result =
        database_run(maintenance->database, &STATEMENTS[number], parameters, 1, deadline, &rows);
    if (result == STATUS_OK)
        *done_r = (int)database_int(rows, 0, 0, 0);
    database_rows_free(rows);
    return result;
}

enum status maintenance_roll_up(struct maintenance *maintenance, struct deadline deadline, int *done_r)
{
    union sql_param_storage room;
    const struct sql_param hosts = sql_param_int(MAINTENANCE_ROLL_UP_HOSTS, &room);
    return run_count(maintenance, ROLL_UP, &hosts, deadline, done_r);
}

enum status maintenance_maintain(struct maintenance *maintenance, const struct maintenance_periods *periods,
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
        result = run_count(maintenance, MAINTAIN, parameters, deadline, &done);
        all += result == STATUS_OK ? done : 0;
    }
    if (result == STATUS_OK)
        *done_r = all;
    return result;
}

enum status maintenance_forget(struct maintenance *maintenance, const struct maintenance_periods *periods,
                               struct deadline deadline, int *done_r)
{
    union sql_param_storage rooms[4];
    const struct sql_param parameters[] = {
        sql_param_int(periods->raw_hours, &rooms[0]),
        sql_param_int(periods->minute_days, &rooms[1]),
        sql_param_int(periods->quarter_months, &rooms[2]),
        sql_param_int(MAINTENANCE_FORGET_PAGES, &rooms[3]),
    };
    return run_count(maintenance, FORGET, parameters, deadline, done_r);
}
