#include "alert/message_text.h"

#include "base/timestamp.h"
#include "base/utf8.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

static const double CHANCE = 2; /* a score of a headline below it may be chance, as the board has it */

/* --- Text that others wrote --------------------------------------------------------------------------------
 */

/* The length of the character at `at`; 0: it is not well-formed. */
static size_t length_of(const char *at, size_t left)
{
    for (size_t n = 1; n <= 4 && n <= left; n++) {
        if (utf8_valid(at, n))
            return n;
    }
    return 0;
}

/* Controls, line ends and turns of direction are one space or nothing. */
static const char *replacement_of(const unsigned char *at, size_t len_bytes)
{
    if (len_bytes == 0)
        return REPLACEMENT;
    if (len_bytes == 1)
        return *at <= ' ' || *at == 0x7f ? " " : NULL;
    if (len_bytes == 2)
        return at[0] == 0xc2 && at[1] < 0xa0 ? " " : NULL;
    if (len_bytes != 3 || at[0] != 0xe2 || (at[1] != 0x80 && at[1] != 0x81))
        return NULL;
    if (at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9))
        return " ";
    bool turns = at[1] == 0x80 ? at[2] >= 0xaa && at[2] <= 0xae : at[2] >= 0xa6 && at[2] <= 0xa9;
    return turns ? "" : NULL;
}

void message_put_plain(struct buffer *out, const char *text, size_t max_characters)
{
    size_t left = strlen(text);
    size_t count = 0;
    size_t whole_bytes = out->len_bytes; /* up to where an ellipsis has room */
    size_t start = out->len_bytes;
    while (left > 0) {
        size_t n = length_of(text, left);
        const char *other = replacement_of((const unsigned char *)text, n);
        size_t units = other ? (*other ? 1 : 0) : n == 4 ? 2 : 1;
        bool is_double =
            other && *other == ' ' && (out->len_bytes == start || out->data[out->len_bytes - 1] == ' ');
        if (is_double)
            units = 0;
        if (count + units > max_characters) {
            if (out->status == STATUS_OK) {
                out->len_bytes = whole_bytes;
                buffer_append_text(out, "…");
            }
            return;
        }
        if (!is_double && other)
            buffer_append_text(out, other);
        else if (!is_double)
            buffer_append(out, text, n);
        count += units;
        if (count < max_characters)
            whole_bytes = out->len_bytes;
        text += n > 0 ? n : 1;
        left -= n > 0 ? n : 1;
    }
}

void message_put_headline(struct buffer *out, const struct alert_event *event)
{
    size_t before = out->len_bytes;
    if (event->title)
        message_put_plain(out, event->title, HEADLINE_MAX_CHARACTERS);
    if (out->len_bytes == before && event->path)
        message_put_plain(out, event->path, HEADLINE_MAX_CHARACTERS);
    if (out->len_bytes == before)
        message_put_plain(out, event->host, HEADLINE_MAX_CHARACTERS);
}

/* --- What happened -----------------------------------------------------------------------------------------
 */

const char *message_words(const struct alert_event *event)
{
    static const char *const words[EVENT_KINDS][2] = {
        [EVENT_RISE] = {"Rising", "No longer rising"},
        [EVENT_TAKEOFF] = {"New and rising", "No longer rising"},
        [EVENT_FALL] = {"Falling", "No longer falling"},
        [EVENT_RECORD] = {"Record", "Record"},
        [EVENT_SITE_HIGH] = {"More readers on the site than usual", "As many readers on the site as usual"},
        [EVENT_SITE_LOW] = {"Fewer readers on the site than usual", "As many readers on the site as usual"},
        [EVENT_HEADLINE] = {"New headline", "New headline"},
        [EVENT_OUTAGE] = {"The measurement is out", "The measurement is back"},
    };
    return words[event->kind][event->is_end ? 1 : 0];
}

double message_ratio(const struct alert_event *event)
{
    return event->expected > 0 ? event->visitors / event->expected : 0;
}

void message_put_cause(struct buffer *out, const struct alert_event *event)
{
    bool has_some = false;
    for (int i = 0; i < PAGE_SOURCES; i++) {
        if (!(event->causes & 1u << i))
            continue;
        if (has_some)
            buffer_append_char(out, '+');
        buffer_append_text(out, event_source_name((enum page_source)i));
        has_some = true;
    }
}

static void put_changes(struct buffer *out, const struct alert_event *event)
{
    for (int i = 0; i < PAGE_SOURCES; i++) {
        if (!(event->causes & 1u << i))
            continue;
        buffer_append_format(out, ", %s", event_source_name((enum page_source)i));
        if (event->has_sources)
            buffer_append_format(out, " %+.0f", event->sources[i]);
    }
}

