#include "store/trend_input.h"

#include "db/array_decode.h"
#include "pages/minute_means.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUARTER_MINUTES = 15,
    MINUTE_MS = 60000,
    ID_BYTES = 12, /* of one number in the text of an array, with its comma */
};

/* Of a row of the window. */
enum column { KIND, TAKEN_AT, ROW_LIMIT, PAGE_IDS, COUNTS, SOURCES, SAMPLES, CUTOFFS, MEANS };

/* Of a page. */
enum page_column { PAGE_ID, PATH, TITLE, SECTIONS, FIRST_SEEN, SINCE };

enum kind { QUARTER, UNROLLED, OTHER };

static const struct statement WINDOW = {
    "upbeat_window",
    "select * from trend_window($1::text, timestamptz 'epoch' + $2::text::bigint * interval '1 us',"
    " $3::text::bigint * interval '1 ms', $4::text::bigint * interval '1 ms')",
    4, false};

static const struct statement PAGES = {"upbeat_window_pages",
                                       "select * from trend_pages($1::text::integer[])", 1, false};

/* The pages of a row: the database's numbers, and then ours. */
struct row_pages {
    int32_t *ids;
    size_t count;
};

/* A hash table by open addressing: the database's page numbers, which are above 0, to ours. A bsearch for
 * each count of each snapshot took a third of the time of a long window. */
struct id_slot {
    int32_t id;     /* 0: free */
    int32_t number; /* below 0: there is no such page any more */
};

struct id_table {
    struct id_slot *slots;
    size_t size; /* a power of two */
    size_t count;
};

struct reading {
    const struct database_rows *rows;
    struct arena *arena;
    struct trend_window window;
    struct row_pages *row_pages; /* by row */
    struct id_table table;
    size_t id_count; /* pages that are there */
    struct trend_minute *minutes;
    size_t minute_count;
    struct trend_sample *samples;
    size_t sample_count;
    struct minutes *unrolled;
    int64_t recent_ms;
};

static struct id_slot *slot_of(const struct id_table *table, int32_t id)
{
    size_t at = (size_t)((uint32_t)id * UINT32_C(2654435769)) & (table->size - 1);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a table without slots has no pages to look for */
    while (table->slots[at].id != 0 && table->slots[at].id != id)
        at = (at + 1) & (table->size - 1);
    return &table->slots[at];
}

static enum status table_resize(struct id_table *table, size_t size, struct arena *arena)
{
    struct id_table larger = {arena_alloc(arena, size * sizeof *larger.slots), size, table->count};
    if (!larger.slots)
        return STATUS_NO_MEMORY;
    memset(larger.slots, 0, size * sizeof *larger.slots);
    for (size_t i = 0; i < table->size; i++) {
        if (table->slots[i].id != 0)
            *slot_of(&larger, table->slots[i].id) = table->slots[i];
    }
    *table = larger;
    return STATUS_OK;
}

static enum status table_add(struct id_table *table, int32_t id, struct arena *arena)
{
    enum { FIRST_SIZE = 1024 };
    if (2 * table->count >= table->size) {
        enum status result = table_resize(table, table->size ? 2 * table->size : FIRST_SIZE, arena);
        if (result != STATUS_OK)
            return result;
    }
    struct id_slot *slot = slot_of(table, id);
    if (slot->id == 0) {
        *slot = (struct id_slot){id, -1};
        table->count++;
    }
    return STATUS_OK;
}

static enum status numbers(const struct reading *r, size_t row, int column, int32_t **items_r,
                           size_t *count_r)
{
    size_t len = 0;
    const char *bytes = database_bytes(r->rows, row, column, &len);
    return array_numbers(bytes, len, r->arena, items_r, count_r);
}

static enum kind kind_of(const struct reading *r, size_t row)
{
    size_t len = 0;
    const char *word = database_bytes(r->rows, row, KIND, &len);
    return word && *word == 'm' ? QUARTER : word && *word == 'u' ? UNROLLED : OTHER;
}

/* Which pages there are, in all rows together. */
static enum status take_ids(struct reading *r)
{
    size_t rows = database_rows_count(r->rows);
    r->row_pages = arena_alloc(r->arena, (rows + 1) * sizeof *r->row_pages);
    enum status result = r->row_pages ? STATUS_OK : STATUS_NO_MEMORY;
    for (size_t row = 0; result == STATUS_OK && row < rows; row++) {
        struct row_pages *pages = &r->row_pages[row];
        result = numbers(r, row, PAGE_IDS, &pages->ids, &pages->count);
        for (size_t i = 0; result == STATUS_OK && i < pages->count; i++)
            result = pages->ids[i] > 0 ? table_add(&r->table, pages->ids[i], r->arena) : STATUS_INVALID;
    }
    return result;
}

