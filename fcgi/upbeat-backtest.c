/* Runs the trend model over recorded samples, and prints the pages that /trends would have shown. */
#include "backtest_events.h"
#include "backtest_options.h"
#include "base/arena.h"
#include "base/settings.h"
#include "base/writer.h"
#include "pages/minute_means.h"
#include "pages/page_index.h"
#include "pages/page_path.h"
#include "pages/recording.h"
#include "pages/trend_model.h"
#include "store/roles.h"
#include "store/samples.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECENT_MAX = 4096, /* samples of the last five minutes */
    MINUTE_MS = 60000,
    PATHS_MAX_BYTES = 512 * 1024 * 1024,
    LOOK_MAX_BYTES = 256 * 1024 * 1024,
};

/* A page that some sample has listed. */
struct known {
    struct page page; /* must be the first member: the index returns a pointer to it */
    uint32_t number;
    int64_t last_at_ms; /* of the newest sample that lists it */
    size_t entry;       /* of that sample */
};

struct backtest {
    struct backtest_options options;
    struct arena arena; /* the pages, which stay for the whole run */
    struct arena look;  /* the memory of one look */
    struct page_index *index;
    struct trend_path *paths; /* by number */
    size_t path_count, path_capacity;
    struct trend_entry *entries;       /* of the sample that is being read */
    uint32_t (*sources)[PAGE_SOURCES]; /* of the same */
    bool has_sources;
    struct trend_sample sample;
    bool has_sample;
    struct backtest_events *events; /* NULL: it is not events that are asked for */
    struct minutes *minutes;
    struct trend_sample recent[RECENT_MAX];
    size_t recent_count;
    int64_t next_look_ms;
    uint64_t line; /* the number of the line that is being read */
};

static int fail(const struct backtest *test, const char *why)
{
    if (test->line > 0)
        fprintf(stderr, "upbeat-backtest: line %" PRIu64 ": %s\n", test->line, why);
    else
        fprintf(stderr, "upbeat-backtest: %s\n", why);
    return EXIT_FAILURE;
}

/* --- Looks -------------------------------------------------------------------------------------------------
 */

static void print_row(const struct backtest *test, int64_t look_ms, const struct trend_page *page,
                      struct writer *writer)
{
    const struct trend_path *path = &test->paths[page->page];
    writer_row_begin(writer);
    writer_int(writer, "look_ms", look_ms);
    writer_text(writer, "path", path->bytes, path->len_bytes);
    writer_decimal(writer, "visitors", page->visitors, 4);
    writer_decimal(writer, "change", page->change, 4);
    writer_decimal(writer, "expected", page->expected, 4);
    if (page->expected > 0)
        writer_decimal(writer, "ratio", page->visitors / page->expected, 4);
    else
        writer_null(writer, "ratio");
    writer_decimal(writer, "score", page->score, 4);
    writer_bool(writer, "new", page->is_new);
    writer_bool(writer, "lower_bound", page->is_lower_bound);
    writer_row_end(writer);
}

static enum status look(struct backtest *test, int64_t look_ms)
{
    enum { OUT_MAX_BYTES = 64 * 1024 * 1024 };
    struct trend trend;
    struct trend_input input = {
        .as_of_ms = look_ms,
        .window_ms = test->options.window_ms,
        .page_count = test->path_count,
        .row_limit = test->options.limit,
        .samples = test->recent,
        .sample_count = test->recent_count,
    };
    input.minutes = minutes_list(test->minutes, &input.minute_count);
    arena_clear(&test->look);
    enum status result = trend_weigh(&input, &test->look, &trend);
    if (result != STATUS_OK)
        return result;
    size_t shown = 0;
    for (size_t i = 0; i < trend.page_count; i++) {
        if (trend_is_shown(&trend.pages[i], &test->options.bounds))
            trend.pages[shown++] = trend.pages[i];
    }
    trend_sort(trend.pages, shown, TREND_BY_SCORE, test->paths);
    struct buffer out;
    struct writer writer;
    buffer_init(&out, OUT_MAX_BYTES);
    writer_begin(&writer, &out, test->options.json ? WRITE_JSON_LINES : WRITE_TSV, NULL);
    for (size_t i = 0; i < shown; i++)
        print_row(test, look_ms, &trend.pages[i], &writer);
    writer_end(&writer);
    result = out.status;
    if (result == STATUS_OK && out.len_bytes > 0 &&
        fwrite(out.data, 1, out.len_bytes, stdout) != out.len_bytes)
        result = STATUS_FAILED;
    buffer_release(&out);
    return result;
}

static void forget_recent(struct backtest *test, int64_t before_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < test->recent_count; i++) {
        if (test->recent[i].at_ms > before_ms)
            test->recent[count++] = test->recent[i];
        else
            free(test->recent[i].entries);
    }
    test->recent_count = count;
}

