#include "upstream/answer_kind.h"

#include "upstream/json_scan.h"

#include <string.h>
#include <strings.h>

static enum answer_kind kind_of_list(const struct answer *answer, const struct page_path_rules *rules,
                                     struct arena *arena, struct toppages *toppages_r, struct buffer *why)
{
    struct toppages found = {0};
    const char *fault = NULL;
    enum status result = toppages_parse(answer->body, answer->body_bytes, rules, arena, &found, &fault);
    if (result == STATUS_OK && found.rows == 0 && found.says_error)
        fault = "an error in place of pages";
    else if (result == STATUS_OK && found.rows > 0 && found.pages.count == 0)
        fault = "no row that can be used";
    if (fault) {
        buffer_append_format(why, "an answer of %zu bytes: %s", answer->body_bytes, fault);
        if (result == STATUS_OK && found.refused_rows > 0) {
            buffer_append_text(why, ", ");
            toppages_say_refused(&found, why);
        }
        return ANSWER_NONE;
    }
    *toppages_r = found;
    return found.rows > 0 ? ANSWER_LIST : ANSWER_QUIET;
}

static bool is_json(struct json_cursor text)
{
    const char *value = NULL;
    size_t len = 0;
    if (!json_comes(&text, '{') && !json_comes(&text, '[') && !json_comes(&text, '"'))
        return false;
    return json_take_value(&text, &value, &len) && json_skip_space(text.at, text.end) == text.end;
}

/* Is it Chartbeat that refuses the key? */
static bool is_word_of_chartbeat(const struct answer *answer)
{
    struct json_cursor text = {answer->body, answer->body + answer->body_bytes};
    if (answer->body_bytes >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0)
        text.at += 3;
    bool is_html = json_comes(&text, '<') ||
                   (answer->content_type &&
                    (strcasestr(answer->content_type, "html") || strcasestr(answer->content_type, "xml")));
    return is_json(text) || (answer->status == 401 && !is_html);
}

enum answer_kind answer_kind_of(const struct answer *answer, const struct page_path_rules *rules,
                                struct arena *arena, struct toppages *toppages_r, struct buffer *why)
{
    bool is_limited = answer->has_retry_after || (answer->status == 403 && answer->rate_remaining == 0);
    switch (answer->status) {
    case 200:
        return kind_of_list(answer, rules, arena, toppages_r, why);
    case 429:
        buffer_append_text(why, "status 429");
        return ANSWER_LIMITED;
    case 401:
    case 403:
        buffer_append_format(why, "status %d", answer->status);
        if (is_limited) {
            buffer_append_text(why, " with a limit");
            return ANSWER_LIMITED;
        }
        if (is_word_of_chartbeat(answer))
            return ANSWER_REFUSED;
        buffer_append_text(why, ", and not in Chartbeat's words");
        return ANSWER_NONE;
    default:
        buffer_append_format(why, "status %d", answer->status);
        return ANSWER_NONE;
    }
}
