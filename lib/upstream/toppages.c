#include "upstream/toppages.h"

#include "base/utf8.h"
#include "upstream/json_scan.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>

enum { COUNT_MAX = 2147483647, ROWS_ROOM = 128, REDUCED_KEEP_BYTES = 64 * 1024 };

static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";

/* A body that is read value by value, so that what cJSON takes for a row is there for the next one. */
struct reader {
    const char *at;
    const char *end;
    struct arena scratch;  /* of the value that was read last */
    struct buffer reduced; /* the row that was read last */
    bool is_full;          /* it took too much memory */
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
    reader->at = json_skip_space(reader->at, reader->end);
}

/* Does this character come next, with space before it? */
static bool comes(struct reader *reader, char c)
{
    skip_space(reader);
    return reader->at < reader->end && *reader->at == c;
}

/* Takes it if it does. */
static bool take_char(struct reader *reader, char c)
{
    bool is_next = comes(reader, c);
    reader->at += is_next;
    return is_next;
}

/* A value, until the next one is read; NULL: it is none that is JSON, or is_full. */
static const cJSON *parse(struct reader *reader, const char *at, const char *end, const char **end_r)
{
    arena_clear(&reader->scratch);
    return cJSON_ParseWithLengthOpts(at, (size_t)(end - at), end_r, 0);
}

/* The value that comes next. */
static const cJSON *read_value(struct reader *reader)
{
    const char *end = NULL;
    skip_space(reader);
    if (reader->at < reader->end && *reader->at == BYTE_ORDER_MARK[0])
        return NULL; /* cJSON would take one before each value */
    const cJSON *value = parse(reader, reader->at, reader->end, &end);
    if (value)
        reader->at = end;
    return value;
}

/* Names with their quotes; one with escapes may be any. */
static bool is_one_of(const char *const *names, const char *name, size_t len_bytes)
{
    if (memchr(name, '\\', len_bytes))
        return true;
    for (; *names; names++) {
        if (strlen(*names) == len_bytes && memcmp(*names, name, len_bytes) == 0)
            return true;
    }
    return false;
}

/* The name of a member, with its quotes, and the colon behind it. */
static bool take_name(struct reader *reader, const char **name_r, size_t *len_r)
{
    bool is_string = comes(reader, '"');
    const char *end = is_string ? json_skip_value(reader->at, reader->end) : NULL;
    if (!end)
        return false;
    *name_r = reader->at;
    *len_r = (size_t)(end - reader->at);
    reader->at = end;
    return take_char(reader, ':');
}

/* Writes the value that comes next as it is; out may be NULL. False: it is no JSON. */
static bool take_raw(struct reader *reader, struct buffer *out)
{
    skip_space(reader);
    const char *end = json_skip_value(reader->at, reader->end);
    if (end && out)
        buffer_append(out, reader->at, (size_t)(end - reader->at));
    if (end)
        reader->at = end;
    return end != NULL;
}

static void put_name(struct buffer *out, const char *name, size_t len_bytes)
{
    if (out->len_bytes > 0 && out->data[out->len_bytes - 1] != '{')
        buffer_append_char(out, ',');
    buffer_append(out, name, len_bytes);
    buffer_append_char(out, ':');
}

static const char *const OF_ROWS[] = {"\"path\"",     "\"title\"", "\"i\"", "\"visitors\"",
                                      "\"sections\"", "\"stats\"", NULL};
static const char *const OF_STATS[] = {"\"people\"", "\"visits\"", "\"search\"",   "\"social\"",
                                       "\"links\"",  "\"direct\"", "\"internal\"", NULL};

static bool reduce_object(struct reader *reader, const char *const *wanted, struct buffer *out);

/* Writes the member that comes next if it is wanted; of one of a row that is an object, what is of stats. */
static bool reduce_member(struct reader *reader, const char *const *wanted, struct buffer *out)
{
    const char *name = NULL;
    size_t len = 0;
    if (!take_name(reader, &name, &len))
        return false;
    if (!is_one_of(wanted, name, len))
        return take_raw(reader, NULL);
    put_name(out, name, len);
    return wanted == OF_ROWS && comes(reader, '{') ? reduce_object(reader, OF_STATS, out)
                                                   : take_raw(reader, out);
}

static bool reduce_object(struct reader *reader, const char *const *wanted, struct buffer *out)
{
    bool is_good = take_char(reader, '{');
    buffer_append_char(out, '{');
    if (!take_char(reader, '}')) {
        do {
            is_good = is_good && reduce_member(reader, wanted, out);
        } while (is_good && take_char(reader, ','));
        is_good = is_good && take_char(reader, '}');
    }
    buffer_append_char(out, '}');
    return is_good;
}

