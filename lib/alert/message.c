#include "alert/message.h"

#include "base/escape.h"
#include "base/timestamp.h"

#include <string.h>

static void put_text(struct buffer *out, const char *name, const char *text)
{
    buffer_append_format(out, ",\"%s\":", name);
    if (text)
        json_escape(out, text, strlen(text));
    else
        buffer_append_text(out, "null");
}

static void put_time(struct buffer *out, const char *name, int64_t at_ms)
{
    char text[TIMESTAMP_BYTES];
    timestamp_write(at_ms * 1000, text);
    buffer_append_format(out, ",\"%s\":\"%s\"", name, text);
}

static void put_event(struct buffer *out, const struct alert_event *event)
{
    buffer_append_format(out, "{\"event\":%lld,\"kind\":\"%s\",\"is_end\":%s", (long long)event->event_id,
                         event_kind_name(event->kind), event->is_end ? "true" : "false");
    put_text(out, "host", event->host);
    put_text(out, "path", event->path);
    put_text(out, "title", event->title);
    put_time(out, "began_at", event->began_ms);
    buffer_append_format(out, ",\"visitors\":%.2f,\"expected\":%.2f,\"score\":%.2f}", event->visitors,
                         event->expected, event->score);
}

void message_webhook(struct buffer *out, const struct alert_message *message)
{
    const struct alert_event *first = message->events;
    bool is_one = message->count == 1;
    buffer_append_format(out, "{\"type\":\"%s%s\"", is_one ? event_kind_name(first->kind) : "events",
                         !is_one         ? ""
                         : first->is_end ? ".ended"
                                         : ".began");
    put_time(out, "timestamp", message->created_ms);
    buffer_append_text(out, ",\"data\":{\"events\":[");
    for (size_t i = 0; i < message->count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        put_event(out, &message->events[i]);
    }
    buffer_append_text(out, "]}}");
}

void message_slack(struct buffer *out, const struct alert_message *message)
{
    buffer_append_format(out, "{\"text\":\"%zu events\"}", message->count);
}

void message_mail(struct buffer *out, const struct alert_message *message)
{
    buffer_append_format(out, "To: %s\nSubject: %zu events\nMessage-ID: <%s@upbeat>\n\n%zu events\n",
                         message->mail_to, message->count, message->message_id, message->count);
}