/* Takes the looks that are due before this sample: they must not see it. */
static enum status look_until(struct backtest *test, int64_t at_ms)
{
    enum status result = STATUS_OK;
    int64_t newest_ms = test->recent_count > 0 ? test->recent[test->recent_count - 1].at_ms : at_ms;
    for (; result == STATUS_OK && test->next_look_ms < at_ms; test->next_look_ms += test->options.every_ms) {
        if (test->next_look_ms - newest_ms > trend_recent_ms(test->options.window_ms)) {
            /* Samples are missing for so long that a look would know nothing: go to the end of the gap. */
            test->next_look_ms +=
                (at_ms - test->next_look_ms) / test->options.every_ms * test->options.every_ms;
            if (test->next_look_ms >= at_ms)
                break;
            continue;
        }
        result = look(test, test->next_look_ms);
    }
    return result;
}

static const char *end_sample(struct backtest *test)
{
    struct trend_sample *sample = &test->sample;
    if (!test->has_sample)
        return NULL;
    test->has_sample = false;
    if (test->events) {
        sample->entries = test->entries;
        return backtest_events_look(test->events, sample, test->has_sources ? test->sources : NULL) ==
                       STATUS_OK
                   ? NULL
                   : "out of memory";
    }
    int64_t recent_ms = trend_recent_ms(test->options.window_ms);
    if (test->next_look_ms == INT64_MIN)
        test->next_look_ms = sample->at_ms;
    if (look_until(test, sample->at_ms) != STATUS_OK)
        return "a look failed";
    forget_recent(test, sample->at_ms - recent_ms - test->options.every_ms);
    minutes_forget(test->minutes,
                   (sample->at_ms - test->options.window_ms - test->options.every_ms) / MINUTE_MS);
    if (test->recent_count == RECENT_MAX)
        return "over 4096 samples in the newest minutes";
    sample->entries = test->entries;
    struct trend_entry *copy = malloc((sample->count + 1) * sizeof *copy);
    if (!copy || minutes_add(test->minutes, sample) != STATUS_OK) {
        free(copy);
        return "out of memory";
    }
    memcpy(copy, test->entries, sample->count * sizeof *copy);
    test->recent[test->recent_count] = *sample;
    test->recent[test->recent_count++].entries = copy;
    return NULL;
}

/* --- Samples -----------------------------------------------------------------------------------------------
 */

static struct known *know(struct backtest *test, const char *path, size_t len_bytes)
{
    const struct page wanted = {.path = path, .path_bytes = (uint32_t)len_bytes};
    struct page *page = page_index_find(test->index, &wanted);
    if (page)
        return (struct known *)(void *)page;
    if (test->path_count == test->path_capacity) {
        size_t capacity = 2 * test->path_capacity + 1024;
        struct trend_path *paths = realloc(test->paths, capacity * sizeof *paths);
        if (!paths)
            return NULL;
        test->paths = paths;
        test->path_capacity = capacity;
    }
    struct known *known = arena_alloc(&test->arena, sizeof *known);
    char *copy = arena_copy(&test->arena, path, len_bytes);
    if (!known || !copy)
        return NULL;
    *known = (struct known){
        .page = {.path = copy, .path_bytes = (uint32_t)len_bytes},
        .number = (uint32_t)test->path_count,
        .last_at_ms = INT64_MIN,
    };
    if (!page_index_add(test->index, &known->page))
        return NULL;
    test->paths[test->path_count++] = (struct trend_path){copy, len_bytes};
    return known;
}

/* Returns NULL, or the error in words. */
static const char *add_row(struct backtest *test, int64_t at_ms, const char *path, size_t path_bytes,
                           int64_t visitors, const uint32_t *sources)
{
    const struct page_path_rules rules = {test->options.site, settings_drop_parameters()};
    char spelled[PATH_MAX_BYTES];
    const char *why = NULL;
    if (page_path_normal(path, path_bytes, &rules, spelled, &path_bytes) != STATUS_OK)
        return "the path has over 2000 bytes once it is percent-encoded";
    if (test->has_sample && at_ms < test->sample.at_ms)
        return "t_ms is smaller than in the line before";
    if (!test->has_sample || at_ms > test->sample.at_ms) {
        why = end_sample(test);
        test->sample = (struct trend_sample){.at_ms = at_ms, .row_limit = test->options.limit};
        test->has_sample = true;
    }
    if (why)
        return why;
    if (test->sample.count == BACKTEST_SAMPLE_MAX)
        return "over 100000 rows in one sample";
    struct known *known = know(test, spelled, path_bytes);
    if (!known)
        return "out of memory";
    if (known->last_at_ms == at_ms) {
        for (int i = 0; sources && i < PAGE_SOURCES; i++)
            test->sources[known->entry][i] += sources[i];
        /* Another spelling of the same page: they are added up, as the service does. */
        int64_t sum = test->entries[known->entry].visitors + visitors;
        test->entries[known->entry].visitors =
            (int32_t)(sum < TREND_HUNDREDTHS_MAX / 100 ? sum : TREND_HUNDREDTHS_MAX / 100);
        return NULL;
    }
    known->last_at_ms = at_ms;
    if (sources)
        memcpy(test->sources[test->sample.count], sources, sizeof *test->sources);
    test->has_sources = sources != NULL;
    known->entry = test->sample.count;
    test->entries[test->sample.count++] = (struct trend_entry){known->number, (int32_t)visitors};
    return NULL;
}

