/* A mail (RFC 5322) of text only, in ASCII: Subject by RFC 2047, body as quoted-printable (RFC 2045, 6.7), so
 * that no line has over 78 bytes and no byte of a headline ever is a line break. */
#include "alert/message_text.h"
#include "base/base64.h"
#include "base/utf8.h"

#include <string.h>
#include <time.h>

enum {
    WORD_TEXT_BYTES = 42, /* in base64 56 characters: with what is around them 77 of the 78 of a line */
    QUOTED_LINE_BYTES = 76,
    MAIL_EVENTS_MAX = 100,
    REFERENCES_MAX = 20,
};

/* Always as encoded words: what looks like one in a headline is then no word either. */
static void put_subject(struct buffer *out, const struct alert_message *message)
{
    struct buffer plain;
    buffer_init(&plain, LINE_MAX_BYTES);
    message_put_subject(&plain, message);
    buffer_append_text(out, "Subject:");
    for (size_t i = 0; i < plain.len_bytes;) {
        size_t n = utf8_cut(plain.data + i, plain.len_bytes - i, WORD_TEXT_BYTES);
        buffer_append_text(out, i > 0 ? "\n =?UTF-8?B?" : " =?UTF-8?B?");
        base64_put(out, plain.data + i, n);
        buffer_append_text(out, "?=");
        i += n;
    }
    buffer_append_char(out, '\n');
    if (plain.status != STATUS_OK)
        out->status = plain.status;
    buffer_release(&plain);
}

static void put_date(struct buffer *out, int64_t at_ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm at = {0};
    time_t seconds = at_ms / 1000;
    gmtime_r(&seconds, &at);
    buffer_append_format(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\n", days[at.tm_wday], at.tm_mday,
                         months[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
}

/* What is told of an event first is the root of its thread; its end refers to that. */
static void put_event_id(struct buffer *out, const struct alert_event *event)
{
    buffer_append_format(out, "<event-%lld.%lld@%s>", (long long)event->event_id, (long long)event->began_ms,
                         page_url_site(event->host));
}

static bool begins_thread(const struct alert_message *message)
{
    return message->count > 0 && !message->events[0].is_end && !message->is_held;
}

static void put_thread(struct buffer *out, const struct alert_message *message)
{
    size_t first = begins_thread(message) ? 1 : 0;
    buffer_append_text(out, "Message-ID: ");
    if (begins_thread(message))
        put_event_id(out, message->events);
    else
        buffer_append_format(out, "<%s@upbeat.localhost>", message->message_id);
    for (size_t i = first; i < message->count && i < REFERENCES_MAX; i++) {
        buffer_append_text(out, i == first ? "\nReferences: " : "\n ");
        put_event_id(out, &message->events[i]);
    }
    if (message->count > 0 && message->events[0].is_end) {
        buffer_append_text(out, "\nIn-Reply-To: ");
        put_event_id(out, message->events);
    }
    buffer_append_char(out, '\n');
}

static void put_headers(struct buffer *out, const struct alert_message *message)
{
    if (message->mail_from)
        buffer_append_format(out, "From: %s\n", message->mail_from);
    buffer_append_format(out, "To: %s\n", message->mail_to);
    put_subject(out, message);
    put_date(out, message->created_ms);
    put_thread(out, message);
    buffer_append_format(out,
                         "List-Id: <%s.upbeat.localhost>\n"
                         "Auto-Submitted: auto-generated\n"
                         "MIME-Version: 1.0\n"
                         "Content-Type: text/plain; charset=utf-8\n"
                         "Content-Transfer-Encoding: quoted-printable\n\n",
                         message->channel);
}

/* "From " at the start of a line, and a dot alone on one, mean something to old programs: their first byte is
 * quoted, and a space at the end of a line is too. */
static void put_quoted(struct buffer *out, const char *text, size_t len_bytes)
{
    int column = 0;
    for (size_t i = 0; i < len_bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_last = i + 1 == len_bytes || text[i + 1] == '\n';
        bool is_plain = c >= ' ' && c < 0x7f && c != '=' && !(c == ' ' && is_last) &&
                        !(column == 0 && (c == '.' || c == 'F'));
        if (c == '\n') {
            buffer_append_char(out, '\n');
            column = 0;
            continue;
        }
        if (column + (is_plain ? 1 : 3) >= QUOTED_LINE_BYTES) {
            buffer_append_text(out, "=\n");
            column = 0;
        }
        if (is_plain)
            buffer_append_char(out, (char)c);
        else
            buffer_append_format(out, "=%02X", c);
        column += is_plain ? 1 : 3;
    }
}

static void put_event(struct buffer *text, const struct alert_message *message,
                      const struct alert_event *event)
{
    buffer_append_format(text, "%s: ", message_words(event));
    message_put_headline(text, event);
    buffer_append_char(text, '\n');
    message_put_figures(text, event);
    buffer_append_char(text, '\n');
    size_t before = text->len_bytes;
    message_put_sparkline(text, event);
    buffer_append_text(text, text->len_bytes > before ? "\n\n" : "\n");
    page_url_put(text, event->host, event->path);
    buffer_append_char(text, '\n');
    message_put_board_url(text, message, event);
    buffer_append_text(text, "\n\n");
}

void message_mail(struct buffer *out, const struct alert_message *message)
{
    struct buffer text;
    size_t shown = message->count < MAIL_EVENTS_MAX ? message->count : MAIL_EVENTS_MAX;
    put_headers(out, message);
    buffer_init(&text, ALERT_BODY_MAX_BYTES);
    if (message->count == 0)
        buffer_append_format(&text, "This is a test of the channel %s. Alerts arrive here.\n",
                             message->channel);
    for (size_t i = 0; i < shown; i++)
        put_event(&text, message, &message->events[i]);
    if (shown < message->count)
        buffer_append_format(&text, "%zu more: see the board.\n", message->count - shown);
    put_quoted(out, text.data ? text.data : "", text.len_bytes);
    if (text.status != STATUS_OK)
        out->status = text.status;
    buffer_release(&text);
}