/* The row that comes next, of its members those that are read here. */
static const cJSON *read_row_json(struct reader *reader)
{
    struct buffer *out = &reader->reduced;
    buffer_clear(out, REDUCED_KEEP_BYTES);
    bool is_good = comes(reader, '{') ? reduce_object(reader, OF_ROWS, out) : take_raw(reader, out);
    if (!is_good)
        return NULL;
    if (out->status == STATUS_OK)
        return parse(reader, out->data, out->data + out->len_bytes, NULL);
    reader->is_full = true;
    return NULL;
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
static enum status read_rows(struct reader *reader, bool legacy, struct arena *arena, struct toppages *out)
{
    size_t room = 0;
    if (!take_char(reader, '['))
        return STATUS_INVALID;
    if (take_char(reader, ']'))
        return STATUS_OK;
    do {
        const cJSON *row = read_row_json(reader);
        if (!row)
            return reader->is_full ? STATUS_TOO_LARGE : STATUS_INVALID;
        if (!take_row(row, legacy, arena, &room, out))
            return STATUS_TOO_LARGE;
    } while (take_char(reader, ','));
    return take_char(reader, ']') ? STATUS_OK : STATUS_INVALID;
}

/* What an object has besides rows; of a name given twice the first counts. */
struct members {
    bool has_pages;
    bool has_list;
    bool has_other_pages; /* neither an array nor null */
    bool has_message;
};

static enum status read_member(struct reader *reader, struct members *members, struct arena *arena,
                               struct toppages *out)
{
    const cJSON *name = read_value(reader);
    if (!cJSON_IsString(name))
        return reader->is_full ? STATUS_TOO_LARGE : STATUS_INVALID;
    bool is_pages = strcmp(name->valuestring, "pages") == 0 && !members->has_pages;
    members->has_pages |= is_pages;
    members->has_message |=
        strcmp(name->valuestring, "error") == 0 || strcmp(name->valuestring, "message") == 0;
    if (!take_char(reader, ':'))
        return STATUS_INVALID;
    if (is_pages && comes(reader, '[')) {
        members->has_list = true;
        return read_rows(reader, false, arena, out);
    }
    const cJSON *value = read_value(reader);
    if (!value)
        return reader->is_full ? STATUS_TOO_LARGE : STATUS_INVALID;
    members->has_other_pages |= is_pages && !cJSON_IsNull(value);
    return STATUS_OK;
}

static enum status read_object(struct reader *reader, struct arena *arena, struct toppages *out,
                               const char **why_r)
{
    struct members members = {0};
    enum status result = STATUS_OK;
    if (take_char(reader, '}'))
        return STATUS_OK;
    do {
        result = read_member(reader, &members, arena, out);
    } while (result == STATUS_OK && take_char(reader, ','));
    if (result != STATUS_OK)
        return result;
    if (!take_char(reader, '}'))
        return STATUS_INVALID;
    if (members.has_other_pages)
        *why_r = "\"pages\" is not an array";
    else if (members.has_message && !members.has_list)
        *why_r = "an error message in place of a list";
    return *why_r ? STATUS_INVALID : STATUS_OK;
}

static enum status read_body(struct reader *reader, struct arena *arena, struct toppages *out,
                             const char **why_r)
{
    if (reader->end - reader->at >= 3 && memcmp(reader->at, BYTE_ORDER_MARK, 3) == 0)
        reader->at += 3;
    enum status result = STATUS_INVALID;
    skip_space(reader);
    if (reader->at == reader->end) {
        *why_r = "empty";
    } else if (comes(reader, '[')) {
        result = read_rows(reader, true, arena, out);
    } else if (take_char(reader, '{')) {
        result = read_object(reader, arena, out, why_r);
    } else if (read_value(reader)) {
        *why_r = "JSON, but neither an object nor an array";
    }
    skip_space(reader);
    if (result == STATUS_OK && reader->at != reader->end) {
        *why_r = "something behind the JSON";
        result = STATUS_INVALID;
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

enum status toppages_parse(const char *body, size_t len_bytes, struct arena *arena,
                           struct toppages *toppages_r, const char **why_r)
{
    struct toppages found = {0};
    struct reader reader = {.at = body, .end = body + len_bytes};
    *why_r = fault_of_bytes(body, len_bytes);
    if (*why_r)
        return STATUS_INVALID;
    cJSON_Hooks hooks = {scratch_malloc, scratch_free};
    arena_init(&reader.scratch, arena->max_bytes);
    buffer_init(&reader.reduced, arena->max_bytes);
    under_way = &reader;
    cJSON_InitHooks(&hooks);
    enum status result = read_body(&reader, arena, &found, why_r);
    cJSON_InitHooks(NULL);
    under_way = NULL;
    arena_release(&reader.scratch);
    buffer_release(&reader.reduced);
    if (result == STATUS_OK)
        result = pages_merge(&found.pages, arena) == STATUS_OK ? STATUS_OK : STATUS_TOO_LARGE;
    if (result == STATUS_OK)
        *toppages_r = found;
    else if (!*why_r)
        *why_r = result == STATUS_TOO_LARGE ? "JSON that takes too much memory"
                                            : "not JSON, cut short or nested too deeply";
    return result;
}
