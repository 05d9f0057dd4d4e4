#include "pages/page_list.h"

#include "pages/page_index.h"

#include <stdbool.h>

enum { VISITORS_MAX = 2147483647 };

static void encode_field(const char *bytes, size_t len_bytes, struct buffer *out)
{
    size_t start = 0;
    for (size_t i = 0; i < len_bytes; i++) {
        const char *escape = bytes[i] == '\\'   ? "\\\\"
                             : bytes[i] == '\t' ? "\\t"
                             : bytes[i] == '\n' ? "\\n"
                             : bytes[i] == '\r' ? "\\r"
                                                : NULL;
        if (!escape)
            continue;
        buffer_append(out, bytes + start, i - start);
        buffer_append(out, escape, 2);
        start = i + 1;
    }
    buffer_append(out, bytes + start, len_bytes - start);
}

void pages_encode(const struct page_list *list, struct buffer *out)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct page *page = &list->items[i];
        buffer_append_int(out, page->visitors);
        buffer_append_char(out, '\t');
        encode_field(page->path, page->path_bytes, out);
        buffer_append_char(out, '\t');
        encode_field(page->title, page->title_bytes, out);
        buffer_append_char(out, '\n');
    }
}

/* Replaces escapes by their characters, in place. Returns the new length, or -1 at a bad escape. */
static long decode_field(char *bytes, size_t len_bytes)
{
    char *at = memchr(bytes, '\\', len_bytes);
    if (!at)
        return (long)len_bytes;
    char *end = bytes + len_bytes;
    char *to = at;
    while (at < end) {
        char c = *at++;
        if (c == '\\') {
            if (at == end)
                return -1;
            c = *at++;
            c = (char)(c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == '\\' ? '\\' : '\0');
            if (c == '\0')
                return -1;
        }
        *to++ = c;
    }
    return to - bytes;
}

static bool decode_number(const char *at, const char *end, uint32_t *number_r)
{
    uint64_t number = 0;
    if (at == end)
        return false;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        number = number * 10 + (uint64_t)(*at - '0');
        if (number > VISITORS_MAX)
            return false;
    }
    *number_r = (uint32_t)number;
    return true;
}

static bool decode_line(char *line, char *end, struct page *page)
{
    char *path = memchr(line, '\t', (size_t)(end - line));
    if (!path || !decode_number(line, path, &page->visitors))
        return false;
    path++;
    char *title = memchr(path, '\t', (size_t)(end - path));
    if (!title)
        return false;
    long path_bytes = decode_field(path, (size_t)(title - path));
    title++;
    long title_bytes = decode_field(title, (size_t)(end - title));
    if (path_bytes < 0 || title_bytes < 0)
        return false;
    *page = (struct page){
        .path = path,
        .path_bytes = (uint32_t)path_bytes,
        .title = title,
        .title_bytes = (uint32_t)title_bytes,
        .visitors = page->visitors,
    };
    return true;
}

static size_t count_lines(const char *text, size_t len_bytes)
{
    size_t lines = 0;
    const char *end = text + len_bytes;
    for (const char *at = text; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        lines++;
    return lines;
}

enum status pages_decode(char *text, size_t len_bytes, struct arena *arena, struct page_list *list_r)
{
    if (len_bytes == 0) {
        *list_r = (struct page_list){0};
        return STATUS_OK;
    }
    if (text[len_bytes - 1] != '\n')
        return STATUS_INVALID;
    size_t lines = count_lines(text, len_bytes);
    struct page *items = arena_alloc(arena, lines * sizeof *items);
    if (!items)
        return STATUS_NO_MEMORY;
    char *line = text;
    char *end = text + len_bytes;
    for (size_t i = 0; i < lines; i++) {
        char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (!decode_line(line, line_end, &items[i]))
            return STATUS_INVALID;
        line = line_end + 1;
    }
    *list_r = (struct page_list){items, lines};
    return STATUS_OK;
}

int pages_compare_path(const struct page *a, const struct page *b)
{
    uint32_t shorter = a->path_bytes < b->path_bytes ? a->path_bytes : b->path_bytes;
    int order = memcmp(a->path, b->path, shorter);
    if (order != 0)
        return order;
    return (a->path_bytes > b->path_bytes) - (a->path_bytes < b->path_bytes);
}

static int compare_rank(const void *left, const void *right)
{
    const struct page *a = left;
    const struct page *b = right;
    if (a->visitors != b->visitors)
        return a->visitors < b->visitors ? 1 : -1;
    return pages_compare_path(a, b);
}

static uint32_t add_capped(uint32_t a, uint32_t b)
{
    uint64_t sum = (uint64_t)a + b;
    return sum > VISITORS_MAX ? VISITORS_MAX : (uint32_t)sum;
}

/* The row with more visitors gives the title; the first row, if both have as many. */
static void absorb(struct page *into, uint32_t *largest, const struct page *page)
{
    if (page->visitors > *largest) {
        into->title = page->title;
        into->title_bytes = page->title_bytes;
        into->sections = page->sections;
        into->sections_bytes = page->sections_bytes;
        *largest = page->visitors;
    }
    into->visitors = add_capped(into->visitors, page->visitors);
    for (int i = 0; i < PAGE_SOURCES; i++)
        into->sources[i] = add_capped(into->sources[i], page->sources[i]);
}

enum status pages_merge(struct page_list *list, struct arena *arena)
{
    if (list->count == 0)
        return STATUS_OK;
    struct page *merged = arena_alloc(arena, list->count * sizeof *merged);
    uint32_t *largest = arena_alloc(arena, list->count * sizeof *largest);
    struct page_index *index = page_index_new(&(struct page_list){0}, arena);
    if (!merged || !largest || !index)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    enum status result = STATUS_OK;
    for (size_t i = 0; i < list->count && result == STATUS_OK; i++) {
        struct page *same = page_index_find(index, &list->items[i]);
        if (same) {
            absorb(same, &largest[same - merged], &list->items[i]);
            continue;
        }
        merged[count] = list->items[i];
        largest[count] = list->items[i].visitors;
        if (!page_index_add(index, &merged[count++]))
            result = STATUS_NO_MEMORY;
    }
    page_index_free(index);
    if (result != STATUS_OK)
        return result;
    qsort(merged, count, sizeof *merged, compare_rank);
    *list = (struct page_list){merged, count};
    return STATUS_OK;
}
