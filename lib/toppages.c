#include "toppages.h"

#include "utf8.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>

enum { COUNT_MAX = 2147483647, ROWS_ROOM = 128 };

static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";

/* A body that is read value by value, so that what cJSON takes for a row is there for the next one. */
struct reader {
    const char *at;
    const char *end;
    struct arena scratch; /* of the value that was read last */
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

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at))
        reader->at++;
}

/* Takes this character, with space before it, if it comes next. */
static bool take_char(struct reader *reader, char c)
{
    skip_space(reader);
    bool is_next = reader->at < reader->end && *reader->at == c;
    reader->at += is_next;
    return is_next;
}

static bool comes_array(struct reader *reader)
{
    skip_space(reader);
    return reader->at < reader->end && *reader->at == '[';
}

/* The value that comes next, until the one after it; NULL: none that is JSON, or is_full. */
static const cJSON *read_value(struct reader *reader)
{
    const char *end = NULL;
    arena_clear(&reader->scratch);
    skip_space(reader);
    if (reader->at < reader->end && *reader->at == BYTE_ORDER_MARK[0])
        return NULL; /* cJSON would take one before each value */
    const cJSON *value = cJSON_ParseWithLengthOpts(reader->at, (size_t)(reader->end - reader->at), &end, 0);
    if (value)
        reader->at = end;
    return value;
}

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

