/* A list of pages with their visitors, and the compact text as which the cache row stores it. */
#ifndef UPBEAT_PAGES_PAGE_LIST_H
#define UPBEAT_PAGES_PAGE_LIST_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "pages/page_path.h"
#include <stdint.h>

enum {
    TITLE_MAX_BYTES = 4000,                  /* longer ones are cut at a character */
    SECTIONS_MAX_BYTES = 1000,               /* of one page; those that do not fit are left out */
    SECTION_SEPARATOR = '\x1f',              /* ASCII's unit separator */
    PAGES_TEXT_MAX_BYTES = 32 * 1024 * 1024, /* 10,000 rows, the most that can be asked for, of 3 KiB */
};

/* The sources from which visitors came to a page. */
enum page_source { SOURCE_SEARCH, SOURCE_SOCIAL, SOURCE_LINKS, SOURCE_DIRECT, SOURCE_INTERNAL, PAGE_SOURCES };

/* Path, title and sections are UTF-8 without NUL, not NUL-terminated, and owned by whoever made the list. */
struct page {
    const char *path;
    const char *title;
    const char *sections; /* names, with SECTION_SEPARATOR between them; not in the compact text */
    uint32_t path_bytes;
    uint32_t title_bytes;
    uint32_t sections_bytes;
    uint32_t visitors;
    uint32_t sources[PAGE_SOURCES]; /* of the visitors; not in the compact text */
};

struct page_list {
    struct page *items;
    size_t count;
};

/* Appends the list as compact text: a line a page, "visitors TAB path TAB title LF", with backslash, tab, LF
 * and CR escaped as \\ \t \n \r (as in PostgreSQL's COPY). See out->status. */
void pages_encode(const struct page_list *list, struct buffer *out);

/* The inverse of pages_encode(). It changes `text` in place; the list points into it, so `text` must outlive
 * the list. The arena owns the items. Sections and sources are empty. STATUS_INVALID: the text has another
 * form. STATUS_NO_MEMORY. On an error *list_r is untouched. */
enum status pages_decode(char *text, size_t len_bytes, struct arena *arena,
                         struct page_list *list_r) MUST_CHECK;

/* Adds up pages of the same path, keeps title and sections of the larger row, and sorts by visitors
 * descending, then path by bytes: the order of a snapshot. Sums are capped at 2,147,483,647 (PostgreSQL's
 * integer). STATUS_NO_MEMORY: the list is untouched. */
enum status pages_merge(struct page_list *list, struct arena *arena) MUST_CHECK;

/* memcmp order, the shorter first where one starts the other: <0, 0, >0. */
int pages_compare_path(const struct page *a, const struct page *b);

#endif