static char *write_ids(const struct reading *r)
{
    char *text = arena_alloc(r->arena, r->table.count * ID_BYTES + sizeof "{}");
    size_t len = 0;
    if (!text)
        return NULL;
    text[len++] = '{';
    for (size_t i = 0; i < r->table.size; i++) {
        if (r->table.slots[i].id != 0)
            len += (size_t)snprintf(text + len, ID_BYTES + 1, "%s%" PRId32, len > 1 ? "," : "",
                                    r->table.slots[i].id);
    }
    memcpy(text + len, "}", sizeof "}");
    return text;
}

static void take_text(const struct reading *r, const struct database_rows *rows, size_t row, int column,
                      const char **text_r, uint32_t *len_r)
{
    size_t len = 0;
    const char *bytes = database_bytes(rows, row, column, &len);
    *text_r = arena_copy(r->arena, bytes ? bytes : "", bytes ? len : 0);
    *len_r = (uint32_t)len;
}

/* Our number of a page is its place among the rows. */
static enum status take_pages(struct reading *r, const struct database_rows *rows)
{
    size_t count = database_rows_count(rows);
    r->id_count = count;
    r->window.pages = arena_alloc(r->arena, (count + 1) * sizeof *r->window.pages);
    r->window.paths = arena_alloc(r->arena, (count + 1) * sizeof *r->window.paths);
    if (!r->window.pages || !r->window.paths)
        return STATUS_NO_MEMORY;
    memset(r->window.pages, 0, count * sizeof *r->window.pages);
    for (size_t row = 0; row < count; row++) {
        struct window_page *page = &r->window.pages[row];
        struct id_slot *slot = slot_of(&r->table, (int32_t)database_int(rows, row, PAGE_ID, 0));
        if (slot->id == 0)
            return STATUS_INVALID;
        slot->number = (int32_t)row;
        take_text(r, rows, row, PATH, &page->page.path, &page->page.path_bytes);
        take_text(r, rows, row, TITLE, &page->page.title, &page->page.title_bytes);
        take_text(r, rows, row, SECTIONS, &page->page.sections, &page->page.sections_bytes);
        if (!page->page.path || !page->page.title || !page->page.sections)
            return STATUS_NO_MEMORY;
        page->first_seen = database_time(rows, row, FIRST_SEEN, 0);
        page->since = database_time(rows, row, SINCE, 0);
        r->window.paths[row] = (struct trend_path){page->page.path, page->page.path_bytes};
    }
    return STATUS_OK;
}

/* Puts our numbers in place of the database's in all rows; -1 for a page that is not there any more. */
static void number_rows(struct reading *r)
{
    for (size_t row = 0; row < database_rows_count(r->rows); row++) {
        for (size_t i = 0; i < r->row_pages[row].count; i++)
            r->row_pages[row].ids[i] = slot_of(&r->table, r->row_pages[row].ids[i])->number;
    }
}

static enum status read_pages(struct reading *r, struct database *database, struct deadline deadline)
{
    struct database_rows *rows = NULL;
    enum status result = take_ids(r);
    if (result != STATUS_OK)
        return result;
    if (r->table.count == 0) /* there are no rows either, so that the table need not exist */
        return take_pages(r, NULL);
    const struct sql_param parameter = {.bytes = write_ids(r)};
    if (!parameter.bytes)
        return STATUS_NO_MEMORY;
    result = database_run(database, &PAGES, &parameter, 1, deadline, &rows);
    if (result == STATUS_OK)
        result = take_pages(r, rows);
    if (result == STATUS_OK)
        number_rows(r);
    database_rows_free(rows);
    return result;
}

