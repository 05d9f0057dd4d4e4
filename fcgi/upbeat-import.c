/* Recorded samples into the database: the minutes of the last day, and quarters of an hour of what is older.
 */
#include "import_options.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/settings.h"
#include "db/database.h"
#include "pages/minute_means.h"
#include "pages/page_index.h"
#include "pages/page_list.h"
#include "pages/page_path.h"
#include "pages/recording.h"
#include "pages/trend_model.h"
#include "store/imports.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MINUTE_MS = 60000,
    QUARTER_MINUTES = 15,
    QUARTER_MS = QUARTER_MINUTES * MINUTE_MS,
    MINUTES_SINCE_MS = 86400000, /* so old, and what is kept of a quarter is its roll-up alone */
    RAW_SINCE_MS = 7200000,      /* so old, and a sample is no longer kept as it is, too */
    GRACE_MS = 30000,            /* of roll_up(): a quarter is over so long after its end */
    SAMPLE_MAX = IMPORT_SAMPLE_MAX,
    QUARTER_MAX_BYTES = 256 * 1024 * 1024,
    NUMBERS_MAX_BYTES = 64 * 1024 * 1024,
    STATEMENT_MS = 60000,
    PROGRESS_MS = 250,
};

/* A page of the quarter. */
struct known {
    struct page page; /* first: what the index hands out */
    uint32_t number;
    int64_t last_at_ms; /* of the newest sample that lists it */
    size_t entry;       /* its place in that sample */
};

/* A row of a sample. */
struct listed {
    uint32_t number; /* of the page */
    int32_t visitors;
    uint32_t sources[PAGE_SOURCES];
};

/* A sample that is kept as it is. */
struct raw {
    struct raw *next;
    int64_t at_ms;
    size_t count;
    struct listed *rows;
};

struct import {
    struct import_options options;
    struct database *database;
    int64_t now_ms;
    uint64_t line;

    int64_t slot_ms;    /* of the quarter that is being read; -1: none yet */
    struct arena arena; /* its pages */
    struct page_index *index;
    struct page *pages; /* by number */
    size_t page_count, page_capacity;
    struct minutes *minutes;
    int64_t totals[QUARTER_MINUTES]; /* visitors of all samples of a minute */

    struct trend_sample sample; /* that is being read */
    bool has_sample;
    struct trend_entry *entries;
    struct listed *listed;
    struct raw *raws; /* of the quarter, in order of time */
    struct raw **raws_end;

    uint64_t rows, quarters;
    off_t bytes, size_bytes; /* read, and in all; 0: not a file */
    int64_t began_ms, said_ms;
};

/* --- The database ------------------------------------------------------------------------------------------
 */

/* The minutes of the quarter, in the form of imports.h. */
static enum status put_minutes(struct import *in, struct buffer *literals)
{
    int32_t figures[3 * QUARTER_MINUTES] = {0};
    size_t count = 0;
    size_t cells = in->page_count * QUARTER_MINUTES;
    int32_t *visitors = malloc((cells + 1) * sizeof *visitors);
    if (!visitors || minutes_end(in->minutes) != STATUS_OK) {
        free(visitors);
        return STATUS_NO_MEMORY;
    }
    memset(visitors, 0xff, cells * sizeof *visitors); /* -1: not listed */
    const struct trend_minute *minutes = minutes_list(in->minutes, &count);
    for (size_t i = 0; i < count; i++) {
        size_t at = (size_t)(minutes[i].minute - in->slot_ms / MINUTE_MS);
        figures[at] = minutes[i].samples;
        figures[QUARTER_MINUTES + at] = minutes[i].cutoff;
        figures[QUARTER_MINUTES + QUARTER_MINUTES + at] = trend_mean(in->totals[at], 0, minutes[i].samples);
        for (size_t k = 0; k < minutes[i].count; k++)
            visitors[(size_t)minutes[i].entries[k].page * QUARTER_MINUTES + at] =
                minutes[i].entries[k].visitors;
    }
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        imports_put(&literals[IMPORT_MINUTES], figures[i]);
    for (size_t i = 0; i < cells; i++)
        imports_put(&literals[IMPORT_VISITORS], visitors[i]);
    free(visitors);
    return STATUS_OK;
}

