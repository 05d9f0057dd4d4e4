#include "upstream/row_json.h"

#include "base/utf8.h"

enum { NUMBER_MAX_BYTES = 60, KEEP_BYTES = 64 * 1024 };

/* How a member is read; what has another shape is nothing of use, which false stands for. */
enum shape { SHAPE_TEXT, SHAPE_PATH, SHAPE_TEXTS, SHAPE_COUNT, SHAPE_STATS };

struct member_name {
    const char *text;
    enum shape shape;
};

static const struct member_name OF_ROWS[] = {
    {"path", SHAPE_PATH},      {"title", SHAPE_TEXT},     {"i", SHAPE_TEXT},  {"stats", SHAPE_STATS},
    {"sections", SHAPE_TEXTS}, {"visitors", SHAPE_COUNT}, {NULL, SHAPE_TEXT},
};
static const struct member_name OF_STATS[] = {
    {"people", SHAPE_COUNT}, {"visits", SHAPE_COUNT}, {"search", SHAPE_COUNT},   {"social", SHAPE_COUNT},
    {"links", SHAPE_COUNT},  {"direct", SHAPE_COUNT}, {"internal", SHAPE_COUNT}, {NULL, SHAPE_COUNT},
};

/* A string with its quotes. True: it had to be mended. */
static bool put_string(struct row_json *row, const char *value, size_t len_bytes)
{
    buffer_append_char(&row->text, '"');
    bool is_broken = utf8_mend_json(&row->text, value + 1, len_bytes - 2);
    buffer_append_char(&row->text, '"');
    row->mended_texts += is_broken;
    return is_broken;
}

static bool reduce_object(struct json_cursor *cursor, const struct member_name *wanted, struct row_json *row);

/* cJSON reads only the start of a long number and takes the rest for junk, so that one goes as a string. */
static void put_number(struct buffer *out, const char *value, size_t len_bytes)
{
    const char *quote = len_bytes > NUMBER_MAX_BYTES ? "\"" : "";
    buffer_append_text(out, quote);
    buffer_append(out, value, len_bytes);
    buffer_append_text(out, quote);
}

static bool reduce_texts(struct json_cursor *cursor, struct row_json *row)
{
    const char *value = NULL;
    size_t len = 0;
    bool is_good = json_take(cursor, '[');
    bool is_first = true;
    buffer_append_char(&row->text, '[');
    if (!json_take(cursor, ']')) {
        do {
            is_good = is_good && json_take_value(cursor, &value, &len);
            if (!is_good || *value != '"')
                continue;
            if (!is_first)
                buffer_append_char(&row->text, ',');
            put_string(row, value, len);
            is_first = false;
        } while (is_good && json_take(cursor, ','));
        is_good = is_good && json_take(cursor, ']');
    }
    buffer_append_char(&row->text, ']');
    return is_good;
}

static bool reduce_scalar(struct json_cursor *cursor, enum shape shape, struct row_json *row)
{
    const char *value = NULL;
    size_t len = 0;
    if (!json_take_value(cursor, &value, &len))
        return false;
    bool is_text = *value == '"' && shape != SHAPE_TEXTS && shape != SHAPE_STATS;
    if (is_text && put_string(row, value, len))
        row->is_path_broken |= shape == SHAPE_PATH;
    else if (!is_text && shape == SHAPE_COUNT && json_is_number(value, value + len))
        put_number(&row->text, value, len);
    else if (!is_text)
        buffer_append_text(&row->text, json_is_name("null", value, len) ? "null" : "false");
    return true;
}

/* Writes the member that comes next if it is wanted, and the first of its name. */
static bool reduce_member(struct json_cursor *cursor, const struct member_name *wanted, unsigned *seen,
                          struct row_json *row)
{
    const char *name = NULL;
    size_t len = 0;
    int at = 0;
    if (!json_take_name(cursor, &name, &len))
        return false;
    while (wanted[at].text && !json_is_name(wanted[at].text, name, len))
        at++;
    if (!wanted[at].text || (*seen & 1u << at))
        return json_take_value(cursor, &name, &len);
    if (*seen != 0)
        buffer_append_char(&row->text, ',');
    *seen |= 1u << at;
    buffer_append_char(&row->text, '"');
    buffer_append_text(&row->text, wanted[at].text);
    buffer_append_text(&row->text, "\":");
    if (wanted[at].shape == SHAPE_STATS && json_comes(cursor, '{'))
        return reduce_object(cursor, OF_STATS, row);
    if (wanted[at].shape == SHAPE_TEXTS && json_comes(cursor, '['))
        return reduce_texts(cursor, row);
    return reduce_scalar(cursor, wanted[at].shape, row);
}

static bool reduce_object(struct json_cursor *cursor, const struct member_name *wanted, struct row_json *row)
{
    unsigned seen = 0;
    bool is_good = json_take(cursor, '{');
    buffer_append_char(&row->text, '{');
    if (!json_take(cursor, '}')) {
        do {
            is_good = is_good && reduce_member(cursor, wanted, &seen, row);
        } while (is_good && json_take(cursor, ','));
        is_good = is_good && json_take(cursor, '}');
    }
    buffer_append_char(&row->text, '}');
    return is_good;
}

void row_json_init(struct row_json *row, size_t max_bytes)
{
    *row = (struct row_json){0};
    buffer_init(&row->text, max_bytes);
}

void row_json_release(struct row_json *row)
{
    buffer_release(&row->text);
}

bool row_json_read(struct row_json *row, struct json_cursor *cursor)
{
    const char *value = NULL;
    size_t len = 0;
    buffer_clear(&row->text, KEEP_BYTES);
    row->is_path_broken = false;
    return json_comes(cursor, '{') ? reduce_object(cursor, OF_ROWS, row)
                                   : json_take_value(cursor, &value, &len);
}