/* The fifteen minutes of a roll-up. */
static enum status take_quarter(struct reading *r, size_t row)
{
    const int32_t *ids = r->row_pages[row].ids;
    int32_t *samples = NULL;
    int32_t *cutoffs = NULL;
    int32_t *means = NULL;
    size_t counts[4] = {r->row_pages[row].count};
    enum status result = numbers(r, row, SAMPLES, &samples, &counts[1]);
    if (result == STATUS_OK)
        result = numbers(r, row, CUTOFFS, &cutoffs, &counts[2]);
    if (result == STATUS_OK)
        result = numbers(r, row, MEANS, &means, &counts[3]);
    if (result != STATUS_OK)
        return result;
    if (counts[1] != QUARTER_MINUTES || counts[2] != QUARTER_MINUTES ||
        counts[3] != QUARTER_MINUTES * counts[0])
        return STATUS_INVALID;
    int64_t first = database_time(r->rows, row, TAKEN_AT, 0) / (INT64_C(1000) * MINUTE_MS);
    for (size_t at = 0; at < QUARTER_MINUTES; at++) {
        struct trend_minute *minute = &r->minutes[r->minute_count];
        if (samples[at] <= 0)
            continue;
        *minute = (struct trend_minute){first + (int64_t)at, samples[at], cutoffs[at], 0,
                                        arena_alloc(r->arena, (counts[0] + 1) * sizeof(struct trend_entry))};
        if (!minute->entries)
            return STATUS_NO_MEMORY;
        for (size_t i = 0; i < counts[0]; i++) {
            int32_t visitors = means[QUARTER_MINUTES * i + at];
            if (visitors >= 0 && ids[i] >= 0)
                minute->entries[minute->count++] = (struct trend_entry){(uint32_t)ids[i], visitors};
        }
        r->minute_count++;
    }
    return STATUS_OK;
}

static enum status unpack(const struct reading *r, size_t row, int column, size_t count, int32_t **counts_r)
{
    size_t len = 0;
    struct byte_span *planes = NULL;
    size_t plane_count = 0;
    const char *bytes = database_bytes(r->rows, row, column, &len);
    enum status result = array_spans(bytes, len, r->arena, &planes, &plane_count);
    int32_t *counts = arena_alloc(r->arena, (count + 1) * sizeof *counts);
    if (result == STATUS_OK && !counts)
        result = STATUS_NO_MEMORY;
    if (result == STATUS_OK)
        result = array_unpack(planes, plane_count, count, counts);
    if (result == STATUS_OK)
        *counts_r = counts;
    return result;
}

static void add_to_now(struct page_sources *sources, const int32_t five[PAGE_SOURCES])
{
    for (size_t n = 0; n < PAGE_SOURCES; n++)
        sources->now[n] += five[n];
    sources->now_count++;
}

static enum status add_to_before(struct reading *r, int32_t page, int32_t visitors,
                                 const int32_t five[PAGE_SOURCES])
{
    struct source_sample *sample = arena_alloc(r->arena, sizeof *sample);
    if (!sample)
        return STATUS_NO_MEMORY;
    *sample = (struct source_sample){.next = r->window.pages[page].before, .visitors = (uint32_t)visitors};
    for (size_t n = 0; n < PAGE_SOURCES; n++)
        sample->of[n] = (uint32_t)five[n];
    r->window.pages[page].before = sample;
    return STATUS_OK;
}

/* Sources where the snapshot has them; of one without there is nothing to add. */
static enum status take_sources(struct reading *r, size_t row, const int32_t *visitors, bool is_now)
{
    const struct row_pages *pages = &r->row_pages[row];
    int32_t *sources = NULL;
    enum status result = STATUS_OK;
    if (!database_bytes(r->rows, row, SOURCES, &(size_t){0}) ||
        unpack(r, row, SOURCES, pages->count * PAGE_SOURCES, &sources) != STATUS_OK)
        return STATUS_OK;
    for (size_t i = 0; result == STATUS_OK && i < pages->count; i++) {
        int32_t page = pages->ids[i];
        if (page < 0)
            continue;
        if (is_now)
            add_to_now(&r->window.pages[page].sources, &sources[PAGE_SOURCES * i]);
        else
            result = add_to_before(r, page, visitors[i], &sources[PAGE_SOURCES * i]);
    }
    return result;
}