static int by_visitors(const void *left, const void *right, void *context)
{
    const struct listed *a = left;
    const struct listed *b = right;
    const struct page *pages = context;
    return a->visitors != b->visitors ? (a->visitors < b->visitors ? 1 : -1)
                                      : pages_compare_path(&pages[a->number], &pages[b->number]);
}

static void put_raws(struct import *in, struct buffer *literals)
{
    for (struct raw *raw = in->raws; raw; raw = raw->next) {
        if (raw->count > 1)
            qsort_r(raw->rows, raw->count, sizeof *raw->rows, by_visitors, in->pages);
        imports_put(&literals[IMPORT_TAKEN_AT], raw->at_ms);
        imports_put(&literals[IMPORT_COUNTS], (int64_t)raw->count);
        for (size_t i = 0; i < raw->count; i++) {
            imports_put(&literals[IMPORT_PLACES], raw->rows[i].number);
            imports_put(&literals[IMPORT_LISTED], raw->rows[i].visitors);
            for (int k = 0; k < PAGE_SOURCES; k++)
                imports_put(&literals[IMPORT_SOURCES], raw->rows[i].sources[k]);
        }
    }
}

static const char *store_quarter(struct import *in, bool is_over)
{
    struct buffer literals[IMPORT_LITERALS];
    const struct import_quarter quarter = {
        .host = in->options.host,
        .slot_ms = in->slot_ms,
        .pages = {in->pages, in->page_count},
        .literals = literals,
        .row_limit = in->options.row_limit,
        .is_over = is_over,
        .keeps_minutes = in->slot_ms >= in->now_ms - MINUTES_SINCE_MS,
        .replaces = in->options.replaces,
    };
    bool is_done = false;
    for (int k = 0; k < IMPORT_LITERALS; k++)
        buffer_init(&literals[k], NUMBERS_MAX_BYTES);
    enum status result = is_over ? put_minutes(in, literals) : STATUS_OK;
    put_raws(in, literals);
    if (result == STATUS_OK)
        result = imports_store(in->database, &quarter, deadline_in(STATEMENT_MS), &is_done);
    for (int k = 0; k < IMPORT_LITERALS; k++)
        buffer_release(&literals[k]);
    if (result == STATUS_NO_MEMORY || result == STATUS_TOO_LARGE)
        return "the quarter of an hour before this line is too large";
    if (result != STATUS_OK)
        return "the database can't be written to";
    in->quarters++;
    return is_done
               ? NULL
               : "the quarter of an hour before this line is there already, with other data; --replace puts "
                 "these in their place";
}

/* --- Samples -----------------------------------------------------------------------------------------------
 */

static const char *begin_quarter(struct import *in, int64_t slot_ms)
{
    const struct page_list none = {0};
    minutes_free(in->minutes);
    page_index_free(in->index);
    arena_clear(&in->arena);
    in->minutes = minutes_new();
    in->index = page_index_new(&none, &in->arena);
    in->page_count = 0;
    in->raws = NULL;
    in->raws_end = &in->raws;
    in->slot_ms = slot_ms;
    memset(in->totals, 0, sizeof in->totals);
    return in->minutes && in->index ? NULL : "out of memory";
}

/* Keeps the sample that has ended until the quarter has. */
static const char *keep_raw(struct import *in)
{
    size_t bytes = in->sample.count * sizeof *in->listed;
    struct raw *raw = arena_alloc(&in->arena, sizeof *raw);
    struct listed *rows = arena_alloc(&in->arena, bytes + 1);
    if (!raw || !rows)
        return "out of memory";
    if (bytes > 0)
        memcpy(rows, in->listed, bytes);
    *raw = (struct raw){.at_ms = in->sample.at_ms, .count = in->sample.count, .rows = rows};
    *in->raws_end = raw;
    in->raws_end = &raw->next;
    return NULL;
}

static const char *end_sample(struct import *in)
{
    if (!in->has_sample)
        return NULL;
    in->has_sample = false;
    in->sample.entries = in->entries;
    if (minutes_add(in->minutes, &in->sample) != STATUS_OK)
        return "out of memory";
    int64_t *total = &in->totals[(in->sample.at_ms - in->slot_ms) / MINUTE_MS];
    for (size_t i = 0; i < in->sample.count; i++)
        *total += in->entries[i].visitors;
    return in->sample.at_ms >= in->now_ms - RAW_SINCE_MS ? keep_raw(in) : NULL;
}

