/* A list of pages as publish_refill() takes it: compact text, and array literals, an element a page. */
#ifndef UPBEAT_DB_ARRAY_ENCODE_H
#define UPBEAT_DB_ARRAY_ENCODE_H

#include "base/buffer.h"
#include "pages/page_list.h"

enum columns_of {
    COLUMN_TEXT,
    COLUMN_PATHS,
    COLUMN_TITLES,
    COLUMN_SECTIONS,
    COLUMN_VISITORS,
    COLUMN_SOURCES,
    COLUMNS
};

struct columns {
    struct buffer of[COLUMNS];
};

/* COLUMN_TEXT as pages_encode() has it; COLUMN_SOURCES has PAGE_SOURCES numbers a page, or is empty where
 * there are none at all. STATUS_TOO_LARGE, STATUS_NO_MEMORY: *columns_r has to be released all the same. */
enum status array_encode(const struct page_list *pages, struct columns *columns_r) MUST_CHECK;

void array_encode_release(struct columns *columns);

#endif