static const char *read_lines(struct backtest *test, FILE *in)
{
    struct recording_columns columns = {0};
    char *line = NULL;
    size_t capacity = 0;
    const char *why = NULL;
    ssize_t len = 0;
    while (!why && (len = getline(&line, &capacity, in)) >= 0) {
        test->line++;
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            len--;
        if (test->line == 1) {
            why = recording_header(line, (size_t)len, &columns);
            continue;
        }
        struct recording_row row = {0};
        uint32_t sources[PAGE_SOURCES];
        why = recording_row(line, (size_t)len, &columns, &row);
        if (!why && !recording_sources(&row, sources))
            why = "sources must be five numbers with commas between them";
        if (!why)
            why = add_row(test, row.at_ms, row.path, row.path_bytes, row.visitors,
                          row.sources_bytes > 0 ? sources : NULL);
    }
    free(line);
    if (!why && ferror(in))
        why = "stdin can't be read";
    if (!why && test->line == 0)
        why = "there is no header line";
    return why;
}

/* --- The database ------------------------------------------------------------------------------------------
 */

enum { SLICE_MS = 600000, STATEMENT_MS = 30000 };

static const char *read_slice(struct backtest *test, struct database *database, int64_t from_ms)
{
    struct database_rows *rows = NULL;
    if (samples_read(database, test->options.host, from_ms, from_ms + SLICE_MS, deadline_in(STATEMENT_MS),
                     &rows) != STATUS_OK)
        return "the database can't be read";
    const char *why = NULL;
    for (size_t i = 0; !why && i < database_rows_count(rows); i++) {
        struct sample_row row = samples_row(rows, i);
        if (row.visitors > TREND_HUNDREDTHS_MAX / 100)
            row.visitors = TREND_HUNDREDTHS_MAX / 100;
        why = add_row(test, row.at_ms, row.path, row.path_bytes, row.visitors,
                      row.has_sources ? row.sources : NULL);
    }
    database_rows_free(rows);
    return why;
}

static const char *read_database(struct backtest *test)
{
    struct database *database = NULL;
    if (database_new(&database, settings_database(), ROLE_WORKER, true) != STATUS_OK)
        return "out of memory";
    database_be_patient(database);
    const char *why = NULL;
    int64_t first_ms = -1;
    int64_t last_ms = -1;
    if (samples_span(database, test->options.host, deadline_in(STATEMENT_MS), &first_ms, &last_ms) !=
        STATUS_OK)
        why = "the database can't be read";
    else if (first_ms < 0)
        why = "the database has no snapshot of this host";
    for (int64_t at_ms = first_ms; !why && at_ms <= last_ms; at_ms += SLICE_MS)
        why = read_slice(test, database, at_ms);
    database_free(database);
    return why;
}

/* --- Main --------------------------------------------------------------------------------------------------
 */

static int run(struct backtest *test)
{
    const struct page_list none = {0};
    test->index = page_index_new(&none, &test->arena);
    test->minutes = minutes_new();
    test->entries = calloc(BACKTEST_SAMPLE_MAX, sizeof *test->entries);
    test->sources = calloc(BACKTEST_SAMPLE_MAX, sizeof *test->sources);
    if (test->options.events)
        test->events = backtest_events_new(&test->options.event_bounds);
    if (!test->index || !test->minutes || !test->entries || !test->sources ||
        (test->options.events && !test->events))
        return fail(test, "out of memory");
    if (!test->options.json && !test->events)
        puts("look_ms\tpath\tvisitors\tchange\texpected\tratio\tscore\tnew\tlower_bound");
    const char *why = test->options.host ? read_database(test) : read_lines(test, stdin);
    if (!why) {
        test->line = 0;
        int64_t last_ms = test->sample.at_ms;
        why = end_sample(test);
        if (!why && test->next_look_ms != INT64_MIN && look_until(test, last_ms + 1) != STATUS_OK)
            why = "a look failed";
    }
    if (!why && test->events &&
        backtest_events_print(test->events, test->paths, test->options.json, stdout, stderr) != STATUS_OK)
        why = "the events can't be printed";
    if (!why && fflush(stdout) != 0)
        why = "stdout can't be written to";
    return why ? fail(test, why) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct backtest test;
    test.next_look_ms = INT64_MIN;
    int status = backtest_options_read(argc, argv, &test.options);
    if (status >= 0)
        return status;
    arena_init(&test.arena, PATHS_MAX_BYTES);
    arena_init(&test.look, LOOK_MAX_BYTES);
    status = run(&test);
    forget_recent(&test, INT64_MAX);
    minutes_free(test.minutes);
    page_index_free(test.index);
    backtest_events_free(test.events);
    free(test.entries);
    free(test.sources);
    free(test.paths);
    arena_release(&test.look);
    arena_release(&test.arena);
    return status;
}