/* Of a quarter that is not over only the samples as they are count: the service rolls them up with its own.
 */
static const char *end_quarter(struct import *in)
{
    const char *why = end_sample(in);
    return why || in->slot_ms < 0 ? why
                                  : store_quarter(in, in->slot_ms + QUARTER_MS + GRACE_MS <= in->now_ms);
}

/* Copies what a page is called; a title that is left out in one row is taken from another of the quarter. */
static bool describe(struct import *in, struct page *page, const struct recording_row *row)
{
    size_t title_bytes = row->title_bytes < TITLE_MAX_BYTES ? row->title_bytes : TITLE_MAX_BYTES;
    while (title_bytes > 0 && title_bytes < row->title_bytes &&
           ((unsigned char)row->title[title_bytes] & 0xc0) == 0x80)
        title_bytes--;
    bool is_told = title_bytes > 0 &&
                   (title_bytes != page->title_bytes || memcmp(page->title, row->title, title_bytes) != 0);
    if (is_told || !page->title) {
        page->title = arena_copy(&in->arena, row->title, title_bytes);
        page->title_bytes = (uint32_t)title_bytes;
    }
    if (page->sections && (page->sections_bytes > 0 || row->sections_bytes == 0))
        return page->title != NULL;
    size_t sections_bytes = row->sections_bytes <= SECTIONS_MAX_BYTES ? row->sections_bytes : 0;
    char *sections = arena_copy(&in->arena, row->sections, sections_bytes);
    for (size_t i = 0; sections && i < sections_bytes; i++) {
        if (sections[i] == '|')
            sections[i] = SECTION_SEPARATOR;
    }
    page->sections = sections;
    page->sections_bytes = (uint32_t)sections_bytes;
    return page->title && sections;
}

static struct known *know(struct import *in, const struct recording_row *row)
{
    const struct page wanted = {.path = row->path, .path_bytes = (uint32_t)row->path_bytes};
    struct page *page = page_index_find(in->index, &wanted);
    if (page)
        return (struct known *)(void *)page;
    if (in->page_count == in->page_capacity) {
        size_t capacity = 2 * in->page_capacity + 1024;
        struct page *pages = realloc(in->pages, capacity * sizeof *pages);
        if (!pages)
            return NULL;
        in->pages = pages;
        in->page_capacity = capacity;
    }
    struct known *known = arena_alloc(&in->arena, sizeof *known);
    char *path = arena_copy(&in->arena, row->path, row->path_bytes);
    if (!known || !path)
        return NULL;
    *known = (struct known){.page = {.path = path, .path_bytes = (uint32_t)row->path_bytes},
                            .number = (uint32_t)in->page_count,
                            .last_at_ms = -1};
    if (!page_index_add(in->index, &known->page))
        return NULL;
    in->page_count++;
    return known;
}

/* Another spelling of a page that the sample lists already: they are added up, as the service does. */
static void add_up(struct listed *sum, const struct listed *more)
{
    int64_t visitors = (int64_t)sum->visitors + more->visitors;
    sum->visitors = (int32_t)(visitors < TREND_HUNDREDTHS_MAX / 100 ? visitors : TREND_HUNDREDTHS_MAX / 100);
    for (int k = 0; k < PAGE_SOURCES; k++)
        sum->sources[k] += more->sources[k];
}

