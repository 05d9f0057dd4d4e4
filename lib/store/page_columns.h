/* A list of pages in the form that publish_refresh() takes: compact text, and array literals with an element
 * for each page. */
#ifndef UPBEAT_STORE_PAGE_COLUMNS_H
#define UPBEAT_STORE_PAGE_COLUMNS_H

#include "base/buffer.h"
#include "pages/page_list.h"

enum page_column {
    COLUMN_TEXT,
    COLUMN_PATHS,
    COLUMN_TITLES,
    COLUMN_SECTIONS,
    COLUMN_VISITORS,
    COLUMN_SOURCES,
    COLUMNS
};

struct page_columns {
    struct buffer of[COLUMNS];
};

/* COLUMN_TEXT as pages_encode() has it; COLUMN_SOURCES has PAGE_SOURCES numbers a page, or is empty where
 * there are none at all. STATUS_TOO_LARGE, STATUS_NO_MEMORY: *columns_r has to be released all the same. */
enum status page_columns_encode(const struct page_list *pages, struct page_columns *columns_r) MUST_CHECK;

void page_columns_release(struct page_columns *columns);

#endif
