#include "store/page_columns.h"

#include <stdbool.h>

/* A text of an array literal: quoted, with backslashes in front of quotes and backslashes. */
static void put_element(struct buffer *out, const char *bytes, size_t len_bytes)
{
    const char *end = bytes + len_bytes;
    const char *run = bytes;
    buffer_append_char(out, '"');
    for (const char *at = bytes; at < end; at++) {
        if (*at == '"' || *at == '\\') {
            buffer_append(out, run, (size_t)(at - run));
            buffer_append_char(out, '\\');
            run = at;
        }
    }
    buffer_append(out, run, (size_t)(end - run));
    buffer_append_char(out, '"');
}

static bool has_sources(const struct page_list *pages)
{
    for (size_t i = 0; i < pages->count; i++) {
        for (int k = 0; k < PAGE_SOURCES; k++) {
            if (pages->items[i].sources[k] > 0)
                return true;
        }
    }
    return false;
}

static void put_sources(struct buffer *out, const struct page *page)
{
    for (int k = 0; k < PAGE_SOURCES; k++) {
        if (k > 0)
            buffer_append_char(out, ',');
        buffer_append_int(out, page->sources[k]);
    }
}

enum status page_columns_encode(const struct page_list *pages, struct page_columns *columns_r)
{
    struct buffer *of = columns_r->of;
    int last = has_sources(pages) ? COLUMN_SOURCES : COLUMN_VISITORS;
    for (int k = 0; k < COLUMNS; k++)
        buffer_init(&of[k], PAGES_TEXT_MAX_BYTES);
    pages_encode(pages, &of[COLUMN_TEXT]);
    buffer_append(&of[COLUMN_TEXT], "", 0);
    for (int k = COLUMN_PATHS; k < COLUMNS; k++)
        buffer_append_char(&of[k], '{');
    for (size_t i = 0; i < pages->count; i++) {
        const struct page *page = &pages->items[i];
        for (int k = COLUMN_PATHS; i > 0 && k <= last; k++)
            buffer_append_char(&of[k], ',');
        put_element(&of[COLUMN_PATHS], page->path, page->path_bytes);
        put_element(&of[COLUMN_TITLES], page->title, page->title_bytes);
        put_element(&of[COLUMN_SECTIONS], page->sections, page->sections_bytes);
        buffer_append_int(&of[COLUMN_VISITORS], page->visitors);
        if (last == COLUMN_SOURCES)
            put_sources(&of[COLUMN_SOURCES], page);
    }
    enum status result = STATUS_OK;
    for (int k = COLUMN_PATHS; k < COLUMNS; k++)
        buffer_append_char(&of[k], '}');
    for (int k = 0; k < COLUMNS && result == STATUS_OK; k++)
        result = of[k].status;
    return result;
}

void page_columns_release(struct page_columns *columns)
{
    for (int k = 0; k < COLUMNS; k++)
        buffer_release(&columns->of[k]);
}