static enum status take_snapshot(struct reading *r, size_t row, bool is_unrolled)
{
    const struct trend_input *in = &r->window.input;
    struct trend_sample *sample = &r->samples[r->sample_count];
    const int32_t *ids = r->row_pages[row].ids;
    size_t count = r->row_pages[row].count;
    int32_t *visitors = NULL;
    enum status result = unpack(r, row, COUNTS, count, &visitors);
    if (result != STATUS_OK)
        return result;
    *sample =
        (struct trend_sample){.at_ms = database_time(r->rows, row, TAKEN_AT, 0) / 1000,
                              .row_limit = (int32_t)database_int(r->rows, row, ROW_LIMIT, 0),
                              .entries = arena_alloc(r->arena, (count + 1) * sizeof(struct trend_entry))};
    if (!sample->entries)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] >= 0)
            sample->entries[sample->count++] = (struct trend_entry){(uint32_t)ids[i], visitors[i]};
    }
    result = take_sources(r, row, visitors, sample->at_ms > in->as_of_ms - r->recent_ms);
    if (result != STATUS_OK)
        return result;
    if (is_unrolled || r->window.input.row_limit == 0)
        r->window.input.row_limit = sample->row_limit;
    r->sample_count++;
    return is_unrolled ? minutes_add(r->unrolled, sample) : STATUS_OK;
}

static enum status take_rows(struct reading *r)
{
    size_t rows = database_rows_count(r->rows);
    r->minutes = arena_alloc(r->arena, (QUARTER_MINUTES * rows + 1) * sizeof *r->minutes);
    r->samples = arena_alloc(r->arena, (rows + 1) * sizeof *r->samples);
    enum status result = r->minutes && r->samples ? STATUS_OK : STATUS_NO_MEMORY;
    for (size_t row = 0; result == STATUS_OK && row < rows; row++) {
        enum kind kind = kind_of(r, row);
        result = kind == QUARTER ? take_quarter(r, row) : take_snapshot(r, row, kind == UNROLLED);
    }
    return result;
}

/* The minutes of the roll-ups, then those that are not rolled up yet. */
static enum status join_minutes(struct reading *r)
{
    size_t count = 0;
    enum status result = minutes_end(r->unrolled);
    const struct trend_minute *list = minutes_list(r->unrolled, &count);
    struct trend_minute *all = arena_alloc(r->arena, (r->minute_count + count + 1) * sizeof *all);
    if (result != STATUS_OK || !all)
        return STATUS_NO_MEMORY;
    memcpy(all, r->minutes, r->minute_count * sizeof *all);
    for (size_t i = 0; i < count; i++) {
        struct trend_minute *minute = &all[r->minute_count + i];
        *minute = list[i];
        minute->entries = arena_alloc(r->arena, (minute->count + 1) * sizeof *minute->entries);
        if (!minute->entries)
            return STATUS_NO_MEMORY;
        memcpy(minute->entries, list[i].entries, minute->count * sizeof *minute->entries);
    }
    struct trend_input *in = &r->window.input;
    in->minutes = all;
    in->minute_count = r->minute_count + count;
    in->samples = r->samples;
    in->sample_count = r->sample_count;
    in->page_count = r->id_count;
    for (size_t i = 0; i < r->id_count; i++) {
        struct page_sources *of = &r->window.pages[i].sources;
        for (size_t n = 0; n < PAGE_SOURCES; n++)
            of->now[n] /= of->now_count > 0 ? of->now_count : 1;
    }
    return STATUS_OK;
}

enum status trend_input_read(struct database *database, const char *host, time_us as_of, int64_t window_ms,
                             struct arena *arena, struct deadline deadline, struct trend_window *window_r)
{
    char words[3][24];
    struct database_rows *rows = NULL;
    struct reading r = {.arena = arena, .recent_ms = trend_recent_ms(window_ms)};
    snprintf(words[0], sizeof words[0], "%" PRId64, as_of);
    snprintf(words[1], sizeof words[1], "%" PRId64, window_ms);
    snprintf(words[2], sizeof words[2], "%" PRId64, r.recent_ms);
    const struct sql_param parameters[] = {
        {.bytes = host}, {.bytes = words[0]}, {.bytes = words[1]}, {.bytes = words[2]}};
    enum status result = database_run(database, &WINDOW, parameters, 1, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    r.rows = rows;
    r.window.input.as_of_ms = as_of / 1000;
    r.window.input.window_ms = window_ms;
    r.unrolled = minutes_new();
    result = r.unrolled ? read_pages(&r, database, deadline) : STATUS_NO_MEMORY;
    if (result == STATUS_OK)
        result = take_rows(&r);
    if (result == STATUS_OK)
        result = join_minutes(&r);
    minutes_free(r.unrolled);
    database_rows_free(rows);
    if (result == STATUS_OK)
        *window_r = r.window;
    return result;
}
