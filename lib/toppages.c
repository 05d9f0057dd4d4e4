#include "toppages.h"

#include "utf8.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>

enum { COUNT_MAX = 2147483647 };

/* cJSON's allocator has no context; the arena of the parse under way. */
static struct arena *parse_arena;
static bool parse_arena_full;

static void *arena_malloc(size_t len_bytes)
{
    void *at = arena_alloc(parse_arena, len_bytes);
    if (!at)
        parse_arena_full = true;
    return at;
}

static void arena_free(void *at)
{
    (void)at; /* dropped with the arena */
}

static cJSON *parse_json(const char *body, size_t len_bytes, struct arena *arena, const char **end_r)
{
    cJSON_Hooks hooks = {arena_malloc, arena_free};
    parse_arena = arena;
    parse_arena_full = false;
    cJSON_InitHooks(&hooks);
    cJSON *root = cJSON_ParseWithLengthOpts(body, len_bytes, end_r, 0);
    cJSON_InitHooks(NULL);
    return root;
}

static bool only_space(const char *at, const char *end)
{
    while (at < end && strchr(" \t\r\n", *at))
        at++;
    return at == end;
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

static bool read_sections(const cJSON *sections, struct arena *arena, struct page *page)
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

static enum up_result read_rows(const cJSON *rows, bool legacy, struct arena *arena, struct toppages *out)
{
    size_t room = 0;
    const cJSON *row = NULL;
    cJSON_ArrayForEach(row, rows) room++;
    out->pages.items = arena_alloc(arena, room * sizeof *out->pages.items);
    if (!out->pages.items)
        return UP_TOO_LARGE;
    cJSON_ArrayForEach(row, rows)
    {
        struct page *page = &out->pages.items[out->pages.count];
        if (!read_row(row, legacy, page)) {
            out->refused_rows++;
            continue;
        }
        if (!read_sections(member(row, "sections"), arena, page))
            return UP_TOO_LARGE;
        out->pages.count++;
    }
    return pages_merge(&out->pages, arena) == UP_OK ? UP_OK : UP_TOO_LARGE;
}

/* The array of rows; NULL with *why_r NULL is a quiet site, NULL with a reason is no list. */
static const cJSON *rows_of(const cJSON *root, bool *legacy_r, const char **why_r)
{
    *why_r = NULL;
    *legacy_r = cJSON_IsArray(root);
    if (*legacy_r)
        return root;
    const cJSON *pages = member(root, "pages");
    if (cJSON_IsArray(pages))
        return pages;
    if (!cJSON_IsObject(root))
        *why_r = "JSON, but neither an object nor an array";
    else if (pages && !cJSON_IsNull(pages))
        *why_r = "\"pages\" is not an array";
    else if (member(root, "error") || member(root, "message"))
        *why_r = "an error message in place of a list";
    return NULL;
}

static const char *fault_of_bytes(const char *body, size_t len_bytes)
{
    if (memchr(body, '\0', len_bytes))
        return "a NUL byte in it";
    if (!utf8_valid(body, len_bytes))
        return "not UTF-8";
    if (utf8_json_has_nul_escape(body, len_bytes))
        return "the escape \\u0000 in it";
    return only_space(body, body + len_bytes) ? "empty" : NULL;
}

enum up_result toppages_parse(const char *body, size_t len_bytes, struct arena *arena,
                              struct toppages *toppages_r, const char **why_r)
{
    struct toppages found = {0};
    *why_r = fault_of_bytes(body, len_bytes);
    if (*why_r)
        return UP_INVALID;
    const char *end = NULL;
    cJSON *root = parse_json(body, len_bytes, arena, &end);
    if (!root) {
        *why_r =
            parse_arena_full ? "JSON that takes too much memory" : "not JSON, cut short or nested too deeply";
        return parse_arena_full ? UP_TOO_LARGE : UP_INVALID;
    }
    if (!only_space(end, body + len_bytes)) {
        *why_r = "something behind the JSON";
        return UP_INVALID;
    }
    bool legacy = false;
    const cJSON *rows = rows_of(root, &legacy, why_r);
    if (*why_r)
        return UP_INVALID;
    enum up_result result = rows ? read_rows(rows, legacy, arena, &found) : UP_OK;
    if (result == UP_OK)
        *toppages_r = found;
    else
        *why_r = "a list that takes too much memory";
    return result;
}
