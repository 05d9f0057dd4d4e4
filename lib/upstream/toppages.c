#include "upstream/toppages.h"

#include "base/utf8.h"
#include "upstream/row_json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>
#include <strings.h>

enum { COUNT_MAX = 2147483647, ROWS_ROOM = 128 };

static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";

/* A body that is read row by row, so that what cJSON takes for a row is there for the next one. */
struct reader {
    struct json_cursor cursor;
    struct row_json row;  /* that was read last */
    struct arena scratch; /* of what cJSON made of it */
    const struct page_path_rules *rules;
    struct arena *arena;  /* of what is kept */
    struct toppages *out; /* what is kept */
    bool is_full;         /* it took too much memory */
};

/* cJSON's allocator has no context. */
static struct reader *under_way;

static void *scratch_malloc(size_t len_bytes)
{
    void *at = arena_alloc(&under_way->scratch, len_bytes);
    if (!at)
        under_way->is_full = true;
    return at;
}

static void scratch_free(void *at)
{
    (void)at; /* dropped with the scratch arena */
}

/* The row that comes next, until the one behind it is read; *row_r is NULL where it is no object. False: it
 * is no JSON, or is_full. */
static bool read_row_json(struct reader *reader, const cJSON **row_r)
{
    const struct buffer *text = &reader->row.text;
    *row_r = NULL;
    if (!row_json_read(&reader->row, &reader->cursor))
        return false;
    reader->is_full |= text->status != STATUS_OK;
    if (reader->is_full || text->len_bytes == 0)
        return !reader->is_full;
    arena_clear(&reader->scratch);
    *row_r = cJSON_ParseWithLength(text->data, text->len_bytes);
    return *row_r != NULL;
}

/* --- What a row says ---------------------------------------------------------------------------------------
 */

