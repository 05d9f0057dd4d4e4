/* Incoming webhooks of Slack's: https://api.slack.com/reference/block-kit/blocks. One section an event, so
 * that a message stays far below 50 blocks. */
#include "alert/message_text.h"
#include "base/escape.h"

#include <string.h>

enum {
    ESCAPED_MAX_BYTES = 20000,
    SLACK_EVENTS_MAX = 20,         /* two blocks each; what is more is counted */
    SLACK_URL_MAX_BYTES = 800,     /* a longer address is left out: a section takes 3,000 characters */
    SLACK_SECTION_MAX_BYTES = 2900 /* bytes are at least as many as characters */
};

/* & < > alone are markup in Slack's mrkdwn that its own escapes switch off; * _ ~ and ` only change how a
 * word looks. */
static void escape_markup(struct buffer *out, const char *text, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        if (text[i] == '&')
            buffer_append_text(out, "&amp;");
        else if (text[i] == '<')
            buffer_append_text(out, "&lt;");
        else if (text[i] == '>')
            buffer_append_text(out, "&gt;");
        else
            buffer_append_char(out, text[i]);
    }
}

static void put_escaped(struct buffer *out, struct buffer *plain)
{
    escape_markup(out, plain->data ? plain->data : "", plain->len_bytes);
    buffer_clear(plain, LINE_MAX_BYTES);
}

/* An address that is too long is no link: the words stand alone. */
static void put_link(struct buffer *out, const struct buffer *url, struct buffer *words)
{
    struct buffer escaped;
    buffer_init(&escaped, SLACK_URL_MAX_BYTES);
    escape_markup(&escaped, url->data ? url->data : "", url->len_bytes);
    bool is_link = url->status == STATUS_OK && escaped.status == STATUS_OK && escaped.len_bytes > 0;
    if (is_link) {
        buffer_append_char(out, '<');
        buffer_append(out, escaped.data, escaped.len_bytes);
        buffer_append_char(out, '|');
    }
    put_escaped(out, words);
    if (is_link)
        buffer_append_char(out, '>');
    buffer_release(&escaped);
}

static void put_section(struct buffer *out, struct buffer *text, const char *before)
{
    buffer_append_text(out, before);
    buffer_append_text(out, "{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":");
    json_escape(out, text->data ? text->data : "", text->len_bytes);
    buffer_append_text(out, "}}");
    if (text->status != STATUS_OK)
        out->status = text->status;
}

static void put_event(struct buffer *out, const struct alert_message *message,
                      const struct alert_event *event, const char *before)
{
    struct buffer text, words, url;
    buffer_init(&text, SLACK_SECTION_MAX_BYTES);
    buffer_init(&words, LINE_MAX_BYTES);
    buffer_init(&url, PAGE_URL_MAX_BYTES);
    buffer_append_format(&text, "%s: *", message_words(event));
    message_put_headline(&words, event);
    page_url_put(&url, event->host, event->path);
    put_link(&text, &url, &words);
    buffer_append_text(&text, "*\n");
    message_put_figures(&words, event);
    put_escaped(&text, &words);
    message_put_sparkline(&words, event);
    if (words.len_bytes > 0)
        buffer_append_char(&text, '\n');
    put_escaped(&text, &words);
    buffer_clear(&url, 0);
    message_put_board_url(&url, message, event);
    if (url.len_bytes > 0) {
        buffer_append_text(&text, "\n");
        buffer_append_text(&words, "Board");
        put_link(&text, &url, &words);
    }
    put_section(out, &text, before);
    buffer_release(&text);
    buffer_release(&words);
    buffer_release(&url);
}

/* The fallback, which notifications show, is markup too. */
static void put_fallback(struct buffer *out, const struct alert_message *message)
{
    struct buffer plain, escaped;
    buffer_init(&plain, LINE_MAX_BYTES);
    buffer_init(&escaped, ESCAPED_MAX_BYTES);
    message_put_subject(&plain, message);
    if (message->count == 1) {
        buffer_append_text(&plain, " (");
        message_put_figures(&plain, message->events);
        buffer_append_char(&plain, ')');
    }
    put_escaped(&escaped, &plain);
    json_escape(out, escaped.data ? escaped.data : "", escaped.len_bytes);
    buffer_release(&plain);
    buffer_release(&escaped);
}

static void put_line(struct buffer *out, const char *before, const char *format, size_t number)
{
    char text[200];
    struct buffer line;
    buffer_init(&line, sizeof text);
    snprintf(text, sizeof text, "%zu %s", number, format);
    buffer_append_text(&line, text);
    put_section(out, &line, before);
    buffer_release(&line);
}

void message_slack(struct buffer *out, const struct alert_message *message)
{
    size_t shown = message->count < SLACK_EVENTS_MAX ? message->count : SLACK_EVENTS_MAX;
    const char *before = "";
    buffer_append_text(out, "{\"text\":");
    put_fallback(out, message);
    buffer_append_text(out, ",\"unfurl_links\":false,\"unfurl_media\":false");
    if (message->count > 0)
        buffer_append_text(out, ",\"blocks\":[");
    if (message->is_held && message->count > 0) {
        put_line(out, before, "were held back by quiet hours or by the bound of an hour", message->count);
        before = ",";
    }
    for (size_t i = 0; i < shown; i++) {
        put_event(out, message, &message->events[i], before);
        before = ",";
    }
    if (shown < message->count)
        put_line(out, before, "more: see the board", message->count - shown);
    if (message->count > 0)
        buffer_append_char(out, ']');
    buffer_append_char(out, '}');
}
