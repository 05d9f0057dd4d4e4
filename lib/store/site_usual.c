#include "store/site_usual.h"

static const struct statement USUAL = {
    "upbeat_site_usual",
    "select (100 * usual)::bigint, (100 * usual_low)::bigint, (100 * usual_high)::bigint"
    " from page_usual($1::text, null, zone_of($1::text, null)) where usual is not null",
    1, false};

enum status site_usual_read(struct database *database, const char *host, struct deadline deadline,
                            struct site_usual *usual_r)
{
    const struct sql_param parameters[] = {{.bytes = host}};
    struct database_rows *rows = NULL;
    enum status result = database_run(database, &USUAL, parameters, 1, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    struct site_usual usual = {.is_known = database_rows_count(rows) > 0};
    if (usual.is_known) {
        usual.usual = (double)database_int(rows, 0, 0, 0) / 100;
        usual.low = (double)database_int(rows, 0, 1, 0) / 100;
        usual.high = (double)database_int(rows, 0, 2, 0) / 100;
    }
    database_rows_free(rows);
    *usual_r = usual;
    return STATUS_OK;
}