static void put_lasted(struct buffer *out, const struct alert_event *event)
{
    long long minutes = (event->ended_ms - event->began_ms + 30000) / 60000;
    if (minutes < 1)
        buffer_append_text(out, "for less than a minute");
    else if (minutes < 120)
        buffer_append_format(out, "for %lld minute%s", minutes, minutes == 1 ? "" : "s");
    else
        buffer_append_format(out, "for %lld hours", (minutes + 30) / 60);
}

static void put_clock(struct buffer *out, int64_t at_ms)
{
    char text[TIMESTAMP_BYTES];
    timestamp_write(at_ms * 1000, text);
    buffer_append_format(out, "%.5s UTC", text + 11);
}

static void put_headline_effect(struct buffer *out, const struct alert_event *event)
{
    buffer_append_format(out, "15 minutes later %.0f against %.0f expected, %.0f before", event->visitors,
                         event->expected, event->peak);
    if (fabs(event->score) >= CHANCE && event->expected > 0)
        buffer_append_format(out, ": %+.0f %%", 100 * (message_ratio(event) - 1));
    else
        buffer_append_text(out, ": not told apart from chance");
}

static void put_end(struct buffer *out, const struct alert_event *event)
{
    bool falls = event->kind == EVENT_FALL || event->kind == EVENT_SITE_LOW;
    put_lasted(out, event);
    if (event->kind == EVENT_OUTAGE)
        return;
    buffer_append_format(out, ", %s %.0f at ", falls ? "at least" : "at most", event->peak);
    put_clock(out, event->peak_ms);
    if (event->peak_expected > 0)
        buffer_append_format(out, " (%.1f × expected)", event->peak / event->peak_expected);
}

void message_put_figures(struct buffer *out, const struct alert_event *event)
{
    if (event->kind == EVENT_HEADLINE) {
        put_headline_effect(out, event);
    } else if (event->is_end) {
        put_end(out, event);
    } else if (event->kind == EVENT_OUTAGE) {
        buffer_append_text(out, "since ");
        put_clock(out, event->began_ms);
        buffer_append_text(out, "; until it is back nothing is compared");
    } else if (event->kind == EVENT_RECORD) {
        buffer_append_format(out, "%.0f, more than ever before", event->visitors);
    } else {
        if (event->expected > 0)
            buffer_append_format(out, "%.1f × expected: ", message_ratio(event));
        buffer_append_format(out, "%.0f against %.0f", event->visitors, event->expected);
        put_changes(out, event);
    }
    if (!event->is_end && event->ended_ms > 0 && event->kind != EVENT_HEADLINE &&
        event->kind != EVENT_RECORD) {
        buffer_append_text(out, "; it was over before this was told, ");
        put_end(out, event);
    }
}

void message_put_sparkline(struct buffer *out, const struct alert_event *event)
{
    int32_t most = 0;
    bool has_some = false;
    for (int i = 0; i < ALERT_MINUTES; i++) {
        most = event->minutes[i] > most ? event->minutes[i] : most;
        has_some |= event->minutes[i] >= 0;
    }
    for (int i = 0; i < ALERT_MINUTES && has_some; i++) {
        int64_t height = most > 0 ? ((int64_t)event->minutes[i] * 7 + most / 2) / most : 0;
        const char block[] = {(char)0xe2, (char)0x96, (char)(0x81 + height), '\0'};
        buffer_append_text(out, event->minutes[i] < 0 ? "·" : block);
    }
}

/* --- Addresses ---------------------------------------------------------------------------------------------
 */

void message_put_board_url(struct buffer *out, const struct alert_message *message,
                           const struct alert_event *event)
{
    if (!message->board_url)
        return;
    page_url_put_encoded(out, message->board_url, "");
    buffer_append_text(out, "#host=");
    page_url_put_encoded(out, event->host, "&=?#%+");
    if (!event->path)
        return;
    buffer_append_text(out, "&page=");
    page_url_put_encoded(out, event->path, "&=?#%+");
}

/* --- The whole message -------------------------------------------------------------------------------------
 */

void message_put_subject(struct buffer *out, const struct alert_message *message)
{
    if (message->count == 0) {
        buffer_append_format(out, "upbeat: a test of the channel %s", message->channel);
        return;
    }
    if (message->is_held)
        buffer_append_text(out, "Held back: ");
    buffer_append_format(out, "%s: ", message_words(message->events));
    message_put_headline(out, message->events);
    if (message->count > 1)
        buffer_append_format(out, ", and %zu more", message->count - 1);
}