/* False: the row is of no use. The page's path and title are still the row's. */
static bool read_row(const cJSON *row, bool legacy, struct page *page)
{
    const cJSON *path = member(row, "path");
    const cJSON *title = member(row, legacy ? "i" : "title");
    if (!cJSON_IsObject(row) || !cJSON_IsString(path) || !read_count(count_of(row, legacy), &page->visitors))
        return false;
    size_t path_bytes = 0;
    pages_normal_path(path->valuestring, strlen(path->valuestring), &page->path, &path_bytes);
    if (path_bytes > PATH_MAX_BYTES)
        return false;
    page->path_bytes = (uint32_t)path_bytes;
    page->title = cJSON_IsString(title) ? title->valuestring : "";
    page->title_bytes = (uint32_t)utf8_cut(page->title, strlen(page->title), TITLE_MAX_BYTES);
    read_sources(member(row, "stats"), page);
    return true;
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

/* Keeps what the row says, in the arena. */
static bool take_row(const cJSON *row, bool legacy, struct arena *arena, size_t *room, struct toppages *out)
{
    struct page page;
    if (!read_row(row, legacy, &page)) {
        out->refused_rows++;
        return true;
    }
    page.path = arena_copy(arena, page.path, page.path_bytes);
    page.title = arena_copy(arena, page.title, page.title_bytes);
    if (!page.path || !page.title || !copy_sections(member(row, "sections"), arena, &page) ||
        !make_room(&out->pages, arena, room))
        return false;
    out->pages.items[out->pages.count++] = page;
    return true;
}

/* From the bracket to its other half. */
static enum up_result read_rows(struct reader *reader, bool legacy, struct arena *arena, struct toppages *out)
{
    size_t room = 0;
    if (!take_char(reader, '['))
        return UP_INVALID;
    if (take_char(reader, ']'))
        return UP_OK;
    do {
        const cJSON *row = read_value(reader);
        if (!row)
            return reader->is_full ? UP_TOO_LARGE : UP_INVALID;
        if (!take_row(row, legacy, arena, &room, out))
            return UP_TOO_LARGE;
    } while (take_char(reader, ','));
    return take_char(reader, ']') ? UP_OK : UP_INVALID;
}

/* What an object has besides rows; of a name given twice the first counts. */
struct members {
    bool has_pages;
    bool has_list;
    bool has_other_pages; /* neither an array nor null */
    bool has_message;
};

static enum up_result read_member(struct reader *reader, struct members *members, struct arena *arena,
                                  struct toppages *out)
{
    const cJSON *name = read_value(reader);
    if (!cJSON_IsString(name))
        return reader->is_full ? UP_TOO_LARGE : UP_INVALID;
    bool is_pages = strcmp(name->valuestring, "pages") == 0 && !members->has_pages;
    members->has_pages |= is_pages;
    members->has_message |=
        strcmp(name->valuestring, "error") == 0 || strcmp(name->valuestring, "message") == 0;
    if (!take_char(reader, ':'))
        return UP_INVALID;
    if (is_pages && comes_array(reader)) {
        members->has_list = true;
        return read_rows(reader, false, arena, out);
    }
    const cJSON *value = read_value(reader);
    if (!value)
        return reader->is_full ? UP_TOO_LARGE : UP_INVALID;
    members->has_other_pages |= is_pages && !cJSON_IsNull(value);
    return UP_OK;
}

static enum up_result read_object(struct reader *reader, struct arena *arena, struct toppages *out,
                                  const char **why_r)
{
    struct members members = {0};
    enum up_result result = UP_OK;
    if (take_char(reader, '}'))
        return UP_OK;
    do {
        result = read_member(reader, &members, arena, out);
    } while (result == UP_OK && take_char(reader, ','));
    if (result != UP_OK)
        return result;
    if (!take_char(reader, '}'))
        return UP_INVALID;
    if (members.has_other_pages)
        *why_r = "\"pages\" is not an array";
    else if (members.has_message && !members.has_list)
        *why_r = "an error message in place of a list";
    return *why_r ? UP_INVALID : UP_OK;
}

static enum up_result read_body(struct reader *reader, struct arena *arena, struct toppages *out,
                                const char **why_r)
{
    if (reader->end - reader->at >= 3 && memcmp(reader->at, BYTE_ORDER_MARK, 3) == 0)
        reader->at += 3;
    enum up_result result = UP_INVALID;
    skip_space(reader);
    if (reader->at == reader->end) {
        *why_r = "empty";
    } else if (comes_array(reader)) {
        result = read_rows(reader, true, arena, out);
    } else if (take_char(reader, '{')) {
        result = read_object(reader, arena, out, why_r);
    } else if (read_value(reader)) {
        *why_r = "JSON, but neither an object nor an array";
    }
    skip_space(reader);
    if (result == UP_OK && reader->at != reader->end) {
        *why_r = "something behind the JSON";
        result = UP_INVALID;
    }
    return result;
}

static const char *fault_of_bytes(const char *body, size_t len_bytes)
{
    if (memchr(body, '\0', len_bytes))
        return "a NUL byte in it";
    if (!utf8_valid(body, len_bytes))
        return "not UTF-8";
    return utf8_json_has_nul_escape(body, len_bytes) ? "the escape \\u0000 in it" : NULL;
}

enum up_result toppages_parse(const char *body, size_t len_bytes, struct arena *arena,
                              struct toppages *toppages_r, const char **why_r)
{
    struct toppages found = {0};
    struct reader reader = {.at = body, .end = body + len_bytes};
    *why_r = fault_of_bytes(body, len_bytes);
    if (*why_r)
        return UP_INVALID;
    cJSON_Hooks hooks = {scratch_malloc, scratch_free};
    arena_init(&reader.scratch, arena->max_bytes);
    under_way = &reader;
    cJSON_InitHooks(&hooks);
    enum up_result result = read_body(&reader, arena, &found, why_r);
    cJSON_InitHooks(NULL);
    under_way = NULL;
    arena_release(&reader.scratch);
    if (result == UP_OK)
        result = pages_merge(&found.pages, arena) == UP_OK ? UP_OK : UP_TOO_LARGE;
    if (result == UP_OK)
        *toppages_r = found;
    else if (!*why_r)
        *why_r = result == UP_TOO_LARGE ? "JSON that takes too much memory"
                                        : "not JSON, cut short or nested too deeply";
    return result;
}
