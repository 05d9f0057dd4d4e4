#include "backtest_events.h"

#include "base/writer.h"
#include "pages/suspect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct backtest_events {
    struct event_rules *rules;
    struct suspect *suspect;
    struct event *list;
    size_t count, capacity;
    int64_t first_ms, last_ms; /* of the samples */
    bool is_out_of_memory;
};

/* An event begins once; its peaks and its end find it again by kind, page and begin, among the newest first.
 */
static void note(const struct event *event, enum event_step step, void *context)
{
    struct backtest_events *events = context;
    for (size_t i = events->count; step != EVENT_BEGAN && i > 0; i--) {
        struct event *known = &events->list[i - 1];
        if (known->kind == event->kind && known->page == event->page && known->began_ms == event->began_ms) {
            *known = *event;
            return;
        }
    }
    if (events->count == events->capacity) {
        size_t capacity = 2 * events->capacity + 64;
        struct event *list = realloc(events->list, capacity * sizeof *list);
        if (!list) {
            events->is_out_of_memory = true;
            return;
        }
        events->list = list;
        events->capacity = capacity;
    }
    events->list[events->count++] = *event;
}

struct backtest_events *backtest_events_new(const struct event_bounds *bounds)
{
    struct backtest_events *events = calloc(1, sizeof *events);
    if (!events)
        return NULL;
    events->first_ms = -1;
    events->rules = event_rules_new(bounds, note, events);
    events->suspect = suspect_new();
    if (events->rules && events->suspect)
        return events;
    backtest_events_free(events);
    return NULL;
}

void backtest_events_free(struct backtest_events *events)
{
    if (!events)
        return;
    event_rules_free(events->rules);
    suspect_free(events->suspect);
    free(events->list);
    free(events);
}

enum status backtest_events_look(struct backtest_events *events, const struct trend_sample *sample,
                                 const uint32_t (*sources)[PAGE_SOURCES])
{
    enum suspect_verdict verdict = SUSPECT_NO;
    int64_t since_ms = 0;
    enum status result = suspect_look(events->suspect, sample, &verdict, &since_ms);
    const struct event_sample given = {.list = sample,
                                       .sources = sources,
                                       .is_suspect = verdict == SUSPECT_YES,
                                       .usual_low = NAN,
                                       .usual_high = NAN};
    if (result == STATUS_OK) {
        event_rules_wait(events->rules, sample->at_ms);
        result = event_rules_look(events->rules, &given);
    }
    if (events->first_ms < 0)
        events->first_ms = sample->at_ms;
    events->last_ms = sample->at_ms;
    return events->is_out_of_memory ? STATUS_NO_MEMORY : result;
}

static int by_begin(const void *left, const void *right)
{
    const struct event *a = left;
    const struct event *b = right;
    if (a->began_ms != b->began_ms)
        return a->began_ms < b->began_ms ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return (a->page > b->page) - (a->page < b->page);
}

static void put_causes(struct writer *writer, const struct event *event)
{
    char text[64] = "";
    size_t len = 0;
    for (int i = 0; i < PAGE_SOURCES; i++) {
        if (event->causes & 1U << i)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len > 0 ? "+" : "",
                                    event_source_name((enum page_source)i));
    }
    if (len > 0)
        writer_text(writer, "cause", text, len);
    else
        writer_null(writer, "cause");
}

static void put_event(struct writer *writer, const struct event *event, const struct trend_path *paths)
{
    const char *kind = event_kind_name(event->kind);
    bool has_ratio = event->peak_expected > 0;
    writer_row_begin(writer);
    writer_int(writer, "began_ms", event->began_ms);
    if (event->ended_ms > 0)
        writer_int(writer, "ended_ms", event->ended_ms);
    else
        writer_null(writer, "ended_ms");
    writer_text(writer, "kind", kind, strlen(kind));
    if (event->page == EVENT_SITE)
        writer_null(writer, "path");
    else
        writer_text(writer, "path", paths[event->page].bytes, paths[event->page].len_bytes);
    writer_decimal(writer, "peak", event->peak_visitors, 4);
    writer_decimal(writer, "expected", event->peak_expected, 4);
    if (has_ratio)
        writer_decimal(writer, "ratio", event->peak_visitors / event->peak_expected, 4);
    else
        writer_null(writer, "ratio");
    writer_decimal(writer, "score", event->score, 4);
    put_causes(writer, event);
    writer_row_end(writer);
}

static void summarise(const struct backtest_events *events, FILE *summary)
{
    static const double day_ms = 86400000;
    double days = fmax((double)(events->last_ms - events->first_ms), 1000) / day_ms;
    fprintf(summary, "upbeat-backtest: %zu events in %.2f days, %.1f a day", events->count, days,
            (double)events->count / days);
    for (int kind = 0; kind < EVENT_KINDS; kind++) {
        size_t count = 0;
        for (size_t i = 0; i < events->count; i++)
            count += (int)events->list[i].kind == kind;
        if (count > 0)
            fprintf(summary, "; %s %zu", event_kind_name((enum event_kind)kind), count);
    }
    fputc('\n', summary);
}

enum status backtest_events_print(struct backtest_events *events, const struct trend_path *paths, bool json,
                                  FILE *out, FILE *summary)
{
    enum { OUT_MAX_BYTES = 256 * 1024 * 1024 };
    struct buffer text;
    struct writer writer;
    if (events->count > 1)
        qsort(events->list, events->count, sizeof *events->list, by_begin);
    buffer_init(&text, OUT_MAX_BYTES);
    if (!json)
        buffer_append_text(&text, "began_ms\tended_ms\tkind\tpath\tpeak\texpected\tratio\tscore\tcause\n");
    writer_begin(&writer, &text, json ? WRITE_JSON_LINES : WRITE_TSV, NULL);
    for (size_t i = 0; i < events->count; i++)
        put_event(&writer, &events->list[i], paths);
    writer_end(&writer);
    enum status result = text.status;
    if (result == STATUS_OK && text.len_bytes > 0 &&
        fwrite(text.data, 1, text.len_bytes, out) != text.len_bytes)
        result = STATUS_FAILED;
    buffer_release(&text);
    if (result == STATUS_OK)
        summarise(events, summary);
    return result;
}