static const char *add_row(struct import *in, const struct recording_row *given)
{
    const struct page_path_rules rules = {in->options.host, settings_drop_parameters()};
    char path[PATH_MAX_BYTES];
    struct recording_row spelled = *given;
    const struct recording_row *row = &spelled;
    const char *why = NULL;
    spelled.path = path;
    if (page_path_normal(given->path, given->path_bytes, &rules, path, &spelled.path_bytes) != STATUS_OK)
        return "the path has over 2000 bytes once it is percent-encoded";
    struct listed listed = {.visitors = row->visitors};
    if (in->has_sample && row->at_ms < in->sample.at_ms)
        return "t_ms is smaller than in the line before";
    if (row->at_ms > in->now_ms)
        return "t_ms is in the future";
    if (!in->has_sample || row->at_ms > in->sample.at_ms) {
        int64_t slot_ms = row->at_ms / QUARTER_MS * QUARTER_MS;
        why = slot_ms == in->slot_ms ? end_sample(in) : end_quarter(in);
        if (!why && slot_ms != in->slot_ms)
            why = begin_quarter(in, slot_ms);
        in->sample = (struct trend_sample){.at_ms = row->at_ms, .row_limit = in->options.row_limit};
        in->has_sample = true;
    }
    if (why)
        return why;
    if (in->sample.count == SAMPLE_MAX)
        return "over 100000 rows in one sample";
    if (!recording_sources(row, listed.sources))
        return "sources must be five numbers with commas between them: search, social, links, direct, "
               "internal";
    struct known *known = know(in, row);
    if (!known || !describe(in, &known->page, row))
        return "out of memory";
    in->pages[known->number] = known->page;
    in->rows++;
    if (known->last_at_ms == row->at_ms) {
        add_up(&in->listed[known->entry], &listed);
        in->entries[known->entry].visitors = in->listed[known->entry].visitors;
        return NULL;
    }
    known->last_at_ms = row->at_ms;
    known->entry = in->sample.count;
    listed.number = known->number;
    in->listed[in->sample.count] = listed;
    in->entries[in->sample.count++] = (struct trend_entry){known->number, row->visitors};
    return NULL;
}

/* --- Main --------------------------------------------------------------------------------------------------
 */

static void say_progress(struct import *in, bool is_end)
{
    int64_t now_ms = clock_wall_ms();
    if (!isatty(STDERR_FILENO) || (!is_end && now_ms - in->said_ms < PROGRESS_MS))
        return;
    in->said_ms = now_ms;
    fprintf(stderr, "\r%" PRIu64 " rows, %" PRIu64 " quarters of an hour", in->rows, in->quarters);
    if (in->size_bytes > 0 && in->bytes > 0) {
        double share = (double)in->bytes / (double)in->size_bytes;
        double left_s = (double)(now_ms - in->began_ms) / 1000 * (1 - share) / share;
        fprintf(stderr, ", %.0f %%, %.0f s left", 100 * share, is_end ? 0 : left_s);
    }
    fputs(is_end ? "\033[K\n" : "\033[K", stderr);
}

static const char *read_lines(struct import *in)
{
    struct recording_columns columns = {0};
    char *line = NULL;
    size_t capacity = 0;
    const char *why = NULL;
    ssize_t len = 0;
    while (!why && (len = getline(&line, &capacity, stdin)) >= 0) {
        in->line++;
        in->bytes += len;
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            len--;
        struct recording_row row = {0};
        if (in->line == 1) {
            why = recording_header(line, (size_t)len, &columns);
            continue;
        }
        why = recording_row(line, (size_t)len, &columns, &row);
        if (!why)
            why = add_row(in, &row);
        if (in->line % 1024 == 0)
            say_progress(in, false);
    }
    free(line);
    if (!why && ferror(stdin))
        why = "stdin can't be read";
    if (!why && in->line == 0)
        why = "there is no header line";
    return why ? why : end_quarter(in);
}

static const char *begin(struct import *in)
{
    struct stat file;
    in->now_ms = in->began_ms = clock_wall_ms();
    in->slot_ms = -1;
    if (fstat(STDIN_FILENO, &file) == 0 && S_ISREG(file.st_mode))
        in->size_bytes = file.st_size;
    in->entries = malloc(SAMPLE_MAX * sizeof *in->entries);
    in->listed = malloc(SAMPLE_MAX * sizeof *in->listed);
    arena_init(&in->arena, QUARTER_MAX_BYTES);
    if (!in->entries || !in->listed ||
        database_new(&in->database, settings_database_owner(), NULL, true) != STATUS_OK)
        return "out of memory";
    database_be_patient(in->database);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct import in;
    int status = import_options_read(argc, argv, &in.options);
    if (status >= 0)
        return status;
    const char *why = begin(&in);
    if (!why)
        why = read_lines(&in);
    say_progress(&in, true);
    if (why)
        fprintf(stderr, "upbeat-import: line %" PRIu64 ": %s\n", in.line, why);
    else
        printf("%" PRIu64 " rows, %" PRIu64 " quarters of an hour of %s\n", in.rows, in.quarters,
               in.options.host);
    minutes_free(in.minutes);
    page_index_free(in.index);
    database_free(in.database);
    free(in.entries);
    free(in.listed);
    free(in.pages);
    arena_release(&in.arena);
    return why ? EXIT_FAILURE : EXIT_SUCCESS;
}
