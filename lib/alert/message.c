#include "alert/message.h"

#include "alert/message_text.h"
#include "base/writer.h"

#include <math.h>
#include <string.h>

enum { DECIMALS = 2 };

static void put_text(struct writer *writer, const char *name, const char *text)
{
    writer_text(writer, name, text, text ? strlen(text) : 0);
}

static void put_number(struct writer *writer, const char *name, double number)
{
    if (isfinite(number))
        writer_decimal(writer, name, number, DECIMALS);
    else
        writer_null(writer, name);
}

static void put_time(struct writer *writer, const char *name, int64_t at_ms)
{
    if (at_ms > 0)
        writer_time(writer, name, at_ms * 1000);
    else
        writer_null(writer, name);
}

static void put_url(struct writer *writer, const char *name, const struct alert_message *message,
                    const struct alert_event *event)
{
    struct buffer url;
    buffer_init(&url, PAGE_URL_MAX_BYTES);
    if (message)
        message_put_board_url(&url, message, event);
    else
        page_url_put(&url, event->host, event->path);
    writer_text(writer, name, url.data, url.len_bytes);
    buffer_release(&url);
}

static void put_cause(struct writer *writer, const struct alert_event *event)
{
    struct buffer cause;
    buffer_init(&cause, 100);
    message_put_cause(&cause, event);
    writer_text(writer, "cause", cause.data, cause.len_bytes);
    buffer_release(&cause);
    if (!event->has_sources) {
        writer_null(writer, "sources");
        return;
    }
    writer_object_begin(writer, "sources");
    for (int i = 0; i < PAGE_SOURCES; i++)
        put_number(writer, event_source_name((enum page_source)i), event->sources[i]);
    writer_object_end(writer);
}

static void put_event(struct writer *writer, const struct alert_message *message,
                      const struct alert_event *event)
{
    writer_int(writer, "id", event->event_id);
    put_text(writer, "kind", event_kind_name(event->kind));
    put_text(writer, "host", event->host);
    put_text(writer, "path", event->path);
    put_text(writer, "title", event->title);
    put_time(writer, "began_at", event->began_ms);
    put_time(writer, "peak_at", event->peak_ms);
    put_time(writer, "ended_at", event->ended_ms);
    put_number(writer, "visitors", event->visitors);
    put_number(writer, "expected", event->expected);
    put_number(writer, "ratio", event->expected > 0 ? message_ratio(event) : NAN);
    put_number(writer, "score", event->score);
    put_number(writer, "peak", event->peak);
    put_number(writer, "peak_expected", event->peak_expected);
    put_cause(writer, event);
    put_url(writer, "url", NULL, event);
    put_url(writer, "board_url", message, event);
}

static void put_type(struct writer *writer, const struct alert_event *event)
{
    char type[40];
    snprintf(type, sizeof type, "%s.%s", event_kind_name(event->kind), event->is_end ? "ended" : "began");
    put_text(writer, "type", type);
}

static void put_events(struct writer *writer, const struct alert_message *message)
{
    put_text(writer, "type", "events");
    put_time(writer, "timestamp", message->created_ms);
    writer_object_begin(writer, "data");
    writer_bool(writer, "held_back", message->is_held);
    writer_rows_begin(writer, "events");
    for (size_t i = 0; i < message->count; i++) {
        writer_row_begin(writer);
        put_type(writer, &message->events[i]);
        put_event(writer, message, &message->events[i]);
        writer_row_end(writer);
    }
    writer_rows_end(writer);
    writer_object_end(writer);
}

void message_webhook(struct buffer *out, const struct alert_message *message)
{
    struct writer writer;
    writer_begin(&writer, out, WRITE_JSON, NULL);
    writer_object_begin(&writer, NULL);
    if (message->count > 1) {
        put_events(&writer, message);
    } else {
        if (message->count == 0)
            put_text(&writer, "type", "test");
        else
            put_type(&writer, message->events);
        put_time(&writer, "timestamp", message->created_ms);
        writer_object_begin(&writer, "data");
        if (message->count == 0)
            put_text(&writer, "channel", message->channel);
        else
            put_event(&writer, message, message->events);
        writer_object_end(&writer);
    }
    writer_object_end(&writer);
    writer_end(&writer);
}