static bool read_count(const cJSON *item, uint32_t *count_r)
{
    double number = NAN;
    if (cJSON_IsNumber(item)) {
        number = item->valuedouble;
    } else if (cJSON_IsString(item) && item->valuestring[0] >= '0' && item->valuestring[0] <= '9') {
        char *end = NULL;
        number = strtod(item->valuestring, &end);
        /* strtod() takes hexadecimal too. */
        if (*end != '\0' || item->valuestring[strspn(item->valuestring, "0123456789.eE+-")] != '\0')
            return false;
    }
    if (!isfinite(number) || number < 0 || number > COUNT_MAX)
        return false;
    *count_r = (uint32_t)llround(number);
    return true;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const cJSON *count_of(const cJSON *row, bool legacy)
{
    if (legacy)
        return member(row, "visitors");
    const cJSON *stats = member(row, "stats");
    const cJSON *people = member(stats, "people");
    return people && !cJSON_IsNull(people) ? people : member(stats, "visits");
}

static void read_sources(const cJSON *stats, struct page *page)
{
    static const char *const names[PAGE_SOURCES] = {
        [SOURCE_SEARCH] = "search", [SOURCE_SOCIAL] = "social",     [SOURCE_LINKS] = "links",
        [SOURCE_DIRECT] = "direct", [SOURCE_INTERNAL] = "internal",
    };
    for (int i = 0; i < PAGE_SOURCES; i++) {
        page->sources[i] = 0;
        if (!read_count(member(stats, names[i]), &page->sources[i]))
            page->sources[i] = 0;
    }
}

static bool copy_sections(const cJSON *sections, struct arena *arena, struct page *page)
{
    const cJSON *section = NULL;
    struct buffer joined;
    buffer_init(&joined, SECTIONS_MAX_BYTES);
    if (!cJSON_IsArray(sections))
        sections = NULL;
    cJSON_ArrayForEach(section, sections)
    {
        if (!cJSON_IsString(section) || section->valuestring[0] == '\0' ||
            joined.len_bytes + strlen(section->valuestring) + 1 > SECTIONS_MAX_BYTES)
            continue;
        if (joined.len_bytes > 0)
            buffer_append_char(&joined, SECTION_SEPARATOR);
        buffer_append_text(&joined, section->valuestring);
    }
    page->sections_bytes = (uint32_t)joined.len_bytes;
    page->sections = arena_copy(arena, joined.data, joined.len_bytes);
    buffer_release(&joined);
    return page->sections != NULL;
}

static enum row_fault fault_of_count(const cJSON *row, bool legacy, struct page *page)
{
    return read_count(count_of(row, legacy), &page->visitors) ? ROW_FAULTS : ROW_NO_COUNT;
}

/* Spells the path into `spelled`. ROW_FAULTS: there is no fault. */
static enum row_fault read_path(const struct reader *reader, const cJSON *row, char *spelled,
                                struct page *page)
{
    const cJSON *path = member(row, "path");
    size_t path_bytes = 0;
    if (!row)
        return ROW_NO_OBJECT;
    if (!cJSON_IsString(path))
        return ROW_NO_PATH;
    if (reader->row.is_path_broken)
        return ROW_BROKEN_PATH;
    if (page_path_normal(path->valuestring, strlen(path->valuestring), reader->rules, spelled, &path_bytes) !=
        STATUS_OK)
        return ROW_LONG_PATH;
    page->path = spelled;
    page->path_bytes = (uint32_t)path_bytes;
    return ROW_FAULTS;
}

static bool make_room(struct page_list *list, struct arena *arena, size_t *room)
{
    if (list->count < *room)
        return true;
    size_t more = *room > 0 ? *room * 2 : ROWS_ROOM;
    struct page *items = arena_alloc(arena, more * sizeof *items);
    if (!items)
        return false;
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    *room = more;
    return true;
}

/* Keeps a row without fault; false: it took too much memory. */
static bool keep_row(struct reader *reader, const cJSON *row, bool legacy, struct page *page, size_t *room)
{
    struct page_list *list = &reader->out->pages;
    const cJSON *title = member(row, legacy ? "i" : "title");
    page->title = cJSON_IsString(title) ? title->valuestring : "";
    page->title_bytes = (uint32_t)utf8_cut(page->title, strlen(page->title), TITLE_MAX_BYTES);
    read_sources(member(row, "stats"), page);
    page->path = arena_copy(reader->arena, page->path, page->path_bytes);
    page->title = arena_copy(reader->arena, page->title, page->title_bytes);
    if (!page->path || !page->title || !copy_sections(member(row, "sections"), reader->arena, page) ||
        !make_room(list, reader->arena, room))
        return false;
    list->items[list->count++] = *page;
    return true;
}

static bool take_row(struct reader *reader, const cJSON *row, bool legacy, size_t *room)
{
    char spelled[PATH_MAX_BYTES];
    struct page page;
    enum row_fault fault = read_path(reader, row, spelled, &page);
    if (fault == ROW_FAULTS)
        fault = fault_of_count(row, legacy, &page);
    reader->out->rows++;
    if (fault == ROW_FAULTS)
        return keep_row(reader, row, legacy, &page, room);
    reader->out->refused[fault]++;
    reader->out->refused_rows++;
    return true;
}

/* From the bracket to its other half. */
static enum status read_rows(struct reader *reader, bool legacy)
{
    const cJSON *row = NULL;
    size_t room = 0;
    if (!json_take(&reader->cursor, '['))
        return STATUS_INVALID;
    if (json_take(&reader->cursor, ']'))
        return STATUS_OK;
    do {
        if (!read_row_json(reader, &row))
            return reader->is_full ? STATUS_TOO_LARGE : STATUS_INVALID;
        if (!take_row(reader, row, legacy, &room))
            return STATUS_TOO_LARGE;
    } while (json_take(&reader->cursor, ','));
    return json_take(&reader->cursor, ']') ? STATUS_OK : STATUS_INVALID;
}

/* --- The answer as a whole ---------------------------------------------------------------------------------
 */

/* What an object has besides rows; of a name given twice the first counts. */
struct members {
    bool has_pages;
    bool has_list;
};

static bool is_one_of(const char *const *words, const char *text, size_t len_bytes)
{
    for (; *words; words++) {
        if (strlen(*words) == len_bytes && strncasecmp(*words, text, len_bytes) == 0)
            return true;
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* 400 to 599, as a number or in quotes. */
static bool is_status_of_error(const char *value, size_t len_bytes)
{
    size_t quote = len_bytes == 5 && *value == '"';
    const char *at = value + quote;
    return len_bytes == 3 + 2 * quote && (*at == '4' || *at == '5') && is_digit(at[1]) && is_digit(at[2]);
}

/* Does this member say that there was an error? "error":null, false, 0, "", [] and {} do not. */
static bool is_error(const char *name, size_t name_bytes, const char *value, size_t len_bytes)
{
    static const char *const errors[] = {"error", "errors", "fault", "exception", NULL};
    static const char *const none[] = {"null", "false", "0", "\"\"", "[]", "{}", NULL};
    static const char *const states[] = {"status", "code", "statusCode", "status_code", NULL};
    static const char *const bad[] = {"\"error\"", "\"fail\"", "\"failed\"", "\"failure\"", NULL};
    static const char *const successes[] = {"success", "ok", NULL};
    if (is_one_of(errors, name, name_bytes))
        return !is_one_of(none, value, len_bytes);
    if (is_one_of(states, name, name_bytes))
        return is_one_of(bad, value, len_bytes) || is_status_of_error(value, len_bytes);
    return is_one_of(successes, name, name_bytes) &&
           is_one_of((const char *[]){"false", NULL}, value, len_bytes);
}

static enum status read_member(struct reader *reader, struct members *members)
{
    const char *name = NULL;
    const char *value = NULL;
    size_t name_bytes = 0;
    size_t len = 0;
    if (!json_take_name(&reader->cursor, &name, &name_bytes))
        return STATUS_INVALID;
    bool is_pages = !members->has_pages && json_is_name("pages", name, name_bytes);
    members->has_pages |= is_pages;
    if (is_pages && json_comes(&reader->cursor, '[')) {
        members->has_list = true;
        return read_rows(reader, false);
    }
    if (!json_take_value(&reader->cursor, &value, &len))
        return STATUS_INVALID;
    reader->out->says_error |= is_error(name, name_bytes, value, len);
    return STATUS_OK;
}

static enum status read_object(struct reader *reader, const char **why_r)
{
    struct members members = {0};
    enum status result = STATUS_OK;
    if (!json_take(&reader->cursor, '}')) {
        do {
            result = read_member(reader, &members);
        } while (result == STATUS_OK && json_take(&reader->cursor, ','));
        if (result == STATUS_OK && !json_take(&reader->cursor, '}'))
            result = STATUS_INVALID;
    }
    if (result != STATUS_OK || members.has_list)
        return result;
    *why_r = members.has_pages ? "\"pages\" is no list" : "an object without a list of pages";
    return STATUS_INVALID;
}

/* Behind the JSON: space, NULs, a broken character. */
static const char *skip_what_is_no_text(const char *at, const char *end)
{
    while (at < end && ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f))
        at++;
    return at;
}

static enum status read_body(struct reader *reader, const char **why_r)
{
    struct json_cursor *cursor = &reader->cursor;
    if (cursor->end - cursor->at >= 3 && memcmp(cursor->at, BYTE_ORDER_MARK, 3) == 0)
        cursor->at += 3;
    enum status result = STATUS_INVALID;
    if (json_skip_space(cursor->at, cursor->end) == cursor->end)
        *why_r = "empty";
    else if (json_comes(&reader->cursor, '['))
        result = read_rows(reader, true);
    else if (json_take(&reader->cursor, '{'))
        result = read_object(reader, why_r);
    else
        *why_r = "neither a list nor an object";
    if (result == STATUS_OK)
        cursor->at = skip_what_is_no_text(cursor->at, cursor->end);
    if (result == STATUS_OK && cursor->at != cursor->end) {
        *why_r = "something behind the JSON";
        result = STATUS_INVALID;
    }
    return result;
}

enum status toppages_parse(const char *body, size_t len_bytes, const struct page_path_rules *rules,
                           struct arena *arena, struct toppages *toppages_r, const char **why_r)
{
    struct toppages found = {0};
    struct reader reader = {
        .cursor = {body, body + len_bytes}, .rules = rules, .arena = arena, .out = &found};
    cJSON_Hooks hooks = {scratch_malloc, scratch_free};
    *why_r = NULL;
    arena_init(&reader.scratch, arena->max_bytes);
    row_json_init(&reader.row, arena->max_bytes);
    under_way = &reader;
    cJSON_InitHooks(&hooks);
    enum status result = read_body(&reader, why_r);
    cJSON_InitHooks(NULL);
    under_way = NULL;
    arena_release(&reader.scratch);
    row_json_release(&reader.row);
    found.mended_texts = reader.row.mended_texts;
    if (result == STATUS_OK)
        result = pages_merge(&found.pages, arena) == STATUS_OK ? STATUS_OK : STATUS_TOO_LARGE;
    if (result == STATUS_OK)
        *toppages_r = found;
    else if (!*why_r)
        *why_r = result == STATUS_TOO_LARGE ? "JSON that takes too much memory"
                                            : "not JSON, cut short or nested too deeply";
    return result;
}

void toppages_say_refused(const struct toppages *toppages, struct buffer *out)
{
    static const char *const words[ROW_FAULTS] = {
        [ROW_NO_OBJECT] = "that are no objects",  [ROW_NO_PATH] = "without a path",
        [ROW_BROKEN_PATH] = "with a broken path", [ROW_LONG_PATH] = "with a path that is too long",
        [ROW_NO_COUNT] = "without a count",
    };
    const char *before = ":";
    if (toppages->refused_rows == 0)
        return;
    buffer_append_format(out, "%zu of %zu rows", toppages->refused_rows, toppages->rows);
    for (int i = 0; i < ROW_FAULTS; i++) {
        if (toppages->refused[i] == 0)
            continue;
        buffer_append_format(out, "%s %zu %s", before, toppages->refused[i], words[i]);
        before = ",";
    }
}
