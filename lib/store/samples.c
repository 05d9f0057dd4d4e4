#include "store/samples.h"

#include <inttypes.h>

static const struct statement SPAN = {"upbeat_samples_span",
                                      "select (extract(epoch from min(taken_at)) * 1000)::bigint, "
                                      "(extract(epoch from max(taken_at)) * 1000)::bigint"
                                      " from snapshots where host = $1::text",
                                      1, false};

static const struct statement READ = {
    "upbeat_samples",
    "select (extract(epoch from s.taken_at) * 1000)::bigint, p.path, n.visitors"
    ", a.five[5 * n.rank - 4], a.five[5 * n.rank - 3], a.five[5 * n.rank - 2], a.five[5 * n.rank - 1],"
    " a.five[5 * n.rank]"
    " from snapshots s cross join lateral unnest(s.page_ids, unpack_counts(s.visitors))"
    " with ordinality n (page_id, visitors, rank) cross join lateral (select unpack_counts(s.sources) as "
    "five) a"
    " join pages p on p.page_id = n.page_id"
    " where s.host = $1::text and s.taken_at >= timestamptz 'epoch' + $2::text::bigint * interval '1 ms'"
    " and s.taken_at < timestamptz 'epoch' + $3::text::bigint * interval '1 ms' order by s.taken_at, "
    "n.visitors desc, p.path",
    3, false};

enum status samples_span(struct database *database, const char *host, struct deadline deadline,
                         int64_t *first_ms_r, int64_t *last_ms_r)
{
    const struct sql_param parameters[] = {{.bytes = host}};
    struct database_rows *rows = NULL;
    enum status result = database_run(database, &SPAN, parameters, 1, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    *first_ms_r = database_int(rows, 0, 0, -1);
    *last_ms_r = database_int(rows, 0, 1, -1);
    database_rows_free(rows);
    return STATUS_OK;
}

enum status samples_read(struct database *database, const char *host, int64_t from_ms, int64_t to_ms,
                         struct deadline deadline, struct database_rows **rows_r)
{
    char from[24];
    char to[24];
    snprintf(from, sizeof from, "%" PRId64, from_ms);
    snprintf(to, sizeof to, "%" PRId64, to_ms);
    const struct sql_param parameters[] = {{.bytes = host}, {.bytes = from}, {.bytes = to}};
    return database_run(database, &READ, parameters, 1, deadline, rows_r);
}

struct sample_row samples_row(const struct database_rows *rows, size_t number)
{
    struct sample_row row = {.at_ms = database_int(rows, number, 0, 0),
                             .visitors = database_int(rows, number, 2, 0),
                             .has_sources = database_int(rows, number, 3, -1) >= 0};
    for (int i = 0; i < PAGE_SOURCES && row.has_sources; i++)
        row.sources[i] = (uint32_t)database_int(rows, number, 3 + i, 0);
    row.path = database_bytes(rows, number, 1, &row.path_bytes);
    return row;
}
