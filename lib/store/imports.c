#include "store/imports.h"

#include "store/page_columns.h"

#include <inttypes.h>
#include <stdio.h>

static const struct statement QUARTER = {
    "upbeat_import_quarter",
    "select import_quarter($1::text, timestamptz 'epoch' + $2::text::bigint * interval '1 ms', $3::text[],"
    " $4::text[], $5::text[], $6::text::integer[], $7::text::integer[], $8::text::boolean, $9::text::boolean,"
    " $10::text::integer, $11::text::bigint[], $12::text::integer[], $13::text::integer[],"
    " $14::text::integer[], $15::text::integer[])",
    15, true};

void imports_put(struct buffer *list, int64_t number)
{
    buffer_append_char(list, list->len_bytes == 0 ? '{' : ',');
    buffer_append_int(list, number);
}

/* Ends the lists and the columns, which then are texts. */
static enum status end_texts(struct buffer *lists, struct page_columns *columns)
{
    enum status result = STATUS_OK;
    for (int k = COLUMN_PATHS; k < COLUMNS; k++)
        buffer_append_char(&columns->of[k], '\0');
    for (int k = 0; k < IMPORT_LITERALS; k++) {
        bool is_empty = lists[k].len_bytes == 0;
        buffer_append(&lists[k], is_empty ? "{}" : "}", is_empty ? 3 : 2);
        if (result == STATUS_OK)
            result = lists[k].status;
    }
    return result;
}

static enum status run(struct database *database, const struct import_quarter *quarter,
                       const struct page_columns *columns, struct deadline deadline, bool *is_done_r)
{
    char slot[24];
    char row_limit[16];
    const struct buffer *lists = quarter->literals;
    struct database_rows *rows = NULL;
    snprintf(slot, sizeof slot, "%" PRId64, quarter->slot_ms);
    snprintf(row_limit, sizeof row_limit, "%" PRId32, quarter->row_limit);
    const struct sql_param parameters[] = {
        {.bytes = quarter->host},
        {.bytes = slot},
        {.bytes = columns->of[COLUMN_PATHS].data},
        {.bytes = columns->of[COLUMN_TITLES].data},
        {.bytes = columns->of[COLUMN_SECTIONS].data},
        {.bytes = quarter->is_over ? lists[IMPORT_MINUTES].data : NULL},
        {.bytes = lists[IMPORT_VISITORS].data},
        {.bytes = quarter->keeps_minutes ? "t" : "f"},
        {.bytes = quarter->replaces ? "t" : "f"},
        {.bytes = row_limit},
        {.bytes = lists[IMPORT_TAKEN_AT].data},
        {.bytes = lists[IMPORT_COUNTS].data},
        {.bytes = lists[IMPORT_PLACES].data},
        {.bytes = lists[IMPORT_LISTED].data},
        {.bytes = lists[IMPORT_SOURCES].data},
    };
    enum status result = database_run(database, &QUARTER, parameters, 1, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    *is_done_r = database_bool(rows, 0, 0);
    database_rows_free(rows);
    return STATUS_OK;
}

enum status imports_store(struct database *database, const struct import_quarter *quarter,
                          struct deadline deadline, bool *is_done_r)
{
    struct page_columns columns;
    enum status result = page_columns_encode(&quarter->pages, &columns);
    if (result == STATUS_OK)
        result = end_texts(quarter->literals, &columns);
    if (result == STATUS_OK)
        result = run(database, quarter, &columns, deadline, is_done_r);
    page_columns_release(&columns);
    return result;
}
