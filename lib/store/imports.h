/* Samples that were recorded elsewhere, stored a quarter of an hour at a time. The owner's statement. */
#ifndef UPBEAT_STORE_IMPORTS_H
#define UPBEAT_STORE_IMPORTS_H

#include "base/buffer.h"
#include "base/clock.h"
#include "db/database.h"
#include "pages/page_list.h"

/* Numbers of a quarter of an hour, each list a buffer that imports_put() fills. Pages are places in `pages`.
 */
enum import_literal {
    IMPORT_MINUTES,  /* samples of each of the 15 minutes, then their cut-offs, then their totals */
    IMPORT_VISITORS, /* 15 means of each page, hundredths; -1: not listed */
    IMPORT_TAKEN_AT, /* samples to be kept as they are: ms since 1970 */
    IMPORT_COUNTS,   /* rows of each of these samples */
    IMPORT_PLACES,   /* of these rows: the page, by visitors descending */
    IMPORT_LISTED,   /* the visitors */
    IMPORT_SOURCES,  /* PAGE_SOURCES numbers */
    IMPORT_LITERALS
};

struct import_quarter {
    const char *host;
    int64_t slot_ms;         /* its start, since 1970 */
    struct page_list pages;  /* path, title ("": not known), sections */
    struct buffer *literals; /* IMPORT_LITERALS */
    int32_t row_limit;
    bool is_over;       /* no: only the samples as they are count */
    bool keeps_minutes; /* and not only the roll-up */
    bool replaces;      /* what is there already */
};

/* Appends a number to a list. See list->status. */
void imports_put(struct buffer *list, int64_t number);

/* Stores the quarter, all of it or nothing; ends its lists, which are of no use afterwards. *is_done_r is
 * false where other data of that quarter are there, which stay as they are. To repeat it changes nothing.
 * STATUS_TOO_LARGE, STATUS_NO_MEMORY, and errors as of database_run(): *is_done_r is untouched. */
enum status imports_store(struct database *database, const struct import_quarter *quarter,
                          struct deadline deadline, bool *is_done_r) MUST_CHECK;

#endif
